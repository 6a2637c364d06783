"""The caches as a Snapshot: everything the core looks at, and what belongs to whom.

What reading costs is remembered by object version, so a look after a few changes reads only those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from athanor.api import labels
from athanor.api.core import Namespace, Node, Pod, PriorityClass
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling import gangs, nodes, pods, queues, rates, reservations, sites
from athanor.features.scheduling.budgets import Meter
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.rows import (
    LostRow,
    NodeRow,
    PoolRow,
    QueueRow,
    Rows,
)
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.why import Code
from athanor.features.scheduling.gangs import Read, Refused, Sited
from athanor.features.scheduling.near import Cluster
from athanor.features.scheduling.pods import PodNeed
from athanor.features.scheduling.queues import Problem
from athanor.features.scheduling.reservations import Ground, Offers
from athanor.kit.quantity import QuantityError
from athanor.runtime.cache import Key, World, key_of
from athanor.wire.selector import from_object


class Past(Struct, frozen=True):
    """Past use of the queues as of a time, as the last cycle left it."""

    at: float
    use: dict[str, dict[tuple[str, str], float]]


class Observed(Struct, frozen=True, kw_only=True):
    """The cluster as of now: the snapshot, and the objects its rows stand for."""

    snapshot: Snapshot
    gangs: dict[str, Gang]
    queues: dict[str, Queue]
    pools: dict[str, Pool]
    refused: dict[str, Refused]
    problems: dict[str, Problem]
    devices: frozenset[str]
    namespaces: dict[str, dict[str, str]] = {}
    sharing: dict[str, str] = {}
    meters: dict[str, Meter] = {}
    ended: dict[str, Meter] = {}
    reservations: tuple[Reservation, ...] = ()
    ground: Ground


class Observer:
    """Reads the caches; keeps what it read of each object version. `past` is the last cycle's."""

    def __init__(self) -> None:
        self.past: Past | None = None
        self._read: dict[Key, tuple[str, frozenset[str], Read]] = {}
        self._used: dict[Key, tuple[str, dict[str, int]]] = {}

    def __call__(self, world: World, key: Key) -> Observed | None:
        """The whole cluster; the key says nothing."""
        all_nodes = sorted(world.cache(Node), key=lambda node: node.metadata.name)
        pools = sorted(world.cache(Pool), key=lambda pool: pool.metadata.name)
        offered = {node.metadata.name: _capacity(node) for node in all_nodes}
        devices = frozenset(d.kind for _, found in offered.values() for d in found)
        by_queue = {queue.metadata.name: queue for queue in world.cache(Queue)}
        names = frozenset(pool.metadata.name for pool in pools)
        problems = queues.problems(list(by_queue.values()), names)
        chosen = sorted(filter(gangs.matters, world.cache(Gang)), key=gangs.key_of)
        reads = {gangs.key_of(gang): self._reading(gang, devices) for gang in chosen}
        priorities = {p.metadata.name: p for p in world.cache(PriorityClass)}
        refused = _refusals(world, chosen, reads, by_queue, problems, priorities)
        counted = rates.counted_by_memory(by_queue.values(), devices)
        held = {gangs.key_of(gang) for gang in chosen if gangs.holds(gang)}
        lay = _lay(
            world, pools, offered, [need for one in reads.values() for need in one.needs],
            self.foreign(world, held, devices), counted,
        )  # fmt: skip
        named = [(gangs.key_of(gang), gang) for gang in chosen]
        read = [(name, gang, reads[name].needs) for name, gang in named if reads[name].needs]
        ground = Ground(
            pool_of={machine.name: machine.pool for machine in lay.machines},
            offers=offered,
            pools={pool.metadata.name: pool for pool in pools},
            queues=frozenset(by_queue),
            devices=devices,
        )
        reserved = sorted(world.cache(Reservation), key=lambda r: r.metadata.name)
        rows = Rows(
            pools=[
                _pool(pool, rates.derived(pool, devices, counted, lay.machines)) for pool in pools
            ],
            nodes=lay.machines,
            queues=self._queues(by_queue, problems, devices),
            gangs=[
                gangs.row(gang, gangs.ask(gang, needs, lay.needs), priorities, refused.get(name))
                for name, gang, needs in read
            ],
            running=[row for _, gang, _ in read for row in gangs.running(gang, offered)],
            lost=list(_lost(read, offered)),
            reservations=[
                row for one in reserved if (row := reservations.row(one, ground)) is not None
            ],
            resources=("cpu", "memory", "pods"),
            levels=lay.keys,
            node_classes=max((machine.klass for machine in lay.machines), default=0) + 1,
        )  # fmt: skip
        return Observed(
            snapshot=build(rows),
            gangs={gangs.key_of(gang): gang for gang in chosen},
            queues=by_queue,
            pools={pool.metadata.name: pool for pool in pools},
            refused=refused,
            problems=problems,
            devices=devices,
            namespaces={n.metadata.name: n.metadata.labels for n in world.cache(Namespace)},
            sharing=_sharing(all_nodes),
            meters=self._meters(chosen, pools, devices),
            ended=self._ended(world, pools, devices),
            reservations=tuple(reserved),
            ground=ground,
        )

    def _meters(
        self, of: Iterable[Gang], pools: Iterable[Pool], devices: frozenset[str]
    ) -> dict[str, Meter]:
        """What admitted gangs cost, by name."""
        table = {pool.metadata.name: rates.of_pool(pool, devices) for pool in pools}
        found = {}
        for gang in of:
            admission = gang.status.admission
            needs = self._reading(gang, devices).needs if admission is not None else ()
            if admission is not None and needs:
                made = gangs.meter(gang, needs, table.get(admission.pool, {}))
                found.update({gangs.key_of(gang): made} if made is not None else {})
        return found

    def _ended(
        self, world: World, pools: Iterable[Pool], devices: frozenset[str]
    ) -> dict[str, Meter]:
        """What finished gangs cost: asked for once, for what ended before this process began."""
        if self.past is not None:
            return {}
        done = [gang for gang in world.cache(Gang) if gang.status.phase in gangs.FINISHED]
        return self._meters(done, pools, devices)

    def _reading(self, gang: Gang, devices: frozenset[str]) -> Read:
        key, version = key_of(gang), str(gang.metadata.generation or gang.metadata.resource_version)
        known = self._read.get(key)
        if known is not None and known[0] == version and known[1] == devices:
            return known[2]
        found = gangs.read(gang, devices)
        self._read[key] = (version, devices, found)
        return found

    def foreign(
        self, world: World, held: set[str], devices: frozenset[str]
    ) -> dict[str, dict[str, int]]:
        """What pods outside admitted gangs use, a node."""
        total: dict[str, dict[str, int]] = {}
        adopted = {
            f"{gang.metadata.namespace}/{name}"
            for gang in world.cache(Gang) if gang.spec.adopts and gangs.key_of(gang) in held
            for names in gang.spec.adopts.values() for name in names
        }  # fmt: skip
        for pod in world.cache(Pod):
            node = pod.spec.node_name
            if not node or pod.status.phase in ("Succeeded", "Failed"):
                continue
            name = pod.metadata.labels.get(labels.GANG)
            if name is not None and f"{pod.metadata.namespace}/{name}" in held:
                continue
            if f"{pod.metadata.namespace}/{pod.metadata.name}" in adopted:
                continue
            here = total.setdefault(node, {})
            for resource, amount in self._use_of(pod).items():
                scale = pods.WHOLE if resource in devices else 1
                here[resource] = here.get(resource, 0) + amount * scale
        return total

    def _use_of(self, pod: Pod) -> dict[str, int]:
        key, version = key_of(pod), pod.metadata.uid
        known = self._used.get(key)
        if known is not None and known[0] == version:
            return known[1]
        asked = {"containers": [_container(c) for c in pod.spec.containers],
                 "initContainers": [_container(c) for c in pod.spec.init_containers],
                 "overhead": pod.spec.overhead}  # fmt: skip
        try:
            found = {**nodes.amounts(pods.requests(asked)), "pods": 1}
        except QuantityError:
            found = {"pods": 1}  # the API server lets no such pod in
        for container in pod.spec.containers:
            for port in container.ports:
                number = port.host_port or (port.container_port if pod.spec.host_network else 0)
                if number:
                    found[f"{pods.HOST_PORT}{port.protocol or 'TCP'}/{number}"] = 1
        self._used[key] = (version, found)
        return found

    def _queues(
        self, by_queue: Mapping[str, Queue], problems: Mapping[str, Problem],
        devices: frozenset[str],
    ) -> list[QueueRow]:  # fmt: skip
        """The queues; of those with a fatal problem only the name."""
        return [
            QueueRow(name)
            if name in problems and problems[name].fatal
            else self._queue(queue, devices)
            for name, queue in sorted(by_queue.items())
        ]

    def _queue(self, queue: Queue, devices: frozenset[str]) -> QueueRow:
        name = queue.metadata.name
        if self.past is not None and name in self.past.use:
            return queues.row(queue, devices, self.past.use[name], self.past.at)
        return queues.row(queue, devices, *queues.remembered(queue))


def _lost(
    read: Iterable[tuple[str, Gang, tuple[PodNeed, ...]]], offered: Offers
) -> Iterable[LostRow]:
    """The ranks that lost their node."""
    for name, gang, _ in read:
        for index, rank in sorted(gangs.lost(gang, offered)):
            yield LostRow(name, index, rank)


def _sharing(all_nodes: Iterable[Node]) -> dict[str, str]:
    """What nodes say keeps others from a share of a device."""
    told = {node.metadata.name: node.metadata.labels.get(pods.ISOLATION, "") for node in all_nodes}
    return {name: text for name, text in told.items() if text}


class _Lay(NamedTuple):
    """The nodes as rows, what every need is to them, and the domains somebody asks for."""

    machines: list[NodeRow]
    needs: dict[PodNeed, Sited]
    keys: tuple[str, ...]


def _lay(
    world: World,
    pools: Sequence[Pool],
    offered: Offers,
    needs: Sequence[PodNeed],
    foreign: Mapping[str, dict[str, int]],
    counted: frozenset[str],
) -> _Lay:
    """Nodes and needs together: who may go where, and what is counted there."""
    all_nodes = sorted(world.cache(Node), key=lambda node: node.metadata.name)
    matter = any(need.wishes.needed for need in needs) or any(
        "podAntiAffinity" in (pod.spec.affinity or ()) for pod in world.cache(Pod)
    )
    cluster = Cluster(all_nodes, world.cache(Pod) if matter else ())
    volumes = sites.bound_volumes(world) if matter else {}
    classes, sited, keys = sites.sites(all_nodes, needs, cluster, volumes, counted)
    bare = [
        NodeRow(
            name=name,
            pool=nodes.pool_of(node, pools),
            capacity=offered[name][0],
            klass=classes[name],
            foreign=foreign.get(name, {}),
            domains=_domains(node, pools, keys),
            devices=offered[name][1],
        )
        for name, node in ((node.metadata.name, node) for node in all_nodes)
    ]
    ids = {node.metadata.name: sites.device_ids(node) for node in all_nodes}
    shapes = [one.shape for one in sited.values()]
    machines = [rates.with_room(row, counted) for row in sites.machines(bare, ids, shapes)]
    return _Lay(machines, sites.with_models(sited, machines), keys)


def _container(container: Any) -> dict[str, Any]:
    return {
        "resources": {
            "requests": container.resources.requests, "limits": container.resources.limits
        },
        "restartPolicy": container.restart_policy,
    }  # fmt: skip


def _capacity(node: Node) -> tuple[dict[str, int], tuple[Any, ...]]:
    try:
        return nodes.capacity(node)
    except QuantityError:
        return {}, ()  # a node that says nonsense offers nothing


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


def _domains(node: Node, pools: Iterable[Pool], keys: Iterable[str]) -> dict[str, str]:
    levels = {level for pool in pools for level in pool.spec.topology_levels} | set(keys)
    return {level: node.metadata.labels[level] for level in levels if level in node.metadata.labels}


def _refusals(
    world: World,
    chosen: Iterable[Gang],
    reads: Mapping[str, Read],
    by_queue: Mapping[str, Queue],
    problems: Mapping[str, Problem],
    priorities: Mapping[str, PriorityClass],
) -> dict[str, Refused]:
    """Why some waiting gangs cannot be considered, the first reason of each."""
    found: dict[str, Refused] = {}
    for gang in chosen:
        name = gangs.key_of(gang)
        queue = by_queue.get(gangs.queue_of(gang))
        problem = problems.get(gangs.queue_of(gang))
        refusal: Refused | None = None
        if reads[name].problem:
            refusal = Refused(Code.INVALID_REQUEST, reads[name].problem)
        elif (unknown := gangs.unknown_priority(gang, priorities)) is not None:
            refusal = unknown
        elif queue is None:
            text = f"spec.queue: there is no queue {gangs.queue_of(gang)}"
            refusal = Refused(Code.QUEUE_NOT_FOUND, text)
        elif problem is not None and problem.fatal:
            text = f"queue {queue.metadata.name}: {problem.message}"
            refusal = Refused(Code.QUEUE_INVALID, text)
        elif (closed := _not_for(world, queue, by_queue, gang.metadata.namespace)) is not None:
            text = f"queue {closed} does not admit gangs of namespace "
            refusal = Refused(Code.NAMESPACE_NOT_ALLOWED, text + gang.metadata.namespace)
        if refusal is not None:
            found[name] = refusal
    return found


def _not_for(
    world: World, queue: Queue, by_queue: Mapping[str, Queue], namespace: str
) -> str | None:
    """The first queue on the way up that does not admit the namespace."""
    path = queues.above(queue.metadata.name, by_queue)
    return next((q.metadata.name for q in path if not _admits(world, q, namespace)), None)


def _admits(world: World, queue: Queue, namespace: str) -> bool:
    if queue.spec.namespace_selector is None:
        return True
    found = world.cache(Namespace).get(Key("", namespace))
    selector = from_object(queue.spec.namespace_selector)
    return found is not None and selector.matches(found.metadata.labels)
