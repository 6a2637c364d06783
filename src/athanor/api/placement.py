"""Node names packed into ranges and back: a placement of 20,000 ranks must fit in 1 MB of status.

A rank's node is found by position: rank i runs on the i-th node of the unpacked sequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from athanor.api.scheduling import NodeRange

_NUMBERED = re.compile(r"^(.*?)(0|[1-9][0-9]{0,8}|0[0-9]{1,8})$")


def pack(nodes: Iterable[str]) -> list[NodeRange]:
    """The sequence of node names (one a rank) as ranges; `list(unpack(pack(x))) == list(x)`."""
    ranges: list[NodeRange] = []
    for name, same in groupby(nodes):
        one = _single(name, sum(1 for _ in same))
        if ranges and _follows(ranges[-1], one):
            last = ranges[-1]
            ranges[-1] = NodeRange(
                prefix=last.prefix,
                first=last.first,
                last=one.last,
                width=last.width,
                each=last.each,
            )
        else:
            ranges.append(one)
    return ranges


def unpack(ranges: Iterable[NodeRange]) -> Iterator[str]:
    """One node name a rank, in order."""
    for r in ranges:
        names = (
            [r.prefix]
            if r.first is None or r.last is None
            else [f"{r.prefix}{i:0{r.width}d}" for i in range(r.first, r.last + 1)]
        )
        for name in names:
            for _ in range(r.each):
                yield name


def _single(name: str, each: int) -> NodeRange:
    numbered = _NUMBERED.match(name)
    if numbered is None:
        return NodeRange(prefix=name, each=each)
    digits = numbered.group(2)
    width = len(digits) if digits.startswith("0") and len(digits) > 1 else 0
    number = int(digits)
    return NodeRange(prefix=numbered.group(1), first=number, last=number, width=width, each=each)


def _follows(last: NodeRange, one: NodeRange) -> bool:
    if last.last is None or one.first is None:
        return False
    width_grew = one.width == 0 and last.width == len(str(one.first)) and last.width > 0
    return (
        last.prefix == one.prefix
        and last.each == one.each
        and one.first == last.last + 1
        and (last.width == one.width or width_grew)
    )
