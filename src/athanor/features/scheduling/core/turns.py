"""Whose turn it is: the heads of all lines, compared level by level of the queue tree.

A gang that starts makes the shares of its queue's whole path larger. Siblings under that path keep
their order among each other, so only the path itself is looked at again. Within a cycle shares and
claims of those who wait only get worse; whoever is first is looked at anew before it is believed,
unless nothing has changed on its path.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from athanor.features.scheduling.core.line import Line

Head = tuple[int, int, tuple[float, ...], float, int, int]
"""Claim, negative priority, shares from here down, created, gang, queue: the least comes first."""


class Turns:
    """Lines by queue; `head(line)` is what decides of its first gang (None: nobody is left).

    `stamps[queue]` grows with each change of the queue's use; whoever takes the first line may
    change what is in it.
    """

    def __init__(
        self, lines: Mapping[int, Line], path: Sequence[Sequence[int]], stamps: Sequence[int],
        head: Callable[[Line], tuple[int, int, float, int] | None],
        share: Callable[[int], float],
    ) -> None:  # fmt: skip
        self._lines, self._of, self._share = lines, head, share
        self._path, self._stamps = path, stamps
        self._taken = [0] * len(path)  # how often a line of the queue or below it was the first
        self._known: dict[int, tuple[int, Head | None]] = {}
        self._below: dict[int, list[tuple[Head, int]]] = {}
        self._children: dict[int, set[int]] = {}
        for queue in lines:
            above = [*path[queue], _TOP]
            for child, parent in zip(above, above[1:], strict=False):
                self._children.setdefault(parent, set()).add(child)

    def first(self) -> Line | None:
        """The line whose head is considered next."""
        found = self._best(_TOP)
        if found is None:
            return None
        for q in self._path[found[5]]:
            self._taken[q] += 1
        return self._lines[found[5]]

    def _best(self, node: int) -> Head | None:
        """The first of a queue and all below it."""
        best = self._own(node)
        heap = self._below.get(node)
        if heap is None:
            heads = [(head, q) for q in self._children.get(node, ()) if (head := self._child(q))]
            heapq.heapify(heads)
            heap = self._below[node] = heads
        while heap:
            known, child = heap[0]
            now = self._child(child)
            if now is None:
                heapq.heappop(heap)
            elif now == known:
                return known if best is None else min(best, known)
            else:
                heapq.heapreplace(heap, (now, child))
        return best

    def _own(self, node: int) -> Head | None:
        line = self._lines.get(node)
        said = self._of(line) if line is not None else None
        if said is None:
            return None
        claim, priority, created, gang = said
        return claim, priority, (), created, gang, node

    def _child(self, child: int) -> Head | None:
        """The first of a child, with the child's own share before those below it."""
        stamp = self._taken[child] + sum([self._stamps[q] for q in self._path[child]])
        known = self._known.get(child)
        if known is not None and known[0] == stamp:
            return known[1]
        found = self._best(child)
        if found is not None:
            claim, priority, below, created, gang, queue = found
            found = claim, priority, (self._share(child), *below), created, gang, queue
        self._known[child] = stamp, found
        return found


_TOP = -1
