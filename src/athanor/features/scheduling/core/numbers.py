"""What the names in rows stand for: numbers by first appearance."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from athanor.features.scheduling.core.rows import AskRow, NodeRow, Rows, ShapeRow

Key = TypeVar("Key", bound=Hashable)


class Numbers(NamedTuple):
    """What names stand for: their numbers by first appearance."""

    resources: Mapping[str, int]
    kinds: Mapping[str, int]
    models: Mapping[str, int]
    levels: Mapping[str, int]
    pools: Mapping[str, int]
    queues: Mapping[str, int]
    nodes: Mapping[str, int]
    nested: tuple[str, ...]


class Offer(NamedTuple):
    """What nodes name: their names, kinds and models of devices, resources."""

    names: Mapping[str, int]
    kinds: tuple[str, ...]
    models: tuple[str, ...]
    resources: tuple[str, ...]


def offer(nodes: Sequence[NodeRow]) -> Offer:
    """What the nodes name, each once, in order of appearance."""
    return Offer(
        number(node.name for node in nodes),
        tuple(number(d.kind for node in nodes for d in node.devices)),
        tuple(number(d.model for node in nodes for d in node.devices if d.model)),
        tuple(number(name for node in nodes for name in node.capacity)),
    )


def numbers(rows: Rows, asks: Iterable[AskRow], offered: Offer | None = None) -> Numbers:
    """The numbers of all names in the rows, and in what gangs ask for."""
    offered = offered or offer(rows.nodes)
    shapes = number(pod_set.shape for ask in asks for pod_set in ask.pod_sets)
    kinds = number([*offered.kinds, *(s.kind for s in shapes if s.kind)])
    own = [level for pool in rows.pools for level in pool.levels]
    return Numbers(
        resources=_resources(rows, shapes, kinds, offered.resources),
        kinds=kinds,
        models=number([*offered.models, *(model for shape in shapes for model in shape.models)]),
        levels=number([*own, *rows.levels]),
        pools=number(pool.name for pool in rows.pools),
        queues=number(queue.name for queue in rows.queues),
        nodes=offered.names,
        nested=tuple(dict.fromkeys(own)),
    )


def number(values: Iterable[Key]) -> dict[Key, int]:
    """Numbers of the different values by first appearance."""
    return {value: i for i, value in enumerate(dict.fromkeys(values))}


def _resources(
    rows: Rows, shapes: Iterable[ShapeRow], kinds: Iterable[str], offered: Iterable[str]
) -> dict[str, int]:
    said: dict[str, None] = dict.fromkeys([*rows.resources, *kinds, *offered])
    for shape in shapes:
        said |= dict.fromkeys(name for name, _ in shape.request)
    for queue in rows.queues:
        for quota in queue.quotas.values():
            for amounts in quota[:4]:
                said |= dict.fromkeys(amounts)
        said |= dict.fromkeys(queue.user_limit)
    for reservation in rows.reservations:
        said |= dict.fromkeys(reservation.amounts)
    return number(said)
