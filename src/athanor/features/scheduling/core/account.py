"""Sums over what was decided, for those who tell of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from athanor.features.scheduling.core.snapshot import UNSET, Decisions, GangState, Snapshot
from athanor.features.scheduling.core.table import Bools, Ints, Smalls
from athanor.features.scheduling.core.why import NAMES, Code


def waiting(s: Snapshot, decisions: Decisions) -> list[int]:
    """Gangs that wait on after the decisions."""
    rows: list[int] = np.flatnonzero(_waiting(s, decisions)).tolist()
    return rows


def untold(s: Snapshot, decisions: Decisions, numbers: Sequence[int], told: Smalls) -> list[int]:
    """Gangs that wait and were told something else; `numbers` are those of the decisions' `whys`,
    0 stands for nothing."""
    news = np.array([*numbers, 0])[decisions.reasons] != told
    rows: list[int] = np.flatnonzero(_waiting(s, decisions) & news).tolist()
    return rows


def _waiting(s: Snapshot, decisions: Decisions) -> Bools:
    found: Bools = s.gangs.state == GangState.WAITING
    found[[one.gang for one in decisions.admitted]] = False
    return found


def awaiting(decisions: Decisions) -> Bools:
    """Whether others make room for a gang, by row."""
    code = NAMES[Code.WAITS_FOR_EVICTION]
    said = [bool(one) and one[0].code == code for one in decisions.whys]
    found: Bools = np.array([*said, False])[decisions.reasons]
    return found


def awaiting_first(decisions: Decisions, rows: Sequence[int]) -> list[int]:
    """These rows, those first for whom others make room: by their reasons the next cycle knows."""
    some = np.array(rows, dtype=np.int64)
    found: list[int] = some[np.argsort(~awaiting(decisions)[some], kind="stable")].tolist()
    return found


def in_pool(
    s: Snapshot, decisions: Decisions, p: int, closed: Collection[str] = ()
) -> tuple[int, list[int], list[int]]:
    """How many nodes a pool has, what they have, and what is free, by resource.

    More may be used than there is: a device plugin has gone, or others place pods there, too.
    Nothing is free on nodes that are `closed` to everybody now.
    """
    rows = np.flatnonzero(s.nodes.pool == p)
    capacity = s.nodes.capacity[rows].sum(axis=0)
    used = s.nodes.foreign[rows].sum(axis=0) + decisions.held_in_pool[p]
    left = capacity - used - _idle(s, [n for n in rows.tolist() if s.nodes.names[n] in closed]
                                   if closed else [])  # fmt: skip
    return len(rows), capacity.tolist(), np.maximum(left, 0).tolist()


def _idle(s: Snapshot, rows: Sequence[int]) -> Ints:
    """What nodes have beside what runs on them."""
    there = np.isin(s.running.node, np.array(rows, dtype=np.int64))
    shapes = s.pod_sets.shape[s.running.pod_set[there]]
    used = s.nodes.foreign[rows].sum(axis=0) + s.shapes.request[shapes].sum(axis=0)
    idle: Ints = s.nodes.capacity[rows].sum(axis=0) - used
    return idle


def lines_of(s: Snapshot, decisions: Decisions) -> tuple[list[list[int]], list[int]]:
    """The line of each queue without those admitted now, and how many of each do not wait."""
    count = len(s.queues.names)
    left = np.ones(len(s.gangs.names), dtype=np.bool_)
    left[[one.gang for one in decisions.admitted]] = False
    line = decisions.line[left[decisions.line]]
    line = line[s.gangs.queue[line] != UNSET]
    by_queue = line[np.argsort(s.gangs.queue[line], kind="stable")]
    size = np.bincount(s.gangs.queue[by_queue], minlength=count)
    parts = np.split(by_queue, np.cumsum(size)[:-1]) if count else []
    known = s.gangs.queue[s.gangs.queue != UNSET]
    running = np.bincount(known, minlength=count) - size
    return [part.tolist() for part in parts], running.tolist()


def longest_waits(s: Snapshot, decisions: Decisions) -> dict[tuple[int, str], float]:
    """By queue and first reason, the most seconds that a waiting gang has not run in its life."""
    waits = decisions.now - s.gangs.created - s.gangs.attained
    found: dict[tuple[int, str], float] = {}
    for g in np.flatnonzero((decisions.reasons != UNSET) & (s.gangs.queue != UNSET)).tolist():
        reasons = decisions.why(g)
        if reasons:
            key = int(s.gangs.queue[g]), reasons[0].code
            found[key] = max(found.get(key, 0.0), float(waits[g]))
    return found


def rights_of(s: Snapshot) -> dict[str, Ints]:
    """What queues may use as they say it themselves; UNSET where a queue sets no limit."""
    said = s.queues
    deserved = np.where(said.deserved == UNSET, said.guaranteed, said.deserved)
    return {"guaranteed": said.guaranteed, "deserved": deserved, "limit": said.limit}


def others(amounts: Ints, nothing: int) -> list[tuple[int, ...]]:
    """Where something else than `nothing` stands."""
    return [tuple(place) for place in np.argwhere(amounts != nothing).tolist()]
