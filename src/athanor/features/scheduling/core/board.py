"""The tables of gangs and of what they hold, kept by name: a look costs what changed.

A gang has a *wish* (a number that whoever puts it here chose for what it asks) and no class yet:
classes and users get their numbers by first appearance, as `build` numbers them, so the tables
are those that `build` makes of the same rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from athanor.features.scheduling.core.columns import gangs_table
from athanor.features.scheduling.core.numbers import Numbers
from athanor.features.scheduling.core.rows import GangRow, RunningRow
from athanor.features.scheduling.core.snapshot import Gangs, Running
from athanor.features.scheduling.core.table import (
    Bools,
    Ints,
    Smalls,
    bools,
    ints,
    renewed,
    smalls,
)

S = TypeVar("S", bound=np.generic)


class Entry(NamedTuple):
    """A gang as the board has it: of its row's `ask` only `within` counts.

    `told` and `kind` are whatever numbers the owner wants beside the gang.
    """

    row: GangRow
    wish: int
    running: tuple[RunningRow, ...] = ()
    told: int = 0
    kind: int = 0


Tables = tuple[Gangs, Running, tuple[str, ...]]


class Order(NamedTuple):
    """Different numbers by first appearance: the `n`-th is `found[n]`; `places` is the inverse."""

    found: Smalls
    places: Smalls


class Board:
    """Gangs in the order of their names, each with the pods that hold capacity."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.names: list[str] = []
        self.wishes: Smalls = np.zeros(0, dtype=np.int32)
        self.told: Smalls = np.zeros(0, dtype=np.int32)
        self.kinds: Smalls = np.zeros(0, dtype=np.int32)
        self._known: set[str] = set()
        self._users: dict[str, int] = {}
        self._gangs = self._table([])
        self._made: tuple[Smalls, Smalls, Tables] | None = None
        self._pods: Smalls = np.zeros(0, dtype=np.int32)
        self._held = self._places([])

    def put(self, changed: Mapping[str, Entry | None]) -> None:
        """Gangs that came, changed or went (None)."""
        if not changed:
            return
        self._made = None
        fresh = sorted(name for name, entry in changed.items() if entry is not None)
        old = sorted(bisect_left(self.names, n) for n in changed if n in self._known)
        keep = np.ones(len(self.names), dtype=np.bool_)
        keep[old] = False
        if [self.names[i] for i in old] != fresh:
            self.names = sorted([*compress(self.names, keep.tolist()), *fresh])
            self._known.difference_update(changed)
            self._known.update(fresh)
        entries = [entry for name in fresh if (entry := changed[name]) is not None]
        cut = _Cut(keep, [bisect_left(self.names, name) for name in fresh], len(self.names))
        part, columns = self._table(entries), {}
        for name in _COLUMNS:
            columns[name] = cut(getattr(self._gangs, name), getattr(part, name))
        self._gangs = renewed(self._gangs, {"names": tuple(self.names), **columns})
        self.wishes = cut(self.wishes, smalls(entry.wish for entry in entries))
        self.told = cut(self.told, smalls(entry.told for entry in entries))
        self.kinds = cut(self.kinds, smalls(entry.kind for entry in entries))
        self._put_pods(keep, cut, entries)

    def _put_pods(self, keep: NDArray[np.bool_], cut: _Cut, entries: Sequence[Entry]) -> None:
        count = smalls(len(entry.running) for entry in entries)
        stay = np.repeat(keep, self._pods)
        self._pods = cut(self._pods, count)
        mine = np.zeros(len(self.names), dtype=np.bool_)
        mine[cut.spots] = True
        spots = np.flatnonzero(np.repeat(mine, self._pods))
        inner = _Cut(stay, spots, int(self._pods.sum()))
        part = self._places([pod for entry in entries for pod in entry.running])
        held = self._held
        self._held = _Pods(
            inner(held.set, part.set), inner(held.node, part.node),
            inner(held.devices, part.devices), inner(held.slot, part.slot),
            inner(held.rank, part.rank), inner(held.leaving, part.leaving),
        )  # fmt: skip

    def tables(self, classes: Smalls, first: Smalls) -> Tables:
        """Gangs, what they hold, and the users; `classes[wish]` is the class of a wish.

        `first` is the first pod set of each class. The same objects while nothing has changed.
        """
        made = self._made
        if made is None or made[0] is not classes or made[1] is not first:
            made = self._made = classes, first, self._tables(classes, first)
        return made[2]

    def _tables(self, classes: Smalls, first: Smalls) -> Tables:
        names = list(self._users)
        users = order(self._gangs.user, len(names))
        klass = classes[self.wishes]
        gangs = renewed(self._gangs, {"klass": klass, "user": users.places[self._gangs.user]})
        of = np.repeat(np.arange(len(self.names), dtype=np.int32), self._pods)
        held = self._held
        running = Running(
            gang=of, pod_set=first[klass[of]] + held.set, node=held.node, devices=held.devices,
            slot=held.slot, rank=held.rank, leaving=held.leaving,
        )  # fmt: skip
        return gangs, running, tuple(names[n] for n in users.found.tolist())

    def _table(self, entries: Sequence[Entry]) -> Gangs:
        for entry in entries:
            self._users.setdefault(entry.row.user, len(self._users))
        numbers = self.numbers
        return gangs_table(
            [entry.row for entry in entries], [0] * len(entries), numbers.queues, numbers.pools,
            self._users, numbers.levels,
        )  # fmt: skip

    def _places(self, pods: Sequence[RunningRow]) -> _Pods:
        nodes = self.numbers.nodes
        return _Pods(
            set=smalls(pod.pod_set for pod in pods),
            node=smalls(nodes[pod.node] for pod in pods),
            devices=ints(pod.devices for pod in pods),
            slot=smalls(pod.slot for pod in pods),
            rank=smalls(pod.rank for pod in pods),
            leaving=bools(pod.leaving for pod in pods),
        )


class _Pods(NamedTuple):
    """Columns of `Running`; `set` counts within the gang's ask."""

    set: Smalls
    node: Smalls
    devices: Ints
    slot: Smalls
    rank: Smalls
    leaving: Bools


def order(values: Ints | Smalls, size: int) -> Order:
    """Numbers below `size` by where they appear first; those that do not have no place (-1)."""
    at = np.full(size, len(values), dtype=np.int64)
    at[values[::-1]] = np.arange(len(values))[::-1]
    there = np.flatnonzero(at < len(values))
    found = there[np.argsort(at[there])].astype(np.int32)
    places = np.full(size, -1, dtype=np.int32)
    places[found] = np.arange(len(found), dtype=np.int32)
    return Order(found, places)


class _Cut:
    """Takes rows out of columns and puts others in."""

    def __init__(self, keep: NDArray[np.bool_], spots: Sequence[int] | Ints, size: int) -> None:
        self.spots = np.array(spots, dtype=np.int64)
        self._kept = np.flatnonzero(keep)
        rest = np.ones(size, dtype=np.bool_)
        rest[self.spots] = False
        self._rest = np.flatnonzero(rest)
        self._size = size

    def __call__(self, old: NDArray[S], new: NDArray[S]) -> NDArray[S]:
        made = np.empty(self._size, dtype=old.dtype)
        made[self._rest] = old[self._kept]
        made[self.spots] = new
        made.setflags(write=False)
        return made


_COLUMNS = tuple(name for name in Gangs.__dataclass_fields__ if name != "names")
