"""A snapshot from plain rows: names become numbers, equal asks one class, equal pods one shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import numpy as np

from athanor.features.scheduling.core.columns import (
    gangs_table,
    lost_table,
    marks_table,
    matrix,
    nodes_table,
    pod_sets_table,
    queues_table,
    shapes_table,
)
from athanor.features.scheduling.core.numbers import Numbers, number, numbers
from athanor.features.scheduling.core.rows import AskRow, Rows
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Classes,
    Lifetimes,
    PodSets,
    Pools,
    Reservations,
    Running,
    Shapes,
    Snapshot,
)
from athanor.features.scheduling.core.table import Floats, Smalls, bools, floats, ints, smalls


def build(rows: Rows) -> Snapshot:
    """The snapshot of these rows. Raises KeyError for a name that no row has."""
    asks = number(gang.ask for gang in rows.gangs)
    users = number(gang.user for gang in rows.gangs)
    known = numbers(rows, asks)
    first = first_sets(asks)
    return Snapshot(
        users=tuple(users),
        gangs=gangs_table(
            rows.gangs, [asks[gang.ask] for gang in rows.gangs], known.queues, known.pools, users,
            known.levels,
        ),
        running=_running(rows, asks, known.nodes, first),
        lost=lost_table(rows.lost, _first_sets(rows, asks, first) if rows.lost else {}),
        nodes=nodes_table(rows.nodes, known),
        queues=queues_table(rows.queues, known),
        **ground(rows, known),
        **wanted(rows, asks, known),
    )  # fmt: skip


class Ground(TypedDict):
    """The parts of a snapshot that gangs are not in."""

    resources: tuple[str, ...]
    device_kinds: tuple[str, ...]
    models: tuple[str, ...]
    levels: tuple[str, ...]
    taints: tuple[str, ...]
    pools: Pools
    lifetimes: Lifetimes
    reservations: Reservations


def ground(rows: Rows, known: Numbers) -> Ground:
    """Names, pools and reservations."""
    kept, levels = rows.reservations, known.levels
    return Ground(
        resources=tuple(known.resources),
        device_kinds=tuple(known.kinds),
        models=tuple(known.models),
        levels=tuple(levels),
        taints=tuple(rows.taints),
        pools=Pools(
            names=tuple(known.pools),
            levels=tuple(tuple(levels[x] for x in pool.levels) for pool in rows.pools),
            spread=bools(pool.spread for pool in rows.pools),
            elastic=bools(pool.elastic for pool in rows.pools),
            cost=floats(pool.cost for pool in rows.pools),
            derive=_derive(rows, known.resources),
        ),
        lifetimes=Lifetimes(ends=_lifetimes(rows.lifetimes)),
        reservations=Reservations(
            names=tuple(r.name for r in kept),
            nodes=marks_table([r.nodes for r in kept], known.nodes),
            queues=marks_table([r.queues for r in kept], known.queues),
            pool=smalls(known.pools.get(r.pool, UNSET) for r in kept),
            amounts=matrix([r.amounts for r in kept], known.resources),
            spares=bools(r.spares for r in kept),
            start=floats(r.start for r in kept),
            end=floats(r.end for r in kept),
        ),
    )


class Wanted(TypedDict):
    """The parts of a snapshot that say what gangs ask for."""

    shapes: Shapes
    classes: Classes
    pod_sets: PodSets


def wanted(rows: Rows, asks: Iterable[AskRow], known: Numbers) -> Wanted:
    """Classes, their pod sets, and the shapes of those; `asks` in the order of the classes."""
    asks = list(asks)
    sets = [pod_set for ask in asks for pod_set in ask.pod_sets]
    shapes, pools = number(pod_set.shape for pod_set in sets), known.pools
    return Wanted(
        shapes=shapes_table(
            list(shapes), known.resources, known.kinds, known.models, rows.node_classes
        ),
        classes=Classes(
            first=first_sets(asks),
            pools=tuple(tuple(pools[p] for p in a.pools if p in pools) for a in asks),
        ),
        pod_sets=pod_sets_table(sets, shapes, known.levels, known.nodes),
    )  # fmt: skip


def first_sets(asks: Iterable[AskRow]) -> Smalls:
    """The first pod set of each class, and one number more: how many sets there are."""
    return np.cumsum(smalls([0, *(len(ask.pod_sets) for ask in asks)]), dtype=np.int32)


def _first_sets(rows: Rows, asks: dict[AskRow, int], first: Smalls) -> dict[str, tuple[int, int]]:
    """Each gang's row and that of its first pod set."""
    return {gang.name: (i, int(first[asks[gang.ask]])) for i, gang in enumerate(rows.gangs)}


def _running(
    rows: Rows, asks: dict[AskRow, int], nodes: Mapping[str, int], first: Smalls
) -> Running:
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


def _derive(rows: Rows, resources: Mapping[str, int]) -> Floats:
    derive = np.zeros((len(rows.pools), len(resources), len(resources)))
    for p, pool in enumerate(rows.pools):
        for (source, target), factor in pool.derive.items():
            if source in resources and target in resources:
                derive[p, resources[source], resources[target]] = factor
    return derive


def _lifetimes(rows: Sequence[Sequence[float]]) -> Floats:
    width = len(rows[0]) if rows else 0
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
