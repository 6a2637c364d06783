"""Progress in what ranks write."""

from __future__ import annotations

from pathlib import Path

from athanor.local.agent.told import AT_ONCE, Told

KEY = ("uid", "main")
PATTERN = r"step (?P<step>\d+)(/(?P<total>\d+))?(, loss (?P<loss>\S+))?"


def line(text: str, second: int = 0) -> str:
    return f"2026-01-01T00:00:{second:02d}.123456789Z stdout F {text}\n"


def add(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(lines)


def test_the_last_line_that_fits_counts_and_each_is_read_once(tmp_path: Path) -> None:
    log, told = tmp_path / "0.log", Told()
    assert told.look(KEY, log, PATTERN) is None, "there is no log yet"
    add(
        log,
        line("hello"),
        line("step 1/10, loss 0.5"),
        line("step 2/10, loss 1,234.5", 2),
        line("x"),
    )
    found = told.look(KEY, log, PATTERN)
    assert found is not None
    assert (found.step, found.total, found.metrics) == (2, 10, {"loss": 1234.5})
    assert found.updated_at == "2026-01-01T00:00:02Z"
    assert told.look(KEY, log, PATTERN) is None
    add(log, line("step 3, loss nan"))
    found = told.look(KEY, log, PATTERN)
    assert found is not None
    assert (found.step, found.total, found.metrics) == (3, 10, {"loss": 1234.5}), (
        "the rest holds on"
    )
    assert told.look(KEY, log, "(?P<step>") is None, "what is no pattern finds nothing"


def test_half_a_line_waits_and_a_file_put_aside_is_left(tmp_path: Path) -> None:
    log, told = tmp_path / "0.log", Told()
    whole = line("step 7/9")
    add(log, whole[:-5])
    assert told.look(KEY, log, PATTERN) is None
    add(log, whole[-5:])
    found = told.look(KEY, log, PATTERN)
    assert found is not None and found.step == 7
    log.rename(tmp_path / "0.log.old")
    add(log, line("step 8/9"))
    found = told.look(KEY, log, PATTERN)
    assert found is not None and found.step == 8
    told.keep([])
    found = told.look(KEY, log, PATTERN)
    assert found is not None and found.step == 8, "a pod that was forgotten is read from its start"


def test_of_a_flood_the_end_is_read(tmp_path: Path) -> None:
    log, told = tmp_path / "0.log", Told()
    add(log, *(line(f"step {n}") for n in range(AT_ONCE // 20)))
    found = told.look(KEY, log, PATTERN)
    assert found is not None and found.step == AT_ONCE // 20 - 1


def test_a_progress_bar_that_writes_itself_anew_says_its_last_state(tmp_path: Path) -> None:
    log, told = tmp_path / "0.log", Told()
    add(log, line("\r 10%|# | step 1/10\r 20%|## | step 2/10, loss 0.5\r 30%|", 7))
    found = told.look(KEY, log, PATTERN)
    assert found is not None
    assert (found.step, found.total, found.metrics) == (2, 10, {"loss": 0.5})
    assert found.updated_at == "2026-01-01T00:00:07Z"
