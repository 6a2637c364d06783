"""The lines of waiting gangs, a queue each: heads in order, and whole kinds that leave at once.

Gangs of one *kind* (same queue, ask, priority, about the same runtime) are alike: if one
cannot start, none of those behind it can, so a line costs as much as it has kinds, not gangs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np

from athanor.features.scheduling.core.snapshot import GangState, QueueState, Snapshot
from athanor.features.scheduling.core.table import Floats, Ints

BUCKETS = 4
"""Runtimes within a factor of 2^(1/4) count as the same."""


class Line:
    """One queue's gangs that may start, best first."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.holds = 0
        self._kinds: list[Ints] = []
        self._at: list[int] = []
        self._heap: list[tuple[int, int]] = []
        self._place: Ints = np.zeros(0, dtype=np.int64)

    def add(self, rows: Ints, place: Ints) -> None:
        """Gangs of one kind in order; `place` is everyone's place in the line, by row."""
        self._place = place
        self._kinds.append(rows)
        self._at.append(0)
        heapq.heappush(self._heap, (int(place[rows[0]]), len(self._kinds) - 1))

    def head(self) -> int | None:
        """The first gang, or None when nobody is left."""
        if not self._heap:
            return None
        kind = self._heap[0][1]
        return int(self._kinds[kind][self._at[kind]])

    def kind(self) -> int:
        """The number of the first gang's kind."""
        return self._heap[0][1]

    def take(self) -> None:
        """The head has been dealt with."""
        _, kind = heapq.heappop(self._heap)
        self._at[kind] += 1
        if self._at[kind] < len(self._kinds[kind]):
            row = self._kinds[kind][self._at[kind]]
            heapq.heappush(self._heap, (int(self._place[row]), kind))

    def drop_kind(self) -> Ints:
        """The head and everyone of its kind leave: their rows."""
        _, kind = heapq.heappop(self._heap)
        return self._kinds[kind][self._at[kind] :]

    def drop_all(self) -> Iterator[Ints]:
        """Everyone leaves: their rows, a kind at a time."""
        while self._heap:
            yield self.drop_kind()


def waiting(snapshot: Snapshot) -> Ints:
    """Rows of the waiting gangs, by queue, then priority, then age, then row."""
    gangs = snapshot.gangs
    rows = np.flatnonzero(gangs.state == GangState.WAITING)
    ordered: Ints = rows[
        np.lexsort((gangs.created[rows], -gangs.priority[rows], gangs.queue[rows]))
    ]
    return ordered


def lines(
    snapshot: Snapshot, order: Ints, states: list[QueueState], learned: Floats
) -> dict[int, Line]:
    """The lines of open queues; `order` is `waiting`'s, `states` every queue's own.

    `learned` are runtimes, NaN where only what was declared is known. For whom others were told to
    go comes first, except in a strict queue, whose order nothing changes.
    """
    gangs = snapshot.gangs
    is_open = np.array([state == QueueState.OPEN for state in states] + [False])
    rows = order[(gangs.refused[order] == 0) & is_open[gangs.queue[order]]]
    ahead = gangs.awaits[rows] & ~snapshot.queues.strict[gangs.queue[rows]]
    rows = rows[np.argsort(~ahead, kind="stable")]
    found: dict[int, Line] = {}
    if not len(rows):
        return found
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(np.isnan(learned[rows]), gangs.estimate[rows], learned[rows])
        runtime = np.floor(np.log2(np.maximum(expected, 1.0)) * BUCKETS)
    keys = (
        np.nan_to_num(runtime, nan=-1.0), gangs.preemptible[rows],
        gangs.priority[rows], gangs.klass[rows], gangs.queue[rows],
    )  # fmt: skip
    by_kind = np.lexsort(keys)  # stable: in each kind they stay in the order of the line
    differs = np.zeros(len(rows), dtype=np.bool_)
    for key in keys:
        ordered = key[by_kind]
        differs[1:] |= ordered[1:] != ordered[:-1]
    place = np.zeros(len(gangs.names), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    for kind in np.split(rows[by_kind], np.flatnonzero(differs)):
        queue = int(gangs.queue[kind[0]])
        found.setdefault(queue, Line(queue)).add(kind, place)
    return dict(sorted(found.items()))
