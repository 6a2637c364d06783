"""What the scheduler measures: how long each phase takes, what it decides, how the queues stand.

The clock is an argument; a registry of these is served by the process that runs the controllers.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable

from athanor.api.core import Node
from athanor.features.scheduling.budgets import Spent
from athanor.features.scheduling.core.account import in_pool, longest_waits, others, rights_of
from athanor.features.scheduling.core.snapshot import UNITS, UNSET, Decisions
from athanor.features.scheduling.core.table import Ints
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.report import is_physical
from athanor.kit.telemetry import Counter, Gauge, Histogram, Labels, Registry

Values = dict[Labels, float]
Latest = tuple[Observed, Decisions, dict[str, Spent]]


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
        self.whole = Histogram("athanor_scheduling_cycle_seconds", "How long a cycle took")
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
        for metric in (self.phases, self.whole, self.decisions, self.cycles):
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

    def decided(self, seen: Observed, made: Decisions, spent: dict[str, Spent]) -> None:
        """A cycle is over."""
        self.enter("")
        self.whole.observe(sum(self._spent.values()))
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
        self._latest = seen, made, spent

    def resign(self) -> None:
        """Somebody else decides from now on: how things stand is his to say."""
        self._latest = None


def _waiting(latest: Latest) -> Values:
    seen, made, _ = latest
    s = seen.snapshot
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


def _longest(latest: Latest) -> Values:
    seen, made, _ = latest
    s = seen.snapshot
    return {(s.queues.names[q], code): wait for (q, code), wait in longest_waits(s, made).items()}


def _share(latest: Latest) -> Values:
    seen, made, _ = latest
    return {(name,): float(made.share[q]) for q, name in enumerate(seen.snapshot.queues.names)}


def _used(latest: Latest) -> Values:
    seen, made, _ = latest
    return _amounts(seen, made.use)


def _quota(latest: Latest) -> Values:
    seen, _, _ = latest
    found: Values = {}
    for right, said in rights_of(seen.snapshot).items():
        found |= _amounts(seen, said, (right,), nothing=UNSET if right == "limit" else 0)
    return found


def _amounts(seen: Observed, amounts: Ints, label: Labels = (), nothing: int = 0) -> Values:
    """Amounts by queue, pool and resource, those that are something."""
    s, units = seen.snapshot, _units(seen)
    return {
        (s.queues.names[q], s.pools.names[p], s.resources[i], *label):
            float(amounts[q, p, i]) / units[i]
        for q, p, i in others(amounts, nothing)
    }  # fmt: skip


def _capacity(latest: Latest) -> Values:
    return _pools(latest, free=False)


def _free(latest: Latest) -> Values:
    return _pools(latest, free=True)


def _pools(latest: Latest, *, free: bool) -> Values:
    seen, made, _ = latest
    s, units = seen.snapshot, _units(seen)
    found: Values = {}
    for p, pool in enumerate(s.pools.names):
        _, capacity, left = in_pool(s, made, p)
        for i, resource in enumerate(s.resources):
            if capacity[i] and is_physical(resource):
                found[pool, resource] = (left if free else capacity)[i] / units[i]
    return found


def _units(seen: Observed) -> list[int]:
    """How much in the core is one, by resource: the core counts some in thousandths."""
    thousandths = {"cpu", UNITS, *seen.devices}
    return [1000 if resource in thousandths else 1 for resource in seen.snapshot.resources]


def _nodes(latest: Latest) -> Values:
    seen, _, _ = latest
    count = Tally((one.pool, _state(one.node)) for one in seen.machines.values() if one.pool)
    pools = seen.snapshot.pools.names
    return {(pool, state): float(count[pool, state]) for pool in pools for state in _STATES}


_STATES = ("Ready", "Cordoned", "NotReady")


def _state(node: Node) -> str:
    ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "True")
    if ready != "True":
        return "NotReady"
    return "Cordoned" if node.spec.unschedulable else "Ready"


def _budgets(latest: Latest) -> Values:
    return {(name,): one.hours for name, one in latest[2].items()}


_AMOUNT = ("queue", "pool", "resource")
_GAUGES: tuple[tuple[str, str, Labels, Callable[[Latest], Values]], ...] = (
    ("athanor_gangs_waiting", "Gangs in line, by queue", ("queue",), _waiting),
    (
        "athanor_gangs_waiting_by_reason", "Gangs in line, by their first reason", ("reason",),
        _reasons,
    ),
    (
        "athanor_gangs_longest_wait_seconds", "How long a gang that waits has not run since it was"
        " made, the longest by queue and first reason", ("queue", "reason"), _longest,
    ),
    ("athanor_queue_share", "Weighted dominant share of past and present use", ("queue",), _share),
    (
        "athanor_queue_used", "What a queue and those below it use (cores, bytes, devices)",
        _AMOUNT, _used,
    ),
    (
        "athanor_queue_quota", "What a queue may use: guaranteed, deserved or limit, as far as it"
        " says so itself (cores, bytes, devices)", (*_AMOUNT, "right"), _quota,
    ),
    ("athanor_queue_budget_spent_hours", "GPU-hours spent in the period", ("queue",), _budgets),
    (
        "athanor_pool_capacity", "What the nodes of a pool have (cores, bytes, devices)",
        ("pool", "resource"), _capacity,
    ),
    (
        "athanor_pool_free", "What nobody uses of a pool (cores, bytes, devices)",
        ("pool", "resource"), _free,
    ),
    (
        "athanor_pool_nodes", "Nodes of a pool: Ready, Cordoned or NotReady", ("pool", "state"),
        _nodes,
    ),
)  # fmt: skip
