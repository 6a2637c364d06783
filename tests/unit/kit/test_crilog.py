"""Log files as people read them: long lines, progress bars, odd wishes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from athanor.kit import crilog

AT = "2026-01-01T00:00:{:02d}.000000000Z"


def read(path: Path, **wish: object) -> str:
    async def main() -> bytes:
        wanted = crilog.Wish(**wish)  # type: ignore[arg-type]
        return b"".join([chunk async for chunk in crilog.read(path, wanted, lambda: False)])

    return asyncio.run(main()).decode()


def test_the_time_of_a_line_in_pieces_stands_before_its_first(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    rows = [(1, "P", "ab"), (1, "P", "cd"), (2, "F", "ef"), (3, "F", "next")]
    path.write_text("".join(f"{AT.format(s)} stdout {tag} {text}\n" for s, tag, text in rows))
    assert read(path) == "abcdef\nnext\n"
    assert read(path, timestamps=True) == f"{AT.format(1)} abcdef\n{AT.format(3)} next\n"
    assert read(path, timestamps=True, tail=1) == f"{AT.format(3)} next\n"


def test_a_progress_bar_in_a_part_that_was_put_aside_is_whole(tmp_path: Path) -> None:
    row = f"{AT.format(0)} stdout F  10%\r 20%\r 30% done\n"
    (tmp_path / "0.log.1").write_bytes(row.encode())
    (tmp_path / "0.log").write_bytes(row.encode())
    assert read(tmp_path / "0.log") == 2 * " 10%\r 20%\r 30% done\n"


@pytest.mark.parametrize("seed", range(20))
def test_the_last_lines_are_found_where_a_dumb_twin_finds_them(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "0.log"
    lines = [b"x" * dice.choice((0, 1, 50, 70_000)) for _ in range(dice.randrange(1, 12))]
    whole = b"\n".join(lines) + (b"\n" if dice.random() < 0.8 else b"")
    path.write_bytes(whole)
    kept = whole.splitlines(keepends=True)
    for count in range(1, 14):
        assert crilog.tail_start(path, count) == len(whole) - sum(map(len, kept[-count:]))


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"}, {"tailLines": "9" * 5000}, {"limitBytes": "-1"}, {"limitBytes": "x"},
        {"sinceSeconds": "nan"}, {"sinceSeconds": "inf"}, {"sinceSeconds": "-1"},
        {"sinceTime": "yesterday"},
    ],
)  # fmt: skip
def test_wishes_that_are_none_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        crilog.wish_of(query, 1_796_000_000.0)


def test_wishes_from_before_all_times_are_for_everything(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(f"{AT.format(0)} stdout F here\n")
    for query in ({"sinceSeconds": "1e18"}, {"sinceTime": "0001-01-01T00:00:00Z"}):
        wish = crilog.wish_of(query, 1_796_000_000.0)
        assert read(path, since=wish.since) == "here\n"
