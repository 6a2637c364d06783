"""What the scheduler measures: how long each phase takes, what it decides, how the queues stand.

The clock is an argument; a registry of these is served by the process that runs the controllers.
"""

from __future__ import annotations

from collections.abc import Callable

from athanor.features.scheduling.budgets import Spent
from athanor.features.scheduling.core.snapshot import UNSET, Decisions, Snapshot
from athanor.kit.telemetry import Counter, Gauge, Histogram, Labels, Registry

Values = dict[Labels, float]
Latest = tuple[Snapshot, Decisions, dict[str, Spent]]


class Meters:
    """Metrics of one scheduler; `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._phase = ""
        self._since = 0.0
        self._spent: dict[str, float] = {}
        self._latest: Latest | None = None
        self.phases = Histogram(
            "athanor_scheduling_phase_seconds", "How long each phase of a cycle took", ("phase",)
        )
        self.decisions = Counter(
            "athanor_scheduling_decisions_total", "Gangs that were decided on", ("decision",)
        )
        self.cycles = Counter("athanor_scheduling_cycles_total", "Cycles of the scheduler")

    def registry(self) -> Registry:
        """All of it, for whoever serves metrics."""
        found = Registry()
        self.join(found)
        return found

    def join(self, registry: Registry) -> None:
        """Add these metrics to a registry."""
        for metric in (self.phases, self.decisions, self.cycles):
            registry.add(metric)
        for name, help_, labels, read in _GAUGES:
            registry.add(Gauge(name, help_, self._reader(read), labels))

    def _reader(self, read: Callable[[Latest], Values]) -> Callable[[], Values]:
        """Gauges are counted when somebody asks: cycles are many, questions few."""
        return lambda: read(self._latest) if self._latest is not None else {}

    def enter(self, phase: str) -> None:
        """From now on time belongs to this phase; to none when empty."""
        now = self._clock()
        if self._phase:
            self._spent[self._phase] = self._spent.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    def decided(self, s: Snapshot, made: Decisions, spent: dict[str, Spent]) -> None:
        """A cycle is over."""
        self.enter("")
        for phase, seconds in self._spent.items():
            self.phases.observe(seconds, (phase,))
        self._spent = {}
        self.cycles.add()
        for word, count in (
            ("admitted", len(made.admitted)), ("evicted", len(made.evicted)),
            ("shrunk", len(made.shrunk)), ("moved", len(made.moved)), ("promised", len(made.held)),
        ):  # fmt: skip
            if count:
                self.decisions.add((word,), count)
        self._latest = s, made, spent


def _waiting(latest: Latest) -> Values:
    s, made, _ = latest
    started = {one.gang for one in made.admitted}
    found: Values = {(name,): 0.0 for name in s.queues.names}
    for g in made.line.tolist():
        q = int(s.gangs.queue[g])
        if q != UNSET and g not in started:
            found[(s.queues.names[q],)] += 1.0
    return found


def _reasons(latest: Latest) -> Values:
    _, made, _ = latest
    found: Values = {}
    for index in made.reasons.tolist():
        if index != UNSET and made.whys[index]:
            key = (made.whys[index][0].code,)
            found[key] = found.get(key, 0.0) + 1.0
    return found


def _share(latest: Latest) -> Values:
    s, made, _ = latest
    return {(name,): float(made.share[q]) for q, name in enumerate(s.queues.names)}


def _used(latest: Latest) -> Values:
    s, made, _ = latest
    return {
        (queue, pool, resource): float(made.use[q, p, i])
        for q, queue in enumerate(s.queues.names)
        for p, pool in enumerate(s.pools.names)
        for i, resource in enumerate(s.resources)
        if made.use[q, p, i]
    }


def _budgets(latest: Latest) -> Values:
    return {(name,): one.hours for name, one in latest[2].items()}


_GAUGES: tuple[tuple[str, str, Labels, Callable[[Latest], Values]], ...] = (
    ("athanor_gangs_waiting", "Gangs in line, by queue", ("queue",), _waiting),
    (
        "athanor_gangs_waiting_by_reason", "Gangs in line, by their first reason", ("reason",),
        _reasons,
    ),
    ("athanor_queue_share", "Weighted dominant share of past and present use", ("queue",), _share),
    (
        "athanor_queue_used", "What a queue and those below it use, in the scheduler's units (CPU"
        " and devices in thousandths)", ("queue", "pool", "resource"), _used,
    ),
    ("athanor_queue_budget_spent_hours", "GPU-hours spent in the period", ("queue",), _budgets),
)  # fmt: skip
