"""Replays a trace of gang jobs, event by event, under any policy.

A policy says at each event which jobs run from now on; the engine keeps the time, the progress and
the account of devices, and refuses a policy that breaks a rule. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol


class BrokenRule(Exception):
    """The policy asked for what the experiment does not allow."""


@dataclass(slots=True)
class Job:
    """One job of a trace, and how it fares. `work`: seconds of progress it needs in all.

    `debt`: seconds that pass before progress is made again (a start's overhead).
    """

    number: int
    gpus: int
    arrival: float
    work: float
    overhead: float = 0.0
    group: str = ""
    kind: str = ""
    declared: float = math.nan
    done: float = 0.0
    service: float = 0.0
    debt: float = 0.0
    first_start: float = math.nan
    last_start: float = math.nan
    end: float = math.nan
    starts: int = 0
    nodes: dict[int, int] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it holds devices."""
        return bool(self.nodes)

    def finish_at(self, now: float) -> float:
        """When it ends if nothing changes."""
        return now + self.debt + (self.work - self.done)


class Policy(Protocol):
    """Decides at each event."""

    def decide(self, now: float, active: list[Job], cluster: Cluster) -> Decision:
        """Which waiting jobs start where, which running ones stop, and when to be asked again."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`stop` first, then `start`: job number → {node: devices}. `again`: ask at this time too."""

    stop: tuple[int, ...] = ()
    start: dict[int, dict[int, int]] = field(default_factory=dict)
    again: float = math.inf


class Cluster:
    """Nodes of equal devices."""

    def __init__(self, nodes: int, per_node: int) -> None:
        self.per_node = per_node
        self.free = [per_node] * nodes

    def consolidated(self, gpus: int, free: list[int] | None = None) -> dict[int, int] | None:
        """Best fit on one node, or whole empty nodes plus one with the rest; None: no room."""
        free = self.free if free is None else free
        whole, rest = divmod(gpus, self.per_node)
        taken: dict[int, int] = {}
        if whole:
            empty = [n for n, f in enumerate(free) if f == self.per_node][:whole]
            if len(empty) < whole:
                return None
            taken = dict.fromkeys(empty, self.per_node)
        if rest:
            fits = [(f, n) for n, f in enumerate(free) if f >= rest and n not in taken]
            if not fits:
                return None
            taken[min(fits)[1]] = rest
        return taken


@dataclass(frozen=True, slots=True)
class Rules:
    """What an experiment charges: `every_event` takes each running job's overhead at every event
    (Muri), else a start does; `first_free`: the first start costs nothing; `round_seconds`:
    decisions only at multiples of it (0: at every event)."""

    every_event: bool = False
    first_free: bool = True
    round_seconds: float = 0.0


class Replay:
    """One run of a trace."""

    def __init__(self, jobs: Iterable[Job], cluster: Cluster, policy: Policy, rules: Rules) -> None:
        self.jobs = sorted(jobs, key=lambda j: (j.arrival, j.number))
        self.by_number = {j.number: j for j in self.jobs}
        self.cluster = cluster
        self.policy = policy
        self.rules = rules
        self.now = 0.0
        self.again = math.inf
        self.active: dict[int, Job] = {}
        self.running: dict[int, Job] = {}
        self.busy = 0.0
        self.events = 0

    def run(self, progress: Callable[[float, int], None] | None = None) -> None:
        """To the last end. Raises BrokenRule."""
        arrivals = iter(self.jobs)
        coming = next(arrivals, None)
        while coming is not None or self.active:
            ends = min((j.finish_at(self.now) for j in self.running.values()), default=math.inf)
            then = min(ends, coming.arrival if coming else math.inf, self.again)
            if math.isinf(then):
                raise BrokenRule(f"{len(self.active)} jobs wait at {self.now} and nothing runs")
            self._pass_time(then)
            if self.again <= then:
                self.again = math.inf
            while coming is not None and coming.arrival <= then:
                self.active[coming.number] = coming
                coming = next(arrivals, None)
            self._decide()
            if progress:
                progress(self.now, len(self.active))

    def _pass_time(self, then: float) -> None:
        elapsed = then - self.now
        for job in list(self.running.values()):
            lost = min(elapsed, job.debt)
            job.debt -= lost
            job.done += elapsed - lost
            job.service += elapsed
            self.busy += elapsed * job.gpus
            if job.done >= job.work - 1e-6:
                job.end = then
                self._release(job)
                del self.active[job.number]
            elif self.rules.every_event:
                job.debt = job.overhead
        self.now = then
        self.events += 1

    def _decide(self) -> None:
        step = self.rules.round_seconds
        if step and self.now % step > 1e-9:
            self.again = min(self.again, (self.now // step + 1) * step)
            return
        decision = self.policy.decide(self.now, list(self.active.values()), self.cluster)
        for number in decision.stop:
            self._release(self.active[number])
        for number, nodes in decision.start.items():
            self._start(self.active[number], nodes)
        self.again = self.now + step if step and self.active else decision.again

    def _start(self, job: Job, nodes: dict[int, int]) -> None:
        if job.running or sum(nodes.values()) != job.gpus:
            raise BrokenRule(f"job {job.number} cannot start on {nodes}")
        for node, count in nodes.items():
            self.cluster.free[node] -= count
            if self.cluster.free[node] < 0:
                raise BrokenRule(f"node {node} has no {count} free devices for job {job.number}")
        job.nodes = nodes
        self.running[job.number] = job
        free = self.rules.first_free and not job.starts
        job.debt = 0.0 if free else job.overhead
        job.starts += 1
        job.last_start = self.now
        if math.isnan(job.first_start):
            job.first_start = self.now

    def _release(self, job: Job) -> None:
        for node, count in job.nodes.items():
            self.cluster.free[node] += count
        job.nodes = {}
        del self.running[job.number]


def mean(values: Iterable[float]) -> float:
    """The mean, nan for nothing."""
    taken = list(values)
    return sum(taken) / len(taken) if taken else math.nan


@dataclass(frozen=True, slots=True)
class InOrder:
    """A control: run jobs in the order of a key, with or without head-of-line blocking.

    `preempt`: at each event everything is decided anew, as if nothing ran yet.
    """

    key: Callable[[Job], tuple[float, ...]]
    backfill: bool = False
    preempt: bool = False

    def decide(self, now: float, active: list[Job], cluster: Cluster) -> Decision:
        """Fill the cluster in order."""
        free = list(cluster.free)
        if self.preempt:
            free = [cluster.per_node] * len(free)
        start: dict[int, dict[int, int]] = {}
        keep: set[int] = set()
        for job in sorted(active, key=lambda j: (*self.key(j), j.number)):
            if job.running and not self.preempt:
                continue
            if self.preempt and job.running and all(free[n] >= c for n, c in job.nodes.items()):
                nodes = job.nodes
                keep.add(job.number)
            else:
                found = cluster.consolidated(job.gpus, free)
                if found is None:
                    if self.backfill or self.preempt:
                        continue
                    break
                nodes = start[job.number] = found
            for node, count in nodes.items():
                free[node] -= count
        stop = tuple(
            j.number for j in active if j.running and j.number not in keep and self.preempt
        )
        return Decision(stop, start)
