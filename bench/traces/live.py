"""Drives the production cycle over a replayed trace: jobs become gangs, decisions become moves.

A job of up to a node's GPUs is one pod, a larger one whole nodes and one pod with the rest. Told
to go, a job leaves at once (what a restart costs it is the experiment's affair), and the cycle is
asked again at the same moment until it tells nobody to go any more.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.account import awaiting
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.history import History, Paths
from athanor.features.scheduling.core.lifetimes import DECLARED, TOGETHER, kinds
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Admit,
    Decisions,
    Gangs,
    GangState,
    Lifetimes,
    Policy,
    Running,
    Snapshot,
)
from athanor.features.scheduling.core.table import Floats, Ints, smalls
from bench.traces.replay import BrokenRule, Cluster, Decision, Job

GPU = "nvidia.com/gpu"
POOL = "gpus"
MOST_ROUNDS = 20


class Pod(NamedTuple):
    """Where one pod of a job runs: row of PodSets, node, mask of devices."""

    pod_set: int
    node: int
    devices: int


def ask(gpus: int, per_pod: int) -> r.AskRow:
    """What a job of so many GPUs asks for."""
    whole, rest = divmod(gpus, per_pod)
    sizes = [(whole, per_pod)] * bool(whole) + [(1, rest)] * bool(rest)
    return r.AskRow(
        tuple(
            r.PodSetRow(f"set{i}", r.ShapeRow(kind=GPU, devices=size), pods)
            for i, (pods, size) in enumerate(sizes)
        )
    )


def series_of(jobs: Sequence[Job]) -> dict[int, int]:
    """The number of each job's series: jobs of a group and size that came shortly after another."""
    last: dict[tuple[str, int], float] = {}
    number: dict[tuple[str, int], int] = {}
    found: dict[int, int] = {}
    for job in sorted(jobs, key=lambda job: (job.arrival, job.number)):
        key = job.group, job.gpus
        if job.arrival - last.get(key, -math.inf) > TOGETHER:
            number[key] = number.get(key, 0) + 1
        last[key] = job.arrival
        found[job.number] = number[key]
    return found


class Production:
    """`replay.Policy` by the shipped cycle. Jobs are numbered 0 … n - 1.

    `durations`: the cycle may see how much of each job is left.
    """

    def __init__(
        self, jobs: Sequence[Job], cluster: Cluster, queues: Sequence[r.QueueRow], policy: Policy,
        *, durations: bool = False,
    ) -> None:  # fmt: skip
        self.jobs = sorted(jobs, key=lambda job: job.number)
        if [job.number for job in self.jobs] != list(range(len(self.jobs))):
            raise BrokenRule("jobs are not numbered from 0 on")
        self.policy = policy
        self.memo: Memo | None = None
        self.pods: dict[int, list[Pod]] = {}
        self.rows: Ints = np.zeros((4, 0), dtype=np.int64)  # the same: job, then as in Pod
        self.names = [str(number) for number in range(len(self.jobs))]
        self.durations = durations
        self.history = History()
        self.numbered = Paths()
        self.runs = self.history.runs
        self.alive: set[int] = set()
        series = series_of(self.jobs)
        several = len(queues) > 1
        self.paths = [
            kinds(
                not math.isnan(job.declared), job.gpus, queue=job.group if several else "",
                name=job.kind, series=series[job.number],
            )
            for job in self.jobs
        ]  # fmt: skip
        self.numbers = smalls(self.numbered.number(path) for path in self.paths)
        self.cycles = 0
        self.evictions = 0
        self.watch: Callable[[Snapshot, Decisions], None] = lambda seen, decisions: None
        asks = {g: ask(g, cluster.per_node) for g in sorted({job.gpus for job in self.jobs})}
        numbers = {g: i for i, g in enumerate(asks)}
        devices = (r.DeviceRow(GPU),) * cluster.per_node
        nodes = [r.NodeRow(f"n{n:03}", POOL, {}, devices=devices) for n in range(len(cluster.free))]
        samples = [r.GangRow(str(g), queues[0].name, one) for g, one in asks.items()]
        self.ground = build(r.Rows([r.PoolRow(POOL)], nodes, queues, samples, resources=(GPU,)))
        self.past = self.ground.queues.decayed, self.ground.queues.decayed_at
        names = {name: q for q, name in enumerate(self.ground.queues.names)}
        size = len(self.jobs)
        self.column: dict[str, np.ndarray] = {  # every column of Gangs but names, for all jobs
            f.name: np.repeat(getattr(self.ground.gangs, f.name)[:1], size)
            for f in dataclasses.fields(Gangs)
            if f.name != "names"
        }
        self.column["klass"][:] = [numbers[job.gpus] for job in self.jobs]
        self.column["created"][:] = [job.arrival for job in self.jobs]
        self.column["restart_cost"][:] = [job.overhead for job in self.jobs]
        self.column["grace"][:] = 0.0
        self.column["saved"][:] = math.inf  # nothing but a restart is lost
        self.column["estimate"][:] = [job.declared for job in self.jobs]
        if len(queues) > 1:
            self.column["queue"][:] = [names[job.group] for job in self.jobs]

    def snapshot(self, active: Ints, now: float) -> Snapshot:
        """The cluster with these jobs (numbers in ascending order)."""
        here = {name: values[active] for name, values in self.column.items()}
        job, pod_set, node, devices = self.rows
        size = len(job)
        running = Running(
            gang=np.searchsorted(active, job).astype(np.int32),
            pod_set=pod_set.astype(np.int32),
            node=node.astype(np.int32),
            devices=devices,
            slot=np.full(size, UNSET, dtype=np.int32),
            rank=np.full(size, UNSET, dtype=np.int32),
            leaving=np.zeros(size, dtype=np.bool_),
        )
        names = tuple(map(self.names.__getitem__, active.tolist()))
        if not self.policy.timeshare:
            used, at = self.past
            plain = dataclasses.replace(
                self.ground, gangs=Gangs(names=names, **here), running=running,
                queues=dataclasses.replace(self.ground.queues, decayed=used, decayed_at=at),
            )  # fmt: skip
            return self.history.mark(plain, self.numbers[active], self.numbered, now)
        paths = [self.paths[number] for number in active.tolist()]
        ends, here["lifetime"] = self.runs.chances(paths, self._so_far(active))
        return dataclasses.replace(
            self.ground, gangs=Gangs(names=names, **here), running=running,
            lifetimes=Lifetimes(ends=ends),
        )  # fmt: skip

    def _so_far(self, numbers: Ints) -> Floats:
        """How long jobs have run, in units of what they declared."""
        jobs = [self.jobs[number] for number in numbers.tolist()]
        ran = np.array([job.service for job in jobs], dtype=np.float64)
        said = np.array([job.declared for job in jobs], dtype=np.float64)
        return np.where(np.isnan(said), ran, ran * DECLARED / said)

    def _known(self, active: list[Job], now: float) -> None:
        """With durations the jobs show what is left of them."""
        for job in active if self.durations else ():
            self.column["remaining"][job.number] = job.work - job.done
            self.column["remaining_at"][job.number] = now

    def decide(self, now: float, active: list[Job], cluster: Cluster) -> Decision:
        """Ask the cycle until it has nobody leave; what it says is what happens."""
        numbers = np.array(sorted(job.number for job in active), dtype=np.int64)
        alive = set(numbers.tolist())
        for number in [n for n in self.alive if n not in alive]:
            self.runs.ran(self.paths[number], float(self._so_far(np.array([number]))[0]))
            if number in self.pods:
                self._forget(number)
        self.alive = alive
        if not self.policy.timeshare and len(alive) == len(self.pods):
            return Decision()  # somebody ended, nobody waits
        self._known(active, now)
        was = set(self.pods)
        decisions: Decisions | None = None
        moved: set[int] = set()
        for _ in range(MOST_ROUNDS):
            seen = self.snapshot(numbers, now)
            decisions, self.memo = cycle(seen, self.policy, now, self.memo)
            self.watch(seen, decisions)
            self.cycles += 1
            self.past = decisions.decayed, np.full(len(decisions.decayed), now)
            self.column["awaits"][numbers] = awaiting(decisions)
            gone = [int(numbers[one.gang]) for one in decisions.evicted]
            for one in decisions.admitted:
                number = int(numbers[one.gang])
                moved.add(number)
                self._place(number, one, now)
            for number in gone:
                self._forget(number)
            self.evictions += len(gone)
            if not gone:
                break
        else:
            raise BrokenRule(f"evictions do not end at {now}")
        stop = tuple(n for n in was if n not in self.pods or n in moved)
        start = {n: self._nodes(n) for n in moved if n in self.pods}
        waits = len(numbers) > len(self.pods)
        asked = waits and self.policy.timeshare and not self.durations
        return Decision(stop, start, now + self.policy.round if asked else math.inf)

    def _place(self, number: int, one: Admit, now: float) -> None:
        self.pods[number] = [
            Pod(placed.pod_set, node, devices)
            for placed in one.placed
            for node, devices in zip(placed.nodes.tolist(), placed.devices.tolist(), strict=True)
        ]
        rows = np.array([(number, *pod) for pod in self.pods[number]], dtype=np.int64).T
        at = np.searchsorted(self.rows[0], number)
        self.rows = np.insert(self.rows, [at] * rows.shape[1], rows, axis=1)
        self.column["state"][number] = GangState.RUNNING
        self.column["pool"][number] = one.pool
        self.column["started"][number] = now
        self.column["expected_end"][number] = one.expected_end

    def _forget(self, number: int) -> None:
        del self.pods[number]
        self.rows = self.rows[:, self.rows[0] != number]
        self.column["attained"][number] = self.jobs[number].service
        self.column["state"][number] = GangState.WAITING
        self.column["pool"][number] = UNSET
        for name in ("started", "expected_end"):
            self.column[name][number] = math.nan

    def _nodes(self, number: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for pod in self.pods[number]:
            found[pod.node] = found.get(pod.node, 0) + pod.devices.bit_count()
        return found
