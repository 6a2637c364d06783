"""Plays a cluster forward by the same `cycle` that runs it: what-if and replay.

Time goes from event to event: somebody comes, ends, has left, or has waited for as long as a rule
asks. At each the cycle is asked and what it decides happens. Deterministic: the same scenario gives
the same story, to the last digit.

A gang needs `work` seconds at its full size and makes progress in proportion to its pods. One that
is told to go leaves at its deadline and starts again from its beginning, or, if a restart has a
cost (it writes checkpoints), from where it was plus that cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.account import awaiting
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.decisions import Decisions, Placed, Policy
from athanor.features.scheduling.core.memory import Memo, task_mix
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Gangs,
    GangState,
    Lost,
    Running,
    Snapshot,
)
from athanor.features.scheduling.core.start import spill_times
from athanor.features.scheduling.core.table import Floats, Ints, frozen, smalls

POINTS = 2000
"""About so many points of a story are kept."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A cluster and all that will ever be submitted: gangs that come later have `created` > start.

    `work` are the seconds each gang still needs from `start` on (running ones: what is left).
    """

    snapshot: Snapshot
    policy: Policy
    start: float
    work: Floats


class Point(NamedTuple):
    """How things stand at a time. `used` and `frag` are parts of all devices (or cores)."""

    time: float
    used: float
    frag: float
    waiting: int
    running: int
    shares: tuple[float, ...]


class Fate(NamedTuple):
    """What became of a gang; NaN for what did not happen."""

    gang: int
    created: float
    started: float
    ended: float
    evictions: int


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened: every gang's fate, and how things stood over time.

    `stuck` gangs wait when nothing happens any more.
    """

    start: float
    end: float
    fates: tuple[Fate, ...]
    points: tuple[Point, ...]
    used_seconds: float
    capacity: float
    cycles: int
    stuck: int


def play(scenario: Scenario, until: float = math.inf) -> Story:
    """The story until `until`, or until nobody is left who could start. Raises BrokenLedger."""
    run = _Run(scenario)
    run.go(until)
    return run.story()


def measured(s: Snapshot) -> list[int]:
    """The resources whose use is told: all devices, else cores."""
    devices = [s.resources.index(kind) for kind in s.device_kinds]
    return devices or [s.resources.index("cpu")] * ("cpu" in s.resources)


class _Gang:
    """One gang that holds its place: pods as rows of Running, and since when at which speed."""

    def __init__(self, pods: list[tuple[int, int, int, int]], full: int, since: float) -> None:
        self.pods, self.full, self.since = pods, max(full, 1), since
        self.leaves = math.inf

    @property
    def speed(self) -> float:
        return min(len(self.pods) / self.full, 1.0)


class _Run:
    def __init__(self, scenario: Scenario) -> None:
        s = scenario.snapshot
        self.ground, self.policy, self.now = s, scenario.policy, scenario.start
        self.start = scenario.start
        self.left = scenario.work.astype(np.float64).copy()
        self.columns = {f.name: getattr(s.gangs, f.name).copy()
                        for f in fields(Gangs) if f.name != "names"}  # fmt: skip
        self.columns["state"][self.columns["state"] == GangState.LEAVING] = GangState.RUNNING
        self.held: dict[int, _Gang] = self._running()
        order = np.argsort(s.gangs.created, kind="stable")
        later = [g for g in order.tolist() if s.gangs.created[g] > self.now and g not in self.held]
        self.coming = later[::-1]
        self.waiting = sorted(set(range(len(s.gangs.names))) - set(self.held) - set(later))
        self.began: dict[int, float] = dict.fromkeys(self.held, self.now)
        self.ended: dict[int, float] = {}
        self.evictions: dict[int, int] = {}
        self.queues = s.queues
        self.memo: Memo | None = None
        self.points: list[Point] = []
        self.cycles, self.busy, self.again = 0, 0.0, math.inf
        self.devices = [s.resources.index(k) for k in s.device_kinds]
        self.measured = measured(s)
        capacity = (s.nodes.capacity - s.nodes.foreign)[:, self.measured]
        self.capacity = float(capacity.sum()) or 1.0
        self.using = 0.0

    def go(self, until: float) -> None:
        """From event to event."""
        self._decide()
        while True:
            then = self._next()
            if math.isinf(then):
                return
            self._pass(min(then, until))
            if then >= until:
                return
            self._decide()

    def _next(self) -> float:
        soonest = self.again
        for g, held in self.held.items():
            end = held.since + self.left[g] / held.speed if held.speed else math.inf
            soonest = min(soonest, end, held.leaves)
        if self.coming:
            soonest = min(soonest, float(self.ground.gangs.created[self.coming[-1]]))
        return soonest

    def _pass(self, then: float) -> None:
        self.busy += self.using * (then - self.now)
        self.now = then
        for g in sorted(self.held):
            held = self.held[g]
            done = (then - held.since) * held.speed
            if self.left[g] - done <= 1e-6:
                self.ended[g] = then
                del self.held[g]
            elif held.leaves <= then:
                self._back(g, held, done)
        while self.coming and self.ground.gangs.created[self.coming[-1]] <= then:
            self.waiting.append(self.coming.pop())

    def _back(self, g: int, held: _Gang, done: float) -> None:
        """Out of its place and into the line again."""
        restart = float(self.columns["restart_cost"][g])
        if restart > 0:
            self.left[g] += restart - done
        del self.held[g]
        self.columns["attained"][g] += self.now - self.columns["started"][g]
        self.columns["state"][g] = GangState.WAITING
        self.columns["pool"][g] = UNSET
        for name in ("started", "expected_end"):
            self.columns[name][g] = math.nan
        self.waiting.append(g)

    def _decide(self) -> None:
        for _ in range(100):
            rows = np.array(sorted([*self.waiting, *self.held]), dtype=np.int64)
            view = self._view(rows)
            decisions, self.memo = cycle(view, self.policy, self.now, self.memo)
            self.cycles += 1
            at_once = self._carry_out(rows, decisions)
            self.columns["awaits"][rows] = awaiting(decisions)
            self._remember(decisions)
            if not at_once:
                break
        self.again = self._moment()
        self._note(decisions)

    def _moment(self) -> float:
        """The next time at which time alone may let somebody pass.

        A gang has waited long enough for a promise, or for its next pool; or what runs has lost
        its protection.
        """
        queues, gangs = self.ground.queues, self.ground.gangs
        waits = [self.policy.reserve_after]
        waits += spill_times(queues).tolist()
        since = gangs.created[self.waiting] if self.waiting else np.zeros(0)
        found = [since + wait for wait in waits]
        if self.waiting and self.held and queues.min_runtime.any():
            running = list(self.held)
            safe = queues.min_runtime[gangs.queue[running]]
            found.append(self.columns["started"][running] + safe)
        times = np.concatenate(found)
        return float(times[times > self.now + 1e-6].min(initial=math.inf))

    def _carry_out(self, rows: Ints, decisions: Decisions) -> bool:
        """Make what was decided true; whether the cycle has to be asked again at once."""
        at_once = False
        for one in decisions.admitted:
            g = int(rows[one.gang])
            self.waiting.remove(g)
            self.held[g] = _Gang(_pods(one.placed), self._full(g), self.now)
            self.columns["state"][g] = GangState.RUNNING
            self.columns["pool"][g] = one.pool
            self.columns["started"][g] = self.now
            self.columns["expected_end"][g] = one.expected_end
            self.began.setdefault(g, self.now)
        for gone in decisions.evicted:
            g = int(rows[gone.gang])
            self.held[g].leaves = max(gone.deadline, self.now)
            self.columns["state"][g] = GangState.LEAVING
            self.evictions[g] = self.evictions.get(g, 0) + 1
            at_once = at_once or gone.deadline <= self.now
        for less in decisions.shrunk:
            g = int(rows[less.gang])
            self._resize(g, self._first(g, less.counts))
            at_once = True
        for move in decisions.moved:
            self._resize(int(rows[move.gang]), _pods(move.placed))
        if at_once:
            self._pass(self.now)
        return at_once

    def _resize(self, g: int, pods: list[tuple[int, int, int, int]]) -> None:
        held = self.held[g]
        self.left[g] -= (self.now - held.since) * held.speed
        held.pods, held.since = pods, self.now
        self.columns["resized"][g] = self.now

    def _first(self, g: int, counts: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
        first = int(self.ground.classes.first[self.columns["klass"][g]])
        kept = {first + i: n for i, n in enumerate(counts)}
        pods = []
        for pod in self.held[g].pods:
            if kept[pod[0]] > 0:
                kept[pod[0]] -= 1
                pods.append(pod)
        return pods

    def _remember(self, decisions: Decisions) -> None:
        self.queues = replace(
            self.queues,
            decayed=decisions.decayed,
            decayed_at=np.full(len(self.queues.names), self.now),
        )

    def _view(self, rows: Ints) -> Snapshot:
        """The cluster as the scheduler sees it now."""
        names = tuple(self.ground.gangs.names[g] for g in rows.tolist())
        columns = {name: values[rows] for name, values in self.columns.items()}
        gangs = Gangs(names=names, **columns)
        at = {g: i for i, g in enumerate(rows.tolist())}
        pods = [(at[g], *pod) for g in sorted(self.held) for pod in self.held[g].pods]
        return replace(self.ground, gangs=gangs, running=_running(pods), queues=self.queues,
                       lost=NOBODY)  # fmt: skip

    def _running(self) -> dict[int, _Gang]:
        running, found = self.ground.running, {}
        for g in np.unique(running.gang).tolist():
            rows = np.flatnonzero(running.gang == g)
            pods = [
                (int(running.pod_set[a]), int(running.node[a]), int(running.devices[a]),
                 int(running.slot[a]))
                for a in rows.tolist()
            ]  # fmt: skip
            found[g] = _Gang(pods, self._full(g), self.now)
        return found

    def _full(self, g: int) -> int:
        classes, klass = self.ground.classes, int(self.columns["klass"][g])
        rows = slice(int(classes.first[klass]), int(classes.first[klass + 1]))
        return int(self.ground.pod_sets.count[rows].sum())

    def _note(self, decisions: Decisions) -> None:
        memo = self.memo
        used = float(decisions.held_in_pool[:, self.measured].sum())
        self.using = used
        lost = 0.0
        if memo is not None and self.devices:
            lost = _fragmented(self.ground, memo, self.devices) / self.capacity
        point = Point(
            self.now, used / self.capacity, lost, len(self.waiting), len(self.held),
            tuple(float(x) for x in decisions.share),
        )  # fmt: skip
        if self.points and self.points[-1].time == self.now:
            self.points.pop()
        self.points.append(point)

    def story(self) -> Story:
        """What happened."""
        created = self.ground.gangs.created
        fates = tuple(
            Fate(
                g, float(created[g]), self.began.get(g, math.nan), self.ended.get(g, math.nan),
                self.evictions.get(g, 0),
            )
            for g in range(len(created))
        )  # fmt: skip
        step = max(len(self.points) // POINTS, 1)
        points = tuple(self.points[::step]) + (tuple(self.points[-1:]) if step > 1 else ())
        return Story(
            start=self.start, end=self.now, fates=fates, points=points,
            used_seconds=self.busy, capacity=self.capacity, cycles=self.cycles,
            stuck=len(self.waiting),
        )  # fmt: skip


NOBODY = Lost(gang=smalls(()), pod_set=smalls(()), rank=smalls(()))
"""Nodes do not fail here."""


def _pods(placed: tuple[Placed, ...]) -> list[tuple[int, int, int, int]]:
    return [
        (one.pod_set, node, devices, slot)
        for one in placed
        for node, devices, slot in zip(
            one.nodes.tolist(), one.devices.tolist(), one.slots.tolist(), strict=True
        )
    ]


def _running(pods: Sequence[tuple[int, ...]]) -> Running:
    known = dict(zip(("gang", "pod_set", "node", "devices", "slot"), zip(*pods, strict=True),
                     strict=False))  # fmt: skip
    columns = {}
    for f in fields(Running):
        values = known.get(f.name, (0,) * len(pods))
        columns[f.name] = frozen(np.array(values, dtype=f.metadata["dtype"]), f.metadata["dtype"])
    return Running(**columns)


def _fragmented(s: Snapshot, memo: Memo, devices: Sequence[int]) -> float:
    """Idle device capacity that a task drawn from the present mix could not use, on average."""
    ledger, weights = memo.ledger, task_mix(s)
    idle = np.maximum(ledger.free[:, devices], 0).sum(axis=1)
    lost, total = 0.0, 0.0
    for k, weight in enumerate(weights):
        asked = int(s.shapes.request[k, devices].sum())
        if not weight or not asked:
            continue
        shape = memo.shapes[k]
        room = sum(ledger.view(shape, p).room for p in range(len(s.pools.names)))
        lost += weight * float((idle - np.minimum(room * asked, idle)).sum())
        total += weight
    return lost / total if total else 0.0
