"""Reads CRI log files: tail, since, timestamps, limits, follow through rotation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from athanor.kit.times import parse_rfc3339, rfc3339_micro

_BLOCK = 1 << 16
_PAUSE = 0.1  # seconds between two looks at a followed file
TRUE = ("1", "true", "True", "t", "T")
"""How a query says yes."""


class Wish(Struct, frozen=True, kw_only=True):
    """What of a log somebody wants. `since` in seconds since the epoch."""

    follow: bool = False
    tail: int | None = None
    since: float = 0.0
    timestamps: bool = False
    limit: int | None = None
    stream: str = ""


def wish_of(query: Mapping[str, str], now: float) -> Wish:
    """PodLogOptions from a query. Raises ValueError."""
    since = float(query.get("sinceSeconds") or 0)
    if not 0 <= since < float("inf"):
        raise ValueError(f"sinceSeconds {since} is no number of seconds")
    begin = max(now - since, 0.0) if since else 0.0
    if when := query.get("sinceTime"):
        begin = max(parse_rfc3339(when), 0.0)
    return Wish(
        follow=query.get("follow") in TRUE, timestamps=query.get("timestamps") in TRUE,
        tail=_amount(query, "tailLines"), limit=_amount(query, "limitBytes"), since=begin,
    )  # fmt: skip


def _amount(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if (found := int(text)) < 0:
        raise ValueError(f"{name} {found} is below 0")
    return found


async def read(path: Path, wish: Wish, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Chunks of the log as a person reads it. `running`: more may be written."""
    left = wish.limit
    async for chunk in _follow(path, wish, running):
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        if chunk:
            yield chunk
        if left == 0:
            return


class Text:
    """CRI lines as their text. Where a line comes in pieces its time stands before the first."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._since = _stamp(wish.since)
        self._begins = True

    def of(self, lines: Iterator[bytes]) -> bytes:
        """The text of the next lines."""
        wish, out = self._wish, []
        for line in lines:
            stamp, _, rest = line.partition(b" ")
            stream, _, rest = rest.partition(b" ")
            tag, _, text = rest.partition(b" ")
            if wish.stream and stream.decode() != wish.stream:
                continue
            if stamp < self._since:
                continue
            if wish.timestamps and self._begins:
                text = stamp + b" " + text
            self._begins = tag.startswith(b"F")
            out.append(text + b"\n" if self._begins else text)
        return b"".join(out)


def tail_start(path: Path, count: int) -> int:
    """The offset at which the last `count` lines of a file begin."""
    with path.open("rb") as file:
        end = at = file.seek(0, os.SEEK_END)
        found = 0
        while at > 0:
            step = min(_BLOCK, at)
            at -= step
            file.seek(at)
            block = file.read(step)
            index = block.rfind(b"\n", 0, step - 1 if at + step == end else step)
            while index >= 0:
                found += 1
                if found == count:
                    return at + index + 1
                index = block.rfind(b"\n", 0, index)
    return 0


def _stamp(seconds: float) -> bytes:
    """A time as it stands before lines; such times are in order as bytes, too."""
    return rfc3339_micro(seconds)[:-1].encode() if seconds else b""


def _files(path: Path) -> list[Path]:
    return [*sorted(path.parent.glob(path.name + ".*")), path]


async def _follow(path: Path, wish: Wish, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    files, text = [file for file in _files(path) if file.exists()], Text(wish)
    start = 0
    if wish.tail is not None and files:
        start = tail_start(files[-1], wish.tail) if wish.tail else files[-1].stat().st_size
        if start or not wish.tail:
            files = files[-1:]
    for old in files[:-1]:
        yield text.of(iter(old.read_bytes().split(b"\n")[:-1]))
    rest = b""
    file: BinaryIO | None = None
    full = False
    try:
        while True:
            going = running()
            file = file or _open(path, start)
            data = file.read(1 << 20) if file is not None else b""
            if data:
                *lines, rest = (rest + data).split(b"\n")
                yield text.of(iter(lines))
                continue
            if not wish.follow or not going:
                return
            if file is not None and full:
                file.close()
                file, start, full = None, 0, False
                continue
            full = file is not None and _rotated(path, file.fileno())
            if full:
                continue  # its last lines may have come between the two looks
            await asyncio.sleep(_PAUSE)
    finally:
        if file is not None:
            file.close()


def _open(path: Path, start: int) -> BinaryIO | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    file.seek(start)
    return file


def _rotated(path: Path, fd: int) -> bool:
    try:
        return path.stat().st_ino != os.fstat(fd).st_ino
    except FileNotFoundError:
        return False
