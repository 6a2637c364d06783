"""How far a rank is, read from what it writes, by a pattern: for programs that report nothing.

`step` and `total` of the pattern's named groups are what they say, every other one is a metric. The
last line that fits counts. Patterns are RE2's: no text can hold them up.
"""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

import msgspec
from msgspec import Struct

from athanor.api.scheduling import Progress
from athanor.kit.patterns import BadPattern, groups

AT_ONCE = 256 * 1024
"""Bytes that are read at a look; a rank that wrote more has them passed over."""


class Place(Struct, frozen=True):
    """How far a log has been read: which file, and where in it."""

    file: int = 0
    offset: int = 0


Key = tuple[str, str]
"""A pod's uid and a container of it."""


class Told:
    """What the ranks of a node have written of themselves, read a piece at a time."""

    def __init__(self) -> None:
        self._places: dict[Key, Place] = {}
        self._said: dict[Key, Progress] = {}

    def look(self, key: Key, log: Path, pattern: str) -> Progress | None:
        """The newest progress in a log; None when nothing new fits, or the pattern is none."""
        lines = self._new_lines(key, log)
        for line in reversed(lines):
            stamp, _, rest = line.partition(b" ")
            text = rest.partition(b" ")[2].partition(b" ")[2].decode(errors="replace")
            try:
                found = _last(pattern, text)
            except BadPattern:
                return None
            if found is not None:
                said = _progress(found, stamp.decode()[:19] + "Z", self._said.get(key))
                self._said[key] = said
                return said
        return None

    def keep(self, pods: Container[str]) -> None:
        """Forget all pods but these."""
        for key in [key for key in self._places if key[0] not in pods]:
            del self._places[key]
            self._said.pop(key, None)

    def _new_lines(self, key: Key, log: Path) -> list[bytes]:
        """Whole lines since the last look; a file that was put aside is not gone back to."""
        try:
            with log.open("rb") as file:
                status = os.fstat(file.fileno())
                place = self._places.get(key, Place())
                start = place.offset if place.file == status.st_ino else 0
                if start == status.st_size:
                    return []
                start = max(start, status.st_size - AT_ONCE)
                file.seek(start)
                data = file.read(AT_ONCE)
        except OSError:
            return []  # it has written nothing yet
        whole = data.rfind(b"\n") + 1
        self._places[key] = Place(status.st_ino, start + whole)
        return data[:whole].split(b"\n")[:-1]


def _last(pattern: str, text: str) -> dict[str, str] | None:
    """What fits last in a line; a progress bar writes itself anew after each carriage return."""
    fits = (groups(pattern, part) for part in reversed(text.split("\r")))
    return next((found for found in fits if found is not None), None)


def _progress(found: dict[str, str], at: str, before: Progress | None) -> Progress:
    """Groups as a Progress; what a line does not say holds on."""
    numbers = {
        name: number for name, text in found.items() if (number := _number(text)) is not None
    }
    step, total = numbers.pop("step", None), numbers.pop("total", None)
    old = before or Progress()
    return msgspec.structs.replace(
        old,
        step=old.step if step is None else int(step),
        total=old.total if total is None else int(total),
        metrics={**old.metrics, **numbers},
        updated_at=at,
    )


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if number - number == 0.0 else None
