"""The supervisor's files: CRI logs with rotation, and the journal of exits."""

from __future__ import annotations

from pathlib import Path

import pytest

from athanor.local.agent.supervisor import logs
from athanor.local.agent.supervisor.journal import Journal
from athanor.local.agent.supervisor.logs import LogFile, Stream


def parts(path: Path) -> list[tuple[str, str, str]]:
    out = []
    for line in path.read_text().splitlines():
        _, stream, tag, text = line.split(" ", 3)
        out.append((stream, tag, text))
    return out


def test_lines_are_whole_however_they_come(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "a" / "0.log"))
    out, err = Stream("stdout", log), Stream("stderr", log)
    out.feed(b"one\ntw")
    err.feed(b"oops\n")
    out.feed(b"o\nlast")
    out.end()
    assert parts(tmp_path / "a" / "0.log") == [
        ("stdout", "F", "one"), ("stderr", "F", "oops"), ("stdout", "F", "two"),
        ("stdout", "F", "last"),
    ]  # fmt: skip


def test_long_lines_come_in_pieces(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"))
    stream = Stream("stdout", log)
    stream.feed(b"x" * (logs.LINE_LIMIT + 5))
    stream.feed(b"\nshort\n" + b"y" * (2 * logs.LINE_LIMIT + 1) + b"\n")
    tags = [(tag, len(text)) for _, tag, text in parts(tmp_path / "0.log")]
    limit = logs.LINE_LIMIT
    assert tags == [("P", limit), ("F", 5), ("F", 5), ("P", limit), ("P", limit), ("F", 1)]


def test_full_files_are_rotated_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 200)
    log = LogFile(str(tmp_path / "0.log"))
    stream = Stream("stdout", log)
    for number in range(60):
        stream.feed(b"line %03d of the log\n" % number)
    files = sorted(tmp_path.iterdir(), key=lambda p: (p.name == "0.log", p.name))
    assert len(files) == logs.MAX_FILES
    numbers = [int(text.split()[1]) for file in files for _, _, text in parts(file)]
    assert numbers == list(range(numbers[0], 60))


def test_exits_survive_and_torn_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    journal = Journal(str(path))
    journal.record([("a", {"code": 1}), ("b", {"code": 0})])
    journal.forget(["a", "unknown"])
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"key": "c", "ex')
    again = Journal(str(path))
    assert again.exits == {"b": {"code": 0}}
    again.record([("d", {"code": 2})])
    again.close()
    assert set(Journal(str(path)).exits) == {"b", "d"}


def test_a_long_journal_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    journal = Journal(str(path))
    for number in range(45):
        keys = [f"{number}/{i}" for i in range(50)]
        journal.record((key, {"code": 0}) for key in keys)
        journal.forget(keys)
    assert path.stat().st_size < 60 * 1000 and journal.exits == {}
    journal.close()
