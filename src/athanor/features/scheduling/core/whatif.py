"""What would let a gang start now, or sooner: changes of its own request, each planned again.

A change is proposed only if the same `cycle`, on a snapshot in which nothing but this gang was
changed, admits the gang (and pushes nobody out for it). Where none of a sort does, one by which the
gang is promised a clearly earlier start is looked for, in a cycle that promises everybody in line a
place (conservative backfill). Amounts are the smallest change that does: sizes are found by
bisection, then verified. Nothing of other gangs is changed or told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Classes,
    Decisions,
    GangState,
    PodSets,
    Policy,
    Shapes,
    Snapshot,
)
from athanor.features.scheduling.core.table import renewed, repeated, smalls

INF = float("inf")
MOST_POOLS = 8
MOST_QUEUES = 8
"""So many other pools and queues are tried."""
MOST_PROMISED = 50
"""In a longer line nobody is told what would let him start sooner: promises to all are dear."""
SOONER = 0.9
"""A start is earlier if the wait for it is at most this part of what it would be."""
LEAST_GAIN = 60.0


class Change(NamedTuple):
    """One change that lets the gang start earlier. `kind` is one of `KINDS`; `value` what to ask;
    `start` when it would (the time of the decisions: now)."""

    kind: str
    value: str
    text: str
    start: float


KINDS = (
    "FewerPods", "SmallerMinimum", "FewerDevices", "OtherPool", "SplitDomains", "ShorterLimit",
    "Preemptible", "OtherQueue",
)  # fmt: skip
"""All sorts of changes, in the order in which they are tried."""


class Asker:
    """Asks `cycle` about changed snapshots; the memo makes the second question cheaper."""

    def __init__(self, policy: Policy, memo: Memo | None = None) -> None:
        self.policy = policy
        self.memo = memo
        self.asked = 0

    def decide(self, snapshot: Snapshot, now: float) -> Decisions:
        """The decisions on a snapshot."""
        self.asked += 1
        decisions, self.memo = cycle(snapshot, self.policy, now, self.memo)
        return decisions

    def start(self, snapshot: Snapshot, gang: int, now: float) -> float:
        """When the gang would start without pushing anybody out: now, as promised, or never."""
        decisions = self.decide(snapshot, now)
        if any(one.gang == gang for one in decisions.admitted):
            return now
        made_way = [one.by for one in decisions.evicted] + [one.by for one in decisions.shrunk]
        if gang in made_way:
            return INF
        return next((hold.start for hold in decisions.held if hold.gang == gang), INF)

    def promising(self) -> Asker:
        """One by which everybody in line is promised a place."""
        return Asker(self.policy.with_(reserved=MOST_PROMISED, reserve_after=0.0))


def changes(
    snapshot: Snapshot, decisions: Decisions, gang: int, asker: Asker, queues: Sequence[int] = ()
) -> list[Change]:
    """Every sort of change that lets a waiting gang start now, else sooner, the smallest of each.

    `queues` are those it may also be submitted to.
    """
    if snapshot.gangs.state[gang] != GangState.WAITING or snapshot.gangs.refused[gang]:
        return []
    now = decisions.now
    if asker.start(snapshot, gang, now) <= now:
        return []  # it only waits for the next cycle
    found = _Ask(snapshot, gang, asker, decisions, now, "it would start now").all(queues)
    if len(decisions.line) <= MOST_PROMISED:
        promising = asker.promising()
        then = promising.start(snapshot, gang, now)
        if then < INF:
            latest = now + min(SOONER * (then - now), then - now - LEAST_GAIN)
            told = f"instead of {_span(then - now)}"
            ask = _Ask(snapshot, gang, promising, decisions, latest, told)
            kinds = {change.kind for change in found}
            found += [change for change in ask.all(queues) if change.kind not in kinds]
        asker.asked += promising.asked
    return sorted(found, key=lambda change: KINDS.index(change.kind))


def _span(seconds: float) -> str:
    """A time as people say it, in one unit."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class _Ask:
    """Looks for changes by which the gang starts at `latest`."""

    def __init__(
        self, s: Snapshot, gang: int, asker: Asker, decisions: Decisions, latest: float, told: str
    ) -> None:
        self.s, self.gang, self.asker, self.decisions = s, gang, asker, decisions
        self.now, self.latest, self.told = decisions.now, latest, told
        self.start = INF
        klass = int(s.gangs.klass[gang])
        self.rows = list(range(int(s.classes.first[klass]), int(s.classes.first[klass + 1])))
        self.pools = s.classes.pools[klass]
        self.counts = s.pod_sets.count[self.rows].tolist()
        self.least = s.pod_sets.least[self.rows].tolist()
        self.largest = max(range(len(self.rows)), key=lambda i: (self._size(i), -i))

    def _size(self, i: int) -> int:
        shape = int(self.s.pod_sets.shape[self.rows[i]])
        return int(self.s.shapes.devices[shape] or 1) * int(self.counts[i])

    def _name(self, i: int) -> str:
        return self.s.pod_sets.names[self.rows[i]]

    def all(self, queues: Sequence[int]) -> list[Change]:
        """One change of each sort that helps."""
        if self.latest < self.now:
            return []
        return [
            *self.fewer_pods(), *self.smaller_minimum(), *self.fewer_devices(),
            *self.other_pools(), *self.split(), *self.shorter(), *self.preemptible(),
            *self.other_queues(queues),
        ]  # fmt: skip

    def _starts(self, snapshot: Snapshot) -> bool:
        """Whether it starts in time; `start` is when, for the last one that did."""
        start = self.asker.start(snapshot, self.gang, self.now)
        if start > self.latest:
            return False
        self.start = start
        return True

    def _change(self, kind: str, value: str, text: str) -> Change:
        """The change that was found last."""
        if self.latest > self.now:
            when = f"in about {_span(self.start - self.now)}" if self.start > self.now else "now"
            return Change(kind, value, f"{text} it would start {when} {self.told}", self.start)
        return Change(kind, value, f"{text} {self.told}", self.start)

    def _sized(self, count: int, least: int) -> Snapshot:
        """With other numbers of pods in the largest set."""
        return _asking(self.s, self.gang, self.rows, self.pools, {
            self.largest: {"count": count, "least": least},
        })  # fmt: skip

    def fewer_pods(self) -> Iterator[Change]:
        i = self.largest
        if self.least[i] < self.counts[i] or self.counts[i] < 2:
            return
        best = _most(self.counts[i] - 1, lambda n: self._starts(self._sized(n, n)))
        if best:
            text = f"with {best} of its {self.counts[i]} pods of set {self._name(i)}"
            yield self._change("FewerPods", str(best), text)

    def smaller_minimum(self) -> Iterator[Change]:
        i = self.largest
        if self.counts[i] < 2:
            return
        best = _most(self.least[i] - 1, lambda n: self._starts(self._sized(self.counts[i], n)))
        if best:
            text = f"if {best} of its {self.counts[i]} pods of set {self._name(i)} may start alone"
            yield self._change("SmallerMinimum", str(best), text)

    def fewer_devices(self) -> Iterator[Change]:
        i, s = self.largest, self.s
        shape = int(s.pod_sets.shape[self.rows[i]])
        devices = int(s.shapes.devices[shape])
        if devices < 2 or s.shapes.slice_slots[shape]:
            return

        def starts(n: int) -> bool:
            return self._starts(_with_devices(s, self.gang, self.rows, self.pools, i, n))

        best = _most(devices - 1, starts)
        if best:
            kind = s.device_kinds[int(s.shapes.kind[shape])]
            text = f"with {best} {kind} a pod instead of {devices}"
            yield self._change("FewerDevices", str(best), text)

    def other_pools(self) -> Iterator[Change]:
        s = self.s
        used = [p for p in range(len(s.pools.names)) if p not in self.pools[:1]]
        for pool in used[:MOST_POOLS]:
            changed = _asking(s, self.gang, self.rows, (pool,), {})
            if self._starts(changed):
                name = s.pools.names[pool]
                yield self._change("OtherPool", name, f"in pool {name}")
                return

    def split(self) -> Iterator[Change]:
        sets = self.s.pod_sets
        bound = [i for i, row in enumerate(self.rows)
                 if sets.required[row] != UNSET or sets.slice_size[row]]  # fmt: skip
        if not bound:
            return
        loose = {
            i: {"required": UNSET, "preferred": int(sets.required[self.rows[i]]),
                "slice_size": 0, "slice_level": UNSET}
            for i in bound
        }  # fmt: skip
        if self._starts(_asking(self.s, self.gang, self.rows, self.pools, loose)):
            level = next(
                self._level(int(x))
                for i in bound
                for x in (sets.required[self.rows[i]], sets.slice_level[self.rows[i]])
                if x != UNSET
            )
            text = f"if its pods may be split over several of {level}"
            yield self._change("SplitDomains", level, text)

    def _level(self, number: int) -> str:
        return self.s.levels[number] if number < len(self.s.levels) else "its level"

    def shorter(self) -> Iterator[Change]:
        """Ending before the first promise to somebody else lets it pass."""
        said = float(self.s.gangs.estimate[self.gang])
        runtime = self.asker.policy.assumed_runtime if np.isnan(said) else said
        others = [h.start for h in self.decisions.held if h.gang != self.gang]
        ends = sorted({start for start in others if self.now < start < self.now + runtime})
        for end in reversed(ends):
            limit = int(end - self.now) // 60 * 60 or int(end - self.now)
            if limit < 1:
                continue
            estimate = self.s.gangs.estimate.copy()
            estimate[self.gang] = limit
            bound = self.s.gangs.limit.copy()
            bound[self.gang] = min(limit, bound[self.gang])
            if self._starts(_gangs(self.s, estimate=estimate, limit=bound)):
                text = f"with a limit of {limit} s on its running time"
                yield self._change("ShorterLimit", str(limit), text)
                return

    def preemptible(self) -> Iterator[Change]:
        if self.s.gangs.preemptible[self.gang]:
            return
        column = self.s.gangs.preemptible.copy()
        column[self.gang] = True
        if self._starts(_gangs(self.s, preemptible=column)):
            yield self._change("Preemptible", "true", "if it may be preempted")

    def other_queues(self, queues: Sequence[int]) -> Iterator[Change]:
        mine = int(self.s.gangs.queue[self.gang])
        for queue in [q for q in queues if q != mine][:MOST_QUEUES]:
            column = self.s.gangs.queue.copy()
            column[self.gang] = queue
            if self._starts(_gangs(self.s, queue=column)):
                name = self.s.queues.names[queue]
                yield self._change("OtherQueue", name, f"in queue {name}")
                return


def _most(high: int, works: Callable[[int], bool]) -> int:
    """The largest n in 1…high that works, by bisection; 0: none that was tried.

    It is the last that worked.
    """
    low, best = 1, 0
    while low <= high:
        middle = (low + high + 1) // 2
        if works(middle):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    return best


def _gangs(s: Snapshot, **columns: np.ndarray) -> Snapshot:
    return replace(s, gangs=renewed(s.gangs, columns))


def _asking(
    s: Snapshot, gang: int, rows: Sequence[int], pools: tuple[int, ...],
    edits: dict[int, dict[str, int]],
) -> Snapshot:  # fmt: skip
    """The snapshot with the gang in a class of its own: its sets with some columns changed."""
    sets = repeated(s.pod_sets, rows)
    first_new = len(s.pod_sets.names)
    columns = {name: getattr(sets, name).copy() for edit in edits.values() for name in edit}
    for i, edit in edits.items():
        for name, value in edit.items():
            columns[name][first_new + i] = value
    classes = Classes(
        first=smalls([*s.classes.first.tolist(), first_new + len(rows)]),
        pools=(*s.classes.pools, pools),
    )
    klass = s.gangs.klass.copy()
    klass[gang] = len(s.classes.pools)
    pod_sets: PodSets = replace(sets, **columns)
    gangs = replace(s.gangs, klass=klass)
    return replace(s, pod_sets=pod_sets, classes=classes, gangs=gangs)


def _with_devices(
    s: Snapshot, gang: int, rows: Sequence[int], pools: tuple[int, ...], i: int, devices: int
) -> Snapshot:
    """The snapshot with the gang's set `i` asking for so many devices a pod."""
    old = int(s.pod_sets.shape[rows[i]])
    shapes: Shapes = repeated(s.shapes, [old])
    new = len(s.shapes.kind)
    column = shapes.devices.copy()
    column[new] = devices
    request = shapes.request.copy()
    resource = s.resources.index(s.device_kinds[int(s.shapes.kind[old])])
    request[new, resource] = devices * int(s.shapes.milli[old])
    shapes = replace(shapes, devices=column, request=request)
    return _asking(replace(s, shapes=shapes), gang, rows, pools, {i: {"shape": new}})
