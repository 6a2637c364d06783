"""A snapshot from plain rows: names become numbers, equal asks one class, equal pods one shape."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from athanor.features.scheduling.core.rows import (
    Amounts,
    AskRow,
    GangRow,
    NodeRow,
    PodSetRow,
    QueueRow,
    Rows,
    ShapeRow,
)
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Classes,
    Gangs,
    Lifetimes,
    Lost,
    Nodes,
    PodSets,
    Pools,
    Queues,
    Reservations,
    Running,
    Shapes,
    Snapshot,
)
from athanor.features.scheduling.core.table import (
    Bools,
    Floats,
    Ints,
    Smalls,
    bools,
    floats,
    ints,
    smalls,
)

Key = TypeVar("Key", bound=Hashable)


def build(rows: Rows) -> Snapshot:
    """The snapshot of these rows. Raises KeyError for a name that no row has."""
    asks = _number(gang.ask for gang in rows.gangs)
    sets = [pod_set for ask in asks for pod_set in ask.pod_sets]
    shapes = _number(pod_set.shape for pod_set in sets)
    own = [level for pool in rows.pools for level in pool.levels]
    levels = _number([*own, *rows.levels])
    pools = _number(pool.name for pool in rows.pools)
    queues = _number(queue.name for queue in rows.queues)
    kinds = _number(
        [d.kind for node in rows.nodes for d in node.devices] + [s.kind for s in shapes if s.kind]
    )
    models = _number(
        [d.model for node in rows.nodes for d in node.devices if d.model]
        + [model for shape in shapes for model in shape.models]
    )
    resources = _resources(rows, shapes, kinds)
    nodes = _number(node.name for node in rows.nodes)
    users = _number(gang.user for gang in rows.gangs)
    first = np.cumsum(smalls([0, *(len(ask.pod_sets) for ask in asks)]), dtype=np.int32)
    return Snapshot(
        resources=tuple(resources),
        device_kinds=tuple(kinds),
        models=tuple(models),
        levels=tuple(levels),
        users=tuple(users),
        pools=Pools(
            names=tuple(pools),
            levels=tuple(tuple(levels[x] for x in pool.levels) for pool in rows.pools),
            spread=bools(pool.spread for pool in rows.pools),
            elastic=bools(pool.elastic for pool in rows.pools),
            cost=floats(pool.cost for pool in rows.pools),
            derive=_derive(rows, resources),
        ),
        nodes=_nodes(rows.nodes, pools, resources, levels, kinds, models, set(own)),
        shapes=_shapes(list(shapes), resources, kinds, models, rows.node_classes),
        classes=Classes(
            first=first, pools=tuple(tuple(pools[p] for p in a.pools if p in pools) for a in asks)
        ),
        pod_sets=_pod_sets(sets, shapes, levels, nodes),
        queues=_queues(rows.queues, queues, pools, resources),
        gangs=_gangs(rows.gangs, asks, queues, pools, users, levels),
        running=_running(rows, asks, nodes, first),
        lost=_lost(rows, asks, first),
        lifetimes=Lifetimes(ends=_lifetimes(rows.lifetimes)),
        reservations=Reservations(
            names=tuple(r.name for r in rows.reservations),
            nodes=_marks([r.nodes for r in rows.reservations], nodes),
            queues=_marks([r.queues for r in rows.reservations], queues),
            pool=smalls(pools.get(r.pool, UNSET) for r in rows.reservations),
            amounts=_matrix([r.amounts for r in rows.reservations], resources),
            spares=bools(r.spares for r in rows.reservations),
            start=floats(r.start for r in rows.reservations),
            end=floats(r.end for r in rows.reservations),
        ),
    )


def _number(values: Iterable[Key]) -> dict[Key, int]:
    return {value: i for i, value in enumerate(dict.fromkeys(values))}


def _resources(rows: Rows, shapes: Iterable[ShapeRow], kinds: Iterable[str]) -> dict[str, int]:
    said: dict[str, None] = dict.fromkeys(rows.resources)
    said |= dict.fromkeys(kinds)
    for node in rows.nodes:
        said |= dict.fromkeys(node.capacity)
    for shape in shapes:
        said |= dict.fromkeys(name for name, _ in shape.request)
    for queue in rows.queues:
        for quota in queue.quotas.values():
            for amounts in quota[:4]:
                said |= dict.fromkeys(amounts)
        said |= dict.fromkeys(queue.user_limit)
    for reservation in rows.reservations:
        said |= dict.fromkeys(reservation.amounts)
    return _number(said)


def _vector(amounts: Amounts, resources: dict[str, int], missing: int = 0) -> Ints:
    vector = np.full(len(resources), missing, dtype=np.int64)
    for name, amount in amounts.items():
        vector[resources[name]] = amount
    return vector


def _matrix(rows: Sequence[Amounts], resources: dict[str, int], missing: int = 0) -> Ints:
    matrix = np.full((len(rows), len(resources)), missing, dtype=np.int64)
    for i, amounts in enumerate(rows):
        for name, amount in amounts.items():
            matrix[i, resources[name]] = amount
    return matrix


def _derive(rows: Rows, resources: dict[str, int]) -> Floats:
    derive = np.zeros((len(rows.pools), len(resources), len(resources)))
    for p, pool in enumerate(rows.pools):
        for (source, target), factor in pool.derive.items():
            if source in resources and target in resources:
                derive[p, resources[source], resources[target]] = factor
    return derive


def _lifetimes(rows: Sequence[Sequence[float]]) -> Floats:
    width = len(rows[0]) if rows else 0
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _marks(rows: Sequence[Sequence[str]], numbers: dict[str, int]) -> Bools:
    marks = np.zeros((len(rows), len(numbers)), dtype=np.bool_)
    for i, row in enumerate(rows):
        marks[i, [numbers[name] for name in row if name in numbers]] = True
    return marks


def _nodes(
    nodes: Sequence[NodeRow],
    pools: dict[str, int],
    resources: dict[str, int],
    levels: dict[str, int],
    kinds: dict[str, int],
    models: dict[str, int],
    nested: Collection[str],
) -> Nodes:  # fmt: skip
    wide = max([len(node.devices) for node in nodes], default=0)
    kind = np.full((len(nodes), wide), UNSET, dtype=np.int32)
    model = np.full((len(nodes), wide), UNSET, dtype=np.int32)
    memory = np.zeros((len(nodes), wide), dtype=np.int64)
    slots = np.zeros((len(nodes), wide), dtype=np.int32)
    healthy = np.zeros((len(nodes), wide), dtype=np.bool_)
    capacity = _matrix([node.capacity for node in nodes], resources)
    for i, node in enumerate(nodes):
        for j, device in enumerate(node.devices):
            kind[i, j] = kinds[device.kind]
            model[i, j] = models.get(device.model, UNSET)
            memory[i, j], slots[i, j] = device.memory, device.slots
            healthy[i, j] = device.healthy
            capacity[i, resources[device.kind]] += 1000 * device.healthy
    return Nodes(
        names=tuple(node.name for node in nodes),
        pool=smalls(pools.get(node.pool, UNSET) for node in nodes),
        klass=smalls(node.klass for node in nodes),
        capacity=capacity,
        foreign=_matrix([node.foreign for node in nodes], resources),
        domains=_domains(nodes, levels, nested),
        retry_at=floats(node.retry_at for node in nodes),
        kind=kind,
        model=model,
        memory=memory,
        slots=slots,
        healthy=healthy,
    )


def _domains(nodes: Sequence[NodeRow], levels: dict[str, int], nested: Collection[str]) -> Smalls:
    """Domain numbers a level. A domain is what it is called and all wider ones of its node.

    Levels that are not `nested` stand alone.
    """
    found = np.full((len(levels), len(nodes)), UNSET, dtype=np.int32)
    for level, row in levels.items():
        wider = [name for name in levels if levels[name] <= row and name in nested]
        wider = wider if level in nested else [level]
        seen: dict[tuple[str, ...], int] = {}
        for i, node in enumerate(nodes):
            if level in node.domains:
                key = tuple(node.domains.get(name, "") for name in wider)
                found[row, i] = seen.setdefault(key, len(seen))
    return found


def _shapes(
    shapes: Sequence[ShapeRow],
    resources: dict[str, int],
    kinds: dict[str, int],
    models: dict[str, int],
    node_classes: int,
) -> Shapes:
    requests = []
    for shape in shapes:
        request = dict(shape.request)
        if shape.kind:
            request[shape.kind] = shape.devices * shape.milli
        requests.append(request)
    allowed = np.ones((len(shapes), len(models)), dtype=np.bool_)
    barred = np.zeros((len(shapes), node_classes), dtype=np.int32)
    for i, shape in enumerate(shapes):
        if shape.models:
            allowed[i] = [model in shape.models for model in models]
        barred[i] = shape.barred
    return Shapes(
        request=_matrix(requests, resources),
        kind=smalls(kinds.get(shape.kind, UNSET) for shape in shapes),
        devices=smalls(shape.devices for shape in shapes),
        milli=smalls(shape.milli for shape in shapes),
        mib=ints(shape.mib for shape in shapes),
        min_mib=ints(shape.min_mib for shape in shapes),
        slice_slots=smalls(shape.slice_slots for shape in shapes),
        models=allowed,
        per_node=smalls(shape.per_node for shape in shapes),
        barred=barred,
        weight=floats(shape.weight for shape in shapes),
    )


def _pod_sets(
    sets: Sequence[PodSetRow], shapes: dict[ShapeRow, int], levels: dict[str, int],
    nodes: dict[str, int],
) -> PodSets:  # fmt: skip
    return PodSets(
        names=tuple(s.name for s in sets),
        shape=smalls(shapes[s.shape] for s in sets),
        count=smalls(s.pods for s in sets),
        least=smalls(s.pods if s.least is None else min(s.least, s.pods) for s in sets),
        required=smalls(_level(s.required, levels) for s in sets),
        preferred=smalls(_level(s.preferred, levels) for s in sets),
        balanced=bools(s.balanced for s in sets),
        slice_size=smalls(s.slice_size for s in sets),
        slice_level=smalls(_level(s.slice_level, levels) for s in sets),
        even=smalls(_level(s.even, levels) for s in sets),
        skew=smalls(s.skew for s in sets),
        soft=bools(s.soft for s in sets),
        beside=tuple(tuple((nodes[n], k) for n, k in s.beside if n in nodes) for s in sets),
        prefer=tuple(s.prefer for s in sets),
    )


def _level(name: str, levels: dict[str, int]) -> int:
    """A level that no pool has is numbered beyond all levels: no node has a domain there."""
    return UNSET if not name else levels.get(name, len(levels))


def _queues(
    rows: Sequence[QueueRow],
    queues: dict[str, int],
    pools: dict[str, int],
    resources: dict[str, int],
) -> Queues:
    shape = (len(rows), len(pools), len(resources))
    quota = {
        "guaranteed": np.zeros(shape, dtype=np.int64),
        **{name: np.full(shape, UNSET, np.int64) for name in ("deserved", "limit", "lendable")},
    }
    preference = np.full(shape[:2], UNSET, dtype=np.int32)
    spill = np.zeros(shape[:2])
    decayed = np.zeros(shape)
    for q, row in enumerate(rows):
        for place, (pool, said) in enumerate(row.quotas.items()):
            if pool not in pools:
                continue
            preference[q, pools[pool]] = place
            spill[q, pools[pool]] = said.spill_after
            for name, matrix in quota.items():
                for resource, amount in getattr(said, name).items():
                    matrix[q, pools[pool], resources[resource]] = amount
        for (pool, resource), amount in row.decayed.items():
            if pool in pools and resource in resources:
                decayed[q, pools[pool], resources[resource]] = amount
    return Queues(
        names=tuple(queues),
        parent=smalls(queues.get(row.parent, UNSET) for row in rows),
        **quota,
        preference=preference,
        spill_after=spill,
        strict=bools(row.strict for row in rows),
        weight=ints(row.weight for row in rows),
        half_life=floats(float(row.half_life) for row in rows),
        state=smalls(int(row.state) for row in rows),
        within=smalls(int(row.within) for row in rows),
        reclaim=smalls(int(row.reclaim) for row in rows),
        min_runtime=floats(float(row.min_runtime) for row in rows),
        max_runtime=floats(float(row.max_runtime) for row in rows),
        user_limit=_matrix([row.user_limit for row in rows], resources, UNSET),
        decayed=decayed,
        decayed_at=floats(float(row.decayed_at) for row in rows),
        budget_left=floats(float(row.budget_left) for row in rows),
    )


def _gangs(
    rows: Sequence[GangRow],
    asks: dict[AskRow, int],
    queues: dict[str, int],
    pools: dict[str, int],
    users: dict[str, int],
    levels: dict[str, int],
) -> Gangs:
    return Gangs(
        names=tuple(row.name for row in rows),
        queue=smalls(queues.get(row.queue, UNSET) for row in rows),
        klass=smalls(asks[row.ask] for row in rows),
        state=smalls(int(row.state) for row in rows),
        priority=ints(row.priority for row in rows),
        created=floats(float(row.created) for row in rows),
        user=smalls(users[row.user] for row in rows),
        preemptible=bools(row.preemptible for row in rows),
        preempts=bools(row.preempts for row in rows),
        estimate=floats(float(row.estimate) for row in rows),
        refused=smalls(int(row.refused) for row in rows),
        pool=smalls(pools.get(row.pool, UNSET) for row in rows),
        started=floats(float(row.started) for row in rows),
        expected_end=floats(float(row.expected_end) for row in rows),
        saved=floats(float(row.saved) for row in rows),
        restart_cost=floats(float(row.restart_cost) for row in rows),
        grace=floats(float(row.grace) for row in rows),
        limit=floats(float(row.limit) for row in rows),
        resize=smalls(int(row.resize) for row in rows),
        resized=floats(float(row.resized) for row in rows),
        within=smalls(_level(row.ask.within, levels) for row in rows),
        attained=floats(float(row.attained) for row in rows),
        lifetime=smalls(int(row.lifetime) for row in rows),
        remaining=floats(float(row.remaining) for row in rows),
        remaining_at=floats(float(row.remaining_at) for row in rows),
    )


def _lost(rows: Rows, asks: dict[AskRow, int], first: Smalls) -> Lost:
    gangs = _first_sets(rows, asks, first) if rows.lost else {}
    return Lost(
        gang=smalls(gangs[row.gang][0] for row in rows.lost),
        pod_set=smalls(gangs[row.gang][1] + row.pod_set for row in rows.lost),
        rank=smalls(row.rank for row in rows.lost),
    )


def _first_sets(rows: Rows, asks: dict[AskRow, int], first: Smalls) -> dict[str, tuple[int, int]]:
    """Each gang's row and that of its first pod set."""
    return {gang.name: (i, int(first[asks[gang.ask]])) for i, gang in enumerate(rows.gangs)}


def _running(rows: Rows, asks: dict[AskRow, int], nodes: dict[str, int], first: Smalls) -> Running:
    gangs = _first_sets(rows, asks, first)
    return Running(
        gang=smalls(gangs[row.gang][0] for row in rows.running),
        pod_set=smalls(gangs[row.gang][1] + row.pod_set for row in rows.running),
        node=smalls(nodes[row.node] for row in rows.running),
        devices=ints(row.devices for row in rows.running),
        slot=smalls(row.slot for row in rows.running),
        rank=smalls(row.rank for row in rows.running),
        leaving=bools(row.leaving for row in rows.running),
    )
