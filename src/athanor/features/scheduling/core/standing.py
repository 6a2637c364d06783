"""What runs, found again from cycle to cycle: only gangs that are new or others are read.

Gangs are the same when their names, places and all that their quota is counted by are; numbers of
rows may differ. What a former cycle found is speed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from athanor.features.scheduling.core.snapshot import UNSET, Snapshot
from athanor.features.scheduling.core.spots import Spot, Spots
from athanor.features.scheduling.core.table import Ints, Smalls

Kind = tuple[object, ...]
"""All that decides what the pods of a gang class hold."""


Amounts = Callable[[int, tuple[int, ...]], Ints]
"""What so many pods of each set of a class hold together."""


class Held(NamedTuple):
    """What a running gang holds: pool, pods a set with their places, and the amounts."""

    pool: int
    counts: tuple[int, ...]
    spots: Spots
    amounts: Ints


class Counted(NamedTuple):
    """How a gang counts in the quota tree."""

    queue: int
    user: str
    preemptible: bool
    held: Held


class Standing(NamedTuple):
    """All running gangs of a snapshot in the order of their rows, and their pods in blocks."""

    names: tuple[str, ...]
    rows: Ints
    first: Ints
    size: Ints
    gangs: Mapping[str, NDArray[np.generic]]
    pods: Mapping[str, NDArray[np.generic]]
    users: tuple[str, ...]
    kinds: Sequence[Kind]
    held: NDArray[np.object_]
    tables: tuple[object, ...]

    def counted(self, i: int) -> Counted:
        """How the i-th running gang counts."""
        gangs = self.gangs
        return Counted(
            int(gangs["queue"][i]), self.users[int(gangs["user"][i])],
            bool(gangs["preemptible"][i]), self.held[i],
        )  # fmt: skip


class Found(NamedTuple):
    """What runs now, and how it differs from before: whom to take out of the count, whom to add."""

    standing: Standing
    gone: list[Counted]
    came: list[Counted]


def find(
    snapshot: Snapshot, kinds: Sequence[Kind], amounts: Amounts, before: Standing | None
) -> Found:
    """What runs in a snapshot; `kinds` are of its classes. Without `before` all is new."""
    tables = _tables(snapshot)
    if before is not None and all(a is b for a, b in zip(before.tables, tables, strict=True)):
        return Found(before, [], [])
    now = _blocks(snapshot, kinds)
    count = len(now.names)
    old = _same(before, now) if before is not None else np.full(count, -1, dtype=np.int64)
    kept, fresh = np.flatnonzero(old >= 0), np.flatnonzero(old < 0)
    held = np.empty(count, dtype=np.object_)
    if before is not None:
        held[kept] = before.held[old[kept]]
    for i in fresh.tolist():
        held[i] = _held(snapshot, now, i, amounts)
    standing = now._replace(held=held)
    gone: list[Counted] = []
    if before is not None:
        left = np.ones(len(before.names), dtype=np.bool_)
        left[old[kept]] = False
        gone = [before.counted(i) for i in np.flatnonzero(left).tolist()]
    return Found(standing, gone, [standing.counted(i) for i in fresh.tolist()])


def _tables(s: Snapshot) -> tuple[object, ...]:
    """All that what runs depends on."""
    return s.gangs, s.running, s.classes, s.pod_sets, s.shapes, s.users


def _blocks(snapshot: Snapshot, kinds: Sequence[Kind]) -> Standing:
    running, gangs = snapshot.running, snapshot.gangs
    of, sets, slot = running.gang, running.pod_set, running.slot
    node, devices = running.node, running.devices
    if len(of) and (np.diff(of) < 0).any():
        order = np.argsort(of, kind="stable")
        of, sets, slot = of[order], sets[order], slot[order]
        node, devices = node[order], devices[order]
    starts = np.flatnonzero(np.diff(of, prepend=-1)) if len(of) else np.zeros(0, dtype=np.int64)
    rows = of[starts].astype(np.int64)
    size = np.diff(starts, append=len(of))
    local = sets - snapshot.classes.first[gangs.klass[of]]
    return Standing(
        names=_some(gangs.names, rows),
        rows=rows,
        first=starts,
        size=size,
        gangs={n: getattr(gangs, n)[rows]
               for n in ("queue", "pool", "user", "preemptible", "klass")},
        pods={"set": local, "node": node, "devices": devices, "slot": slot},
        users=snapshot.users,
        kinds=kinds,
        held=np.empty(0, dtype=np.object_),
        tables=_tables(snapshot),
    )  # fmt: skip


def _same(before: Standing, now: Standing) -> Ints:
    """For each gang that runs now its number before, where nothing of it differs; else -1."""
    old = _numbers_of(before.names, now.names)
    at = np.flatnonzero(old >= 0)
    mine = old[at]
    same = before.size[mine] == now.size[at]
    for name in ("queue", "pool", "preemptible"):
        same &= before.gangs[name][mine] == now.gangs[name][at]
    users = _numbers(before.users, now.users)
    kinds = _numbers(before.kinds, now.kinds)
    same &= users[before.gangs["user"][mine]] == now.gangs["user"][at]
    same &= kinds[before.gangs["klass"][mine]] == now.gangs["klass"][at]
    at, mine = at[same], mine[same]
    pods_now = ranges(now.first[at], now.size[at])
    pods_old = ranges(before.first[mine], before.size[mine])
    differs = np.zeros(len(pods_now), dtype=np.bool_)
    for name, column in now.pods.items():
        differs |= column[pods_now] != before.pods[name][pods_old]
    others = np.bincount(np.repeat(np.arange(len(at)), now.size[at])[differs], minlength=len(at))
    found = np.full(len(old), -1, dtype=np.int64)
    found[at[others == 0]] = mine[others == 0]
    return found


def _some(names: Sequence[str], rows: Ints) -> tuple[str, ...]:
    """The names of some rows."""
    if len(rows) < 2:
        return tuple(names[row] for row in rows.tolist())
    found: tuple[str, ...] = itemgetter(*rows.tolist())(names)
    return found


def _numbers_of(before: Sequence[str], now: Sequence[str]) -> Ints:
    """For each name now its number before; -1 for a new one.

    Usually few came or went and the rest is in the same order: then nobody else is looked up.
    """
    old = np.full(len(now), -1, dtype=np.int64)
    was, there = dict.fromkeys(before), dict.fromkeys(now)
    stay = np.fromiter((name in there for name in before), np.bool_, len(before))
    kept = np.fromiter((name in was for name in now), np.bool_, len(now))
    mine, theirs = np.flatnonzero(kept), np.flatnonzero(stay)
    if _some(now, mine) == _some(before, theirs):
        old[mine] = theirs
        return old
    known = {name: i for i, name in enumerate(before)}
    return np.array([known.get(name, -1) for name in now], dtype=np.int64)


def _numbers(before: Sequence[object], now: Sequence[object]) -> Smalls:
    """What number each of these has now; -1 for what is not there any more."""
    if before is now or before == now:
        return np.arange(max(len(now), 1), dtype=np.int32)
    known = {value: i for i, value in enumerate(now)}
    return np.array([known.get(value, -1) for value in before] or [-1], dtype=np.int32)


def ranges(first: Ints, size: Ints) -> Ints:
    """The numbers in all blocks of so many from `first` on, one block after the other."""
    total = int(size.sum())
    before = np.cumsum(size) - size
    found: Ints = np.repeat(first - before, size) + np.arange(total)
    return found


def _held(snapshot: Snapshot, now: Standing, i: int, amounts: Amounts) -> Held:
    """What one gang holds."""
    part = slice(int(now.first[i]), int(now.first[i] + now.size[i]))
    klass, pods = int(now.gangs["klass"][i]), now.pods
    sets = int(snapshot.classes.first[klass + 1] - snapshot.classes.first[klass])
    spots: list[list[Spot]] = [[] for _ in range(sets)]
    for index, node, devices, slot in zip(
        pods["set"][part].tolist(), pods["node"][part].tolist(), pods["devices"][part].tolist(),
        pods["slot"][part].tolist(), strict=True,
    ):  # fmt: skip
        spots[index].append(Spot(node, devices, slot))
    placed = tuple(map(tuple, spots))
    counts = tuple(map(len, placed))
    pool = int(now.gangs["pool"][i])
    if pool == UNSET:
        pool = int(snapshot.nodes.pool[int(pods["node"][part.start])])
    return Held(pool, counts, placed, amounts(klass, counts))
