"""Pools, queues, PriorityClasses and namespaces: what gangs are measured by, kept as it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from athanor.api import labels
from athanor.api.amounts import Amounts
from athanor.api.core import Namespace, PriorityClass
from athanor.api.meta import Object
from athanor.api.scheduling import DEFAULT_QUEUE, MAX_GRACE, Gang, Pool, Queue
from athanor.features.scheduling import gangs, queues, rates
from athanor.features.scheduling.core.rows import NodeRow, PoolRow, QueueRow
from athanor.features.scheduling.core.why import Code
from athanor.features.scheduling.gangs import Read, Refused
from athanor.features.scheduling.queues import Problem
from athanor.runtime.cache import Cache, Key, World
from athanor.wire.selector import from_object

GRACE = 30
"""Seconds for a gang that saves nothing: so long its disruption budgets are heard."""
One = TypeVar("One", bound=Object)


class Tenants:
    """What there is, by name. Mappings that were handed out are never changed."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.queues: dict[str, Queue] = {}
        self.problems: dict[str, Problem] = {}
        self.priorities: dict[str, PriorityClass] = {}
        self.spaces: dict[str, Namespace] = {}
        self.labels: Mapping[str, Mapping[str, str]] = {}
        self.pools_changed = True
        self._has: Mapping[str, Amounts] = {}
        self._pool_rows: list[PoolRow] = []
        self._queue_rows: tuple[frozenset[str] | None, list[QueueRow]] = None, []

    def look(self, world: World, fresh: Mapping[type, Iterable[Key]]) -> bool:
        """Take changes in; whether gangs have to be read anew for them."""
        cache = world.cache
        self.pools, self.pools_changed = _take(cache(Pool), fresh[Pool], self.pools, _spec)
        self.queues, queued = _take(cache(Queue), fresh[Queue], self.queues, _spec)
        self.priorities, ranked = _take(
            cache(PriorityClass), fresh[PriorityClass], self.priorities, lambda _: None
        )
        self.spaces, named = _take(
            cache(Namespace), fresh[Namespace], self.spaces, lambda one: one.metadata.labels
        )
        if named:
            self.labels = {name: one.metadata.labels for name, one in self.spaces.items()}
        has = queues.capacities(self.pools.values())
        if queued or self.pools_changed or has != self._has:
            self.problems = queues.problems(list(self.queues.values()), has)
            self._has, self._queue_rows = has, (None, [])
        return queued or self.pools_changed or ranked or named

    @property
    def bare(self) -> frozenset[str]:
        """Queues that cannot be read: their rows say nothing but the name."""
        return frozenset(name for name, problem in self.problems.items() if problem.fatal)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of all topologies."""
        said = {level for pool in self.pools.values() for level in pool.spec.topology_levels}
        return tuple(sorted(said))

    def pool_rows(
        self, devices: frozenset[str], counted: frozenset[str], machines: list[NodeRow]
    ) -> list[PoolRow]:
        """The pools; the same list as long as it says the same."""
        rows = [
            _pool(pool, rates.derived(pool, devices, counted, machines))
            for pool in self.pools.values()
        ]
        if rows != self._pool_rows:
            self._pool_rows = rows
        return self._pool_rows

    def queue_rows(self, devices: frozenset[str]) -> list[QueueRow]:
        """The queues with the past that their statuses know; the same list while they are."""
        known, rows = self._queue_rows
        if known != devices:
            bare = self.bare
            rows = [
                QueueRow(name) if name in bare
                else queues.row(queue, devices, *queues.remembered(queue))
                for name, queue in self.queues.items()
            ]  # fmt: skip
            self._queue_rows = devices, rows
        return rows

    def queue_of(self, gang: Gang) -> str:
        """The queue that pays: its namespace's own in place of the default one."""
        if gang.spec.queue not in ("", DEFAULT_QUEUE):
            return gang.spec.queue
        return self.labels.get(gang.metadata.namespace, {}).get(labels.QUEUE) or DEFAULT_QUEUE

    def refusal(self, gang: Gang, read: Read) -> Refused | None:
        """Why a gang cannot be considered, the first reason."""
        named = self.queue_of(gang)
        queue, problem = self.queues.get(named), self.problems.get(named)
        if read.problem:
            return Refused(Code.INVALID_REQUEST, read.problem)
        if (unknown := gangs.unknown_priority(gang, self.priorities)) is not None:
            return unknown
        if (unknown := gangs.unknown_pools(gang, self.pools)) is not None:
            return unknown
        if queue is None:
            return Refused(Code.QUEUE_NOT_FOUND, f"spec.queue: there is no queue {named}")
        if problem is not None and problem.fatal:
            return Refused(Code.QUEUE_INVALID, f"queue {named}: {problem.message}")
        if (closed := self._not_for(queue, gang.metadata.namespace)) is not None:
            text = f"queue {closed} does not admit gangs of namespace "
            return Refused(Code.NAMESPACE_NOT_ALLOWED, text + gang.metadata.namespace)
        return self._too_patient(gang, named)

    def _too_patient(self, gang: Gang, queue: str) -> Refused | None:
        """The refusal of a gang whose end others would wait for too long."""
        for field, asked in gangs.graces(gang):
            most, whose = self._most_grace(queue)
            if asked > most:
                text = f"{field}: {asked} is more than the {most} that queue {whose} allows: ask"
                text = f"{text} for less, or have its spec.preemption.maxGraceSeconds raised"
                return Refused(Code.INVALID_REQUEST, text)
        return None

    def grace(self, gang: Gang) -> int:
        """Seconds that others wait when it has to go: what it asks for, as far as it may."""
        asked = gangs.grace(gang)
        return GRACE if asked is None else min(asked, self._most_grace(self.queue_of(gang))[0])

    def _most_grace(self, queue: str) -> tuple[int, str]:
        """The limit of a queue, and whose it is."""
        return queues.most_grace(queue, self.queues) or (MAX_GRACE, queue)

    def _not_for(self, queue: Queue, namespace: str) -> str | None:
        """The first queue on the way up that does not admit the namespace."""
        path = queues.above(queue.metadata.name, self.queues)
        return next((q.metadata.name for q in path if not self._admits(q, namespace)), None)

    def _admits(self, queue: Queue, namespace: str) -> bool:
        if queue.spec.namespace_selector is None:
            return True
        selector = from_object(queue.spec.namespace_selector)
        return namespace in self.labels and selector.matches(self.labels[namespace])


def _spec(one: Pool | Queue) -> object:
    return one.spec


def _take(
    cache: Cache[One], keys: Iterable[Key], held: dict[str, One], matters: Callable[[One], object]
) -> tuple[dict[str, One], bool]:
    """What is held with the objects of these keys, by name; whether something that matters is new.

    `matters` says what of an object does; None: all of it.
    """
    found, changed = dict(held), False
    for key in keys:
        before, after = found.pop(key.name, None), cache.get(key)
        if after is not None:
            found[key.name] = after
        if before is None or after is None:
            changed |= before is not after
        else:
            mine = matters(after)
            changed |= mine is None or matters(before) != mine
    return (dict(sorted(found.items())) if found.keys() != held.keys() or keys else held), changed


def _pool(pool: Pool, derived: Mapping[tuple[str, str], float]) -> PoolRow:
    cost = pool.spec.cost_per_hour
    return PoolRow(
        name=pool.metadata.name,
        levels=tuple(pool.spec.topology_levels),
        spread=pool.spec.strategy == "Spread",
        elastic=pool.spec.elastic,
        cost=float(cost) if cost.replace(".", "", 1).isdecimal() else 0.0,
        derive=derived,
    )
