"""What ended runs taught, put into snapshots: each gang's row of chances, by its kinds.

Kinds are numbered once (`number`), so that a look costs one array operation. What is learned is
worked out again every `REFRESH` seconds; before that only for kinds that are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from athanor.features.scheduling.core.lifetimes import BINS, DECLARED, Kind, Runs
from athanor.features.scheduling.core.snapshot import UNSET, GangState, Lifetimes, Snapshot
from athanor.features.scheduling.core.table import Floats, Ints, Smalls

REFRESH = 300.0
UNKNOWN = -2
"""Not worked out yet."""
LEAST = 10
"""With fewer ended runs than this of the widest kind, nothing is known."""


class History:
    """What `runs` say of the gangs of snapshots."""

    def __init__(self, runs: Runs | None = None) -> None:
        self.runs = runs or Runs()
        self.paths: list[tuple[Kind, ...]] = []
        self._numbers: dict[tuple[Kind, ...], int] = {}
        self._row: Smalls = np.zeros(0, dtype=np.int32)
        self._table: Floats = np.zeros((0, BINS))
        self._at = -np.inf

    def number(self, path: tuple[Kind, ...]) -> int:
        """The number of a gang's kinds."""
        found = self._numbers.setdefault(path, len(self.paths))
        if found == len(self.paths):
            self.paths.append(path)
        return found

    def mark(self, snapshot: Snapshot, numbers: Ints, now: float) -> Snapshot:
        """The snapshot with what is learned of its gangs, whose kinds have these numbers."""
        stale = not self._at <= now < self._at + REFRESH
        if stale:
            self._at, self._row, self._table = now, self._row[:0], np.zeros((0, BINS))
        more = np.full(len(self.paths) - len(self._row), UNKNOWN, dtype=np.int32)
        self._row = np.concatenate([self._row, more])
        missing = np.unique(numbers[self._row[numbers] == UNKNOWN])
        if len(missing):
            self._learn(missing, numbers if stale else missing[:0], snapshot, now)
        lifetime = self._row[numbers]
        return replace(
            snapshot, gangs=replace(snapshot.gangs, lifetime=lifetime),
            lifetimes=Lifetimes(ends=self._table),
        )  # fmt: skip

    def _learn(self, numbers: Ints, everyone: Ints, snapshot: Snapshot, now: float) -> None:
        """Work out the rows of these kinds; `everyone` are those of the snapshot's gangs."""
        self._row[numbers] = UNSET
        wanted = [n for n in numbers.tolist() if self._enough(self.paths[n])]
        if not wanted:
            return
        paths = [self.paths[n] for n in wanted]
        live = [self.paths[n] for n in everyone.tolist()]
        ran = _ran(snapshot, now)[: len(live)]
        table, row = self.runs.chances([*paths, *live], np.concatenate([np.zeros(len(paths)), ran]))
        self._row[wanted] = row[: len(paths)] + len(self._table)
        self._table = np.concatenate([self._table, table])

    def _enough(self, path: Sequence[Kind]) -> bool:
        ended = self.runs.ended.get(path[0])
        return ended is not None and bool(ended.sum() >= LEAST)


def _ran(snapshot: Snapshot, now: float) -> Floats:
    """How long gangs have run, in units of what they declared; 0 for those that wait."""
    gangs = snapshot.gangs
    said = gangs.estimate
    unit = np.where(np.isnan(said) | (said <= 0), 1.0, DECLARED / np.maximum(said, 1e-9))
    began = np.where(np.isnan(gangs.started), now, gangs.started)
    ran: Floats = (gangs.attained + np.maximum(now - began, 0.0)) * unit
    return np.where(gangs.state == GangState.WAITING, 0.0, ran)
