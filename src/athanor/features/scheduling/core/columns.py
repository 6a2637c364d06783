"""Rows as tables: the columns of nodes, shapes, pod sets, queues and gangs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from athanor.features.scheduling.core.numbers import Numbers
from athanor.features.scheduling.core.rows import (
    Amounts,
    GangRow,
    LostRow,
    NodeRow,
    PodSetRow,
    QueueRow,
    ShapeRow,
    SpreadRow,
)
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Gangs,
    Lost,
    Nodes,
    PodSets,
    Queues,
    Shapes,
    SpreadRule,
)
from athanor.features.scheduling.core.table import (
    Bools,
    Ints,
    Smalls,
    bools,
    floats,
    ints,
    smalls,
)


def matrix(rows: Sequence[Amounts], resources: Mapping[str, int], missing: int = 0) -> Ints:
    """Amounts by resource."""
    found = np.full((len(rows), len(resources)), missing, dtype=np.int64)
    for i, amounts in enumerate(rows):
        for name, amount in amounts.items():
            found[i, resources[name]] = amount
    return found


def marks_table(rows: Sequence[Sequence[str]], known: Mapping[str, int]) -> Bools:
    """Which names each row lists."""
    marks = np.zeros((len(rows), len(known)), dtype=np.bool_)
    for i, row in enumerate(rows):
        marks[i, [known[name] for name in row if name in known]] = True
    return marks


def nodes_table(nodes: Sequence[NodeRow], known: Numbers) -> Nodes:
    """The nodes as columns."""
    wide = max([len(node.devices) for node in nodes], default=0)
    kind = np.full((len(nodes), wide), UNSET, dtype=np.int32)
    model = np.full((len(nodes), wide), UNSET, dtype=np.int32)
    memory = np.zeros((len(nodes), wide), dtype=np.int64)
    slots = np.zeros((len(nodes), wide), dtype=np.int32)
    healthy = np.zeros((len(nodes), wide), dtype=np.bool_)
    capacity = matrix([node.capacity for node in nodes], known.resources)
    for i, node in enumerate(nodes):
        for j, device in enumerate(node.devices):
            kind[i, j] = known.kinds[device.kind]
            model[i, j] = known.models.get(device.model, UNSET)
            memory[i, j], slots[i, j] = device.memory, device.slots
            healthy[i, j] = device.healthy
            capacity[i, known.resources[device.kind]] += 1000 * device.healthy
    return Nodes(
        names=tuple(node.name for node in nodes),
        pool=smalls(known.pools.get(node.pool, UNSET) for node in nodes),
        klass=smalls(node.klass for node in nodes),
        capacity=capacity,
        foreign=matrix([node.foreign for node in nodes], known.resources),
        domains=domains(nodes, known),
        retry_at=floats(node.retry_at for node in nodes),
        kind=kind,
        model=model,
        memory=memory,
        slots=slots,
        healthy=healthy,
    )


def domains(nodes: Sequence[NodeRow], known: Numbers) -> Smalls:
    """Domain numbers a level. A domain is what it is called and all wider ones of its node.

    Levels that are not `nested` stand alone.
    """
    levels, nested = known.levels, known.nested
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


def shapes_table(
    shapes: Sequence[ShapeRow],
    resources: Mapping[str, int],
    kinds: Mapping[str, int],
    models: Mapping[str, int],
    node_classes: int,
) -> Shapes:
    """What pods need, as columns."""
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
        request=matrix(requests, resources),
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


def pod_sets_table(
    sets: Sequence[PodSetRow], shapes: Mapping[ShapeRow, int], levels: Mapping[str, int],
    nodes: Mapping[str, int],
) -> PodSets:  # fmt: skip
    """The pod sets of all classes."""
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
        spreads=tuple(tuple(_spread(one, levels, nodes) for one in s.spreads) for s in sets),
        prefer=tuple(s.prefer for s in sets),
    )


def _spread(one: SpreadRow, levels: Mapping[str, int], nodes: Mapping[str, int]) -> SpreadRule:
    beside = tuple((nodes[name], pods) for name, pods in one.beside if name in nodes)
    return _level(one.level, levels), one.skew, one.soft, one.counts, beside, one.domains


def _level(name: str, levels: Mapping[str, int]) -> int:
    """A level that no pool has is numbered beyond all levels: no node has a domain there."""
    return UNSET if not name else levels.get(name, len(levels))


def queues_table(rows: Sequence[QueueRow], known: Numbers) -> Queues:
    """The quota tree as columns."""
    queues, pools, resources = known.queues, known.pools, known.resources
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
            for name, column in quota.items():
                for resource, amount in getattr(said, name).items():
                    column[q, pools[pool], resources[resource]] = amount
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
        user_limit=matrix([row.user_limit for row in rows], resources, UNSET),
        decayed=decayed,
        decayed_at=floats(float(row.decayed_at) for row in rows),
        budget_left=floats(float(row.budget_left) for row in rows),
    )


def gangs_table(
    rows: Sequence[GangRow], classes: Iterable[int], queues: Mapping[str, int],
    pools: Mapping[str, int], users: Mapping[str, int], levels: Mapping[str, int],
) -> Gangs:  # fmt: skip
    """Gangs of these classes; the names say which numbers the rest have."""
    return Gangs(
        names=tuple(row.name for row in rows),
        queue=smalls(queues.get(row.queue, UNSET) for row in rows),
        klass=smalls(classes),
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
        awaits=bools(row.awaits for row in rows),
    )


def lost_table(rows: Sequence[LostRow], gangs: Mapping[str, tuple[int, int]]) -> Lost:
    """Lost ranks; `gangs` are each gang's row and that of its first pod set."""
    return Lost(
        gang=smalls(gangs[row.gang][0] for row in rows),
        pod_set=smalls(gangs[row.gang][1] + row.pod_set for row in rows),
        rank=smalls(row.rank for row in rows),
    )
