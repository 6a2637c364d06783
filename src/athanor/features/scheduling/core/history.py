"""What ended runs taught, put into snapshots: each gang's row of chances, by its kinds.

Kinds are numbered once (`Paths`), so that a look costs one array operation. What is learned is
worked out again every `REFRESH` seconds; before that only for kinds that are new.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from athanor.features.scheduling.core.lifetimes import BINS, DECLARED, Kind, Runs
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Gangs,
    GangState,
    Lifetimes,
    Snapshot,
)
from athanor.features.scheduling.core.table import Floats, Smalls

REFRESH = 300.0
UNKNOWN = -2
"""Not worked out yet."""
MOST_PATHS = 20_000
LEAST = 10
"""With fewer ended runs than this of the widest kind, nothing is known."""
Path = tuple[Kind, ...]
"""A gang's kinds, from wide to narrow."""


class Paths:
    """Numbers for the kinds of gangs (see `lifetimes.kinds`), in the order in which they came."""

    def __init__(self) -> None:
        self._numbers: dict[Path, int] = {}
        self._paths: list[Path] = []

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> Path:
        return self._paths[number]

    def number(self, path: Path) -> int:
        """The number of a gang's kinds; beyond `MOST_PATHS` its narrowest kind is left out."""
        if len(self._paths) >= MOST_PATHS and path not in self._numbers and len(path) > 1:
            return self.number(path[:-1])
        found = self._numbers.setdefault(path, len(self._paths))
        if found == len(self._paths):
            self._paths.append(path)
        return found


class History:
    """What `runs` say of the gangs of snapshots."""

    def __init__(self, runs: Runs | None = None) -> None:
        self.runs = runs or Runs()
        self._paths: Paths | None = None
        self._row: Smalls = np.zeros(0, dtype=np.int32)
        self._lifetimes = Lifetimes(ends=np.zeros((0, BINS)))
        self._at = -np.inf
        self._marked: tuple[Gangs, Smalls, Gangs] | None = None

    def mark(self, snapshot: Snapshot, numbers: Smalls, paths: Paths, now: float) -> Snapshot:
        """The snapshot with what is learned of its gangs, whose kinds have these numbers."""
        stale = paths is not self._paths or not self._at <= now < self._at + REFRESH
        if stale:
            self._paths, self._at, self._row = paths, now, self._row[:0]
            self._lifetimes = Lifetimes(ends=np.zeros((0, BINS)))
        more = np.full(len(paths) - len(self._row), UNKNOWN, dtype=np.int32)
        self._row = np.concatenate([self._row, more])
        missing = np.unique(numbers[self._row[numbers] == UNKNOWN])
        if len(missing):
            self._learn(paths, missing, numbers if stale else missing[:0], snapshot, now)
        gangs = self._with(snapshot.gangs, self._row[numbers])
        return replace(snapshot, gangs=gangs, lifetimes=self._lifetimes)

    def _with(self, gangs: Gangs, lifetime: Smalls) -> Gangs:
        """The gangs with their rows; the same object while nothing is new."""
        if (lifetime == gangs.lifetime).all():
            return gangs
        known = self._marked
        if known is None or known[0] is not gangs or (known[1] != lifetime).any():
            known = self._marked = gangs, lifetime, replace(gangs, lifetime=lifetime)
        return known[2]

    def _learn(
        self, paths: Paths, numbers: Smalls, everyone: Smalls, snapshot: Snapshot, now: float
    ) -> None:
        """Work out the rows of these kinds; `everyone` are those of the snapshot's gangs."""
        self._row[numbers] = UNSET
        wanted = [n for n in numbers.tolist() if self._enough(paths[n])]
        if not wanted:
            return
        ran = _ran(snapshot, now)[: len(everyone)]
        runs = np.flatnonzero(ran > 0)
        asked = [paths[n] for n in [*wanted, *everyone[runs].tolist()]]
        attained = np.concatenate([np.zeros(len(wanted)), ran[runs]])
        table, row = self.runs.chances(asked, attained)
        known = self._lifetimes.ends
        self._row[wanted] = row[: len(wanted)] + len(known)
        self._lifetimes = Lifetimes(ends=np.concatenate([known, table]))

    def _enough(self, path: Path) -> bool:
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
