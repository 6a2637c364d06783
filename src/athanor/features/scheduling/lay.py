"""Nodes and needs together: who may go where, and what is counted there.

What a node or a need alone decides is kept from look to look; throwing it away costs time alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from athanor.api.core import Node, Pod
from athanor.features.scheduling import gangs, near, nodes, pods, rates, sites
from athanor.features.scheduling import given as volumes_given
from athanor.features.scheduling.core.rows import NodeRow
from athanor.features.scheduling.gangs import Sited
from athanor.features.scheduling.given import Given
from athanor.features.scheduling.machines import Machine
from athanor.features.scheduling.near import Cluster
from athanor.features.scheduling.nodes import NodeClass
from athanor.features.scheduling.pods import PodNeed
from athanor.features.scheduling.sites import Counted, Volumes
from athanor.runtime.cache import World

Marks = Mapping[str, Mapping[str, str]]


class Lay(NamedTuple):
    """The nodes as rows, what every need is to them, the domains and labels somebody asks for, the
    volumes that gangs may take, and the taints of each node class by name."""

    machines: list[NodeRow]
    needs: Mapping[PodNeed, Sited]
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    given: Given | None
    taints: tuple[str, ...]


class Layer:
    """Makes the lay; the rows of nodes for which nothing changed are the same objects."""

    def __init__(self) -> None:
        self._classes: dict[str, tuple[Node, NodeClass]] = {}
        self._labels: tuple[str, ...] = ()
        self._sited: dict[PodNeed, Sited] = {}
        self._ground: tuple[object, ...] = ()
        self._rows: dict[str, tuple[tuple[object, ...], NodeRow]] = {}
        self._common: tuple[object, ...] = ()

    def __call__(
        self, world: World, machines: Mapping[str, Machine], levels: Collection[str],
        needs: Collection[PodNeed], foreign: Mapping[str, dict[str, int]],
        counted: frozenset[str], beside: Iterable[Pod] | None,
    ) -> Lay:  # fmt: skip
        """`machines` in the order of their names; `levels` are those of the pools' topologies.

        `beside`: the pods there are and those that are coming; None where nobody asks for them.
        """
        matter = beside is not None
        near_by = [one.node for one in machines.values()] if matter else []
        cluster = Cluster(near_by, beside or ())
        volumes = sites.bound_volumes(world) if matter else {}
        labels = {name: one.node.metadata.labels for name, one in machines.items()}
        given = volumes_given.read(world, labels) if matter else None
        marks: dict[str, dict[str, str]] = {}
        names = frozenset(machines) if matter else frozenset()
        wheres = {
            need: sites.answered(need, number, names, cluster, volumes, given, marks)
            for number, need in enumerate(needs)
        }
        of_node = self._classed(machines, wheres, marks)
        numbers = {klass: i for i, klass in enumerate(dict.fromkeys(of_node))}
        taints = tuple(nodes.barring(klass) for klass in numbers)
        sited = self._answers(
            wheres, list(numbers), cluster, volumes, given, counted, matter=matter
        )
        reached = {one.topology.volumes for one in sited.values()} - {""}
        keys = tuple(sorted({*near.keys(need.wishes for need in needs), *reached}))
        offers = {name for one in machines.values() for name in one.offered[0]}
        offers |= {device.kind for one in machines.values() for device in one.offered[1]}
        what = sites.counted([one.shape for one in sited.values()], offers)
        wide = tuple(sorted({*levels, *keys}))
        made_up = marks if reached else {}
        rows = self._made((what, wide, counted), machines, of_node, numbers, foreign, made_up)
        return Lay(rows, sites.with_models(sited, rows), keys, self._labels, given, taints)

    def _classed(
        self, machines: Mapping[str, Machine], wheres: Mapping[PodNeed, pods.Where], marks: Marks
    ) -> list[NodeClass]:
        """Every node's class, by the labels that somebody asks for."""
        labels = {label for where in wheres.values() for label in where.labels}
        labels |= {
            label for need in wheres for _, terms in need.liked for term in terms
            for label, _, _ in term
        }  # fmt: skip
        if any(nodes.COST in one.node.metadata.labels for one in machines.values()):
            labels.add(nodes.COST)
        asked = tuple(sorted(labels))
        known = self._classes if asked == self._labels and not marks else {}
        kept: dict[str, tuple[Node, NodeClass]] = {}
        for name, one in machines.items():
            held = known.get(name)
            if held is None or held[0] is not one.node:
                held = one.node, nodes.class_of(one.node, asked, marks.get(name))
            kept[name] = held
        self._classes, self._labels = ({} if marks else kept), asked
        return [klass for _, klass in kept.values()]

    def _answers(
        self, wheres: Mapping[PodNeed, pods.Where], classes: Sequence[NodeClass],
        cluster: Cluster, volumes: Volumes, given: Given | None, counted: frozenset[str], *,
        matter: bool,
    ) -> dict[PodNeed, Sited]:  # fmt: skip
        """Every need with the answers of all node classes."""
        ground = (*classes, counted)
        known = self._sited if ground == self._ground and not matter else {}
        found = {}
        for number, (need, where) in enumerate(wheres.items()):
            made = known.get(need)
            found[need] = made if made is not None else _answer(
                need, number, where, classes, cluster, volumes, given, counted
            )  # fmt: skip
        self._sited, self._ground = ({} if matter else found), ground
        return found

    def _made(
        self, common: tuple[Counted, tuple[str, ...], frozenset[str]],
        machines: Mapping[str, Machine], of_node: Sequence[NodeClass],
        numbers: Mapping[NodeClass, int], foreign: Mapping[str, dict[str, int]], marks: Marks,
    ) -> list[NodeRow]:  # fmt: skip
        """The rows; those of nodes where nothing is new are the old ones."""
        known = self._rows if common == self._common else {}
        kept: dict[str, tuple[tuple[object, ...], NodeRow]] = {}
        for (name, one), klass in zip(machines.items(), of_node, strict=True):
            number, others = numbers[klass], foreign.get(name, _NOTHING)
            made_up = marks.get(name, _UNMARKED)
            held = known.get(name)
            if (
                held is None or held[0][0] is not one or held[0][1] != number
                or held[0][2] is not others or held[0][3] != made_up
            ):  # fmt: skip
                made = _row(one, number, others, made_up, *common)
                held = (one, number, others, made_up), made
            kept[name] = held
        self._rows, self._common = kept, common
        return [row for _, row in kept.values()]


_NOTHING: dict[str, int] = {}
_UNMARKED: dict[str, str] = {}


def _row(
    one: Machine, klass: int, foreign: Mapping[str, int], made_up: Mapping[str, str],
    what: Counted, levels: Sequence[str], counted: frozenset[str],
) -> NodeRow:  # fmt: skip
    labels = one.node.metadata.labels
    labels = {**labels, **made_up} if made_up else labels
    row = NodeRow(
        name=one.node.metadata.name,
        pool=one.pool,
        capacity=one.offered[0],
        klass=klass,
        foreign=foreign,
        domains={level: labels[level] for level in levels if level in labels},
        devices=one.offered[1],
    )
    return rates.with_room(sites.machine(row, one.ids, what), counted)


def _answer(
    need: PodNeed, number: int, where: pods.Where, classes: Sequence[NodeClass],
    cluster: Cluster, volumes: Volumes, given: Given | None, counted: frozenset[str],
) -> Sited:  # fmt: skip
    alone = need._replace(where=where)
    shape = gangs.shape(alone, classes) if classes else need.shape
    more = sites.attached(need, volumes)
    if more:
        shape = shape._replace(request=tuple(sorted((*shape.request, *more.items()))))
    topology = cluster.topology(need.wishes) if need.wishes.needed else near.Topology()
    if given is not None:
        level = sites.volume_level(given, cluster, need.wishes)
        topology = topology._replace(volumes=level)
    return Sited(
        rates.with_memory(shape, counted),
        topology,
        pods.prefer(need, classes, f"{sites.MARK}worth-{number}"),
    )
