"""Whose turn it is: the heads of all lines, compared level by level of the queue tree.

A gang that starts makes the shares of its queue's whole path larger. Siblings under that path keep
their order among each other, so only the path itself is looked at again. Within a cycle shares and
claims of those who wait only get worse; whoever is first is looked at anew before it is believed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from athanor.features.scheduling.core.line import Line

Head = tuple[int, int, tuple[float, ...], float, int, int]
"""Claim, negative priority, shares from here down, created, gang, queue: the least comes first."""


class Turns:
    """Lines by queue; `head(line)` is what decides of its first gang (None: nobody is left)."""

    def __init__(
        self, lines: Mapping[int, Line], path: Sequence[Sequence[int]],
        head: Callable[[Line], tuple[int, int, float, int] | None],
        share: Callable[[int], float],
    ) -> None:  # fmt: skip
        self._lines, self._of, self._share = lines, head, share
        self._below: dict[int, list[tuple[Head, int]]] = {}
        self._children: dict[int, set[int]] = {}
        for queue in lines:
            above = [*path[queue], _TOP]
            for child, parent in zip(above, above[1:], strict=False):
                self._children.setdefault(parent, set()).add(child)

    def first(self) -> Line | None:
        """The line whose head is considered next."""
        found = self._best(_TOP)
        return self._lines[found[5]] if found is not None else None

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
        found = self._best(child)
        if found is None:
            return None
        claim, priority, below, created, gang, queue = found
        return claim, priority, (self._share(child), *below), created, gang, queue


_TOP = -1
