"""Ranks as ranges in a text: a status says of thousands which have succeeded."""

from __future__ import annotations

from collections.abc import Sequence


def pack_ranks(ranks: Sequence[int]) -> str:
    """Sorted ranks as ranges: [0, 1, 2, 5] → "0-2,5"."""
    parts: list[list[int]] = []
    for rank in ranks:
        if parts and parts[-1][-1] == rank - 1:
            parts[-1] = [parts[-1][0], rank]
        else:
            parts.append([rank])
    return ",".join(str(p[0]) if p[0] == p[-1] else f"{p[0]}-{p[-1]}" for p in parts)


def unpack_ranks(text: str) -> set[int]:
    """The ranks of `pack_ranks`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
