"""Pods that are decided on and not there yet: other pods may keep away from them, or be drawn to
them.

Gangs that start in one cycle know nothing of each other's pods. Who would go elsewhere for those of
one before it waits for the next look, which counts them as pods that are there.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from athanor.api import labels
from athanor.api.core import Pod, PodSpec
from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs, near
from athanor.features.scheduling.core.snapshot import Admit, Decisions, Move, Snapshot
from athanor.features.scheduling.machines import Machine
from athanor.features.scheduling.near import Wishes
from athanor.runtime.cache import Cache, Key
from athanor.runtime.indexes import PODS_OF_GANG

STARTS = ("Admitted", "Starting", "Restarting")
CROWD = 64
"""With more gangs to start at once nobody waits for what is merely preferred."""

Placed = tuple[Wishes, frozenset[str]]
"""A pod set's wishes, and the nodes that it goes to."""


def is_coming(gang: Gang) -> bool:
    """Whether it has places where some of its pods may not be yet."""
    return gangs.holds(gang) and gang.status.phase in STARTS


def coming(gang: Gang, pods: Cache[Pod], nodes: Collection[str]) -> Iterator[Pod]:
    """The pods that such a gang will have, as far as they matter to others."""
    sets = gang.spec.pod_sets
    there = Counter(_there(gang, pods))
    wanted = Counter((sets[row.pod_set].name, row.node) for row in gangs.running(gang, nodes))
    templates = {one.name: one.template for one in sets}
    for (name, node), count in (wanted - there).items():
        template = templates[name]
        own = (template.get("metadata") or {}).get("labels") or {}
        affinity = (template.get("spec") or {}).get("affinity")
        meta = ObjectMeta(namespace=gang.metadata.namespace, labels=own)
        pod = Pod(metadata=meta, spec=PodSpec(node_name=node, affinity=affinity))
        yield from (pod for _ in range(count))


def _there(gang: Gang, pods: Cache[Pod]) -> Iterator[tuple[str, str]]:
    """Pod set and node of the pods that it has."""
    if not gang.spec.adopts:
        for pod in pods.by(PODS_OF_GANG, gangs.key_of(gang)):
            yield pod.metadata.labels.get(labels.POD_SET, ""), pod.spec.node_name
    for name, names in gang.spec.adopts.items():
        found = (pods.get(Key(gang.metadata.namespace, one)) for one in names)
        yield from ((name, pod.spec.node_name) for pod in found if pod is not None)


def keep(
    machines: Mapping[str, Machine], all_gangs: Mapping[str, Gang], s: Snapshot,
    decisions: Decisions,
) -> Decisions:  # fmt: skip
    """The decisions without gangs for which it matters where others go that start, too."""
    if len(decisions.admitted) + len(decisions.moved) < 2:
        return decisions
    made = [(one, _placed(one, all_gangs, s)) for one in decisions.admitted]
    if not any(_asks(wishes) for _, placed in made for wishes, _ in placed):
        return decisions
    others: dict[Wishes, frozenset[str]] = {}

    def take(placed: list[Placed]) -> None:
        for wishes, nodes in placed:
            others[wishes] = others.get(wishes, frozenset()) | nodes

    for moved in decisions.moved:
        take(_placed(moved, all_gangs, s))
    ground = _Ground(machines, patient=len(made) <= CROWD)
    kept = []
    for one, placed in made:
        if not any(ground.matters(mine, other) for mine in placed for other in others.items()):
            kept.append(one)
            take(placed)
    return dataclasses.replace(decisions, admitted=tuple(kept))


def _placed(one: Admit | Move, all_gangs: Mapping[str, Gang], s: Snapshot) -> list[Placed]:
    gang = all_gangs[s.gangs.names[one.gang]]
    templates = {pod_set.name: pod_set.template for pod_set in gang.spec.pod_sets}
    return [
        (
            near.read(gang.metadata.namespace, templates[s.pod_sets.names[placed.pod_set]]),
            frozenset(s.nodes.names[n] for n in placed.nodes.tolist()),
        )
        for placed in one.placed
    ]  # fmt: skip


def _asks(wishes: Wishes) -> bool:
    return bool(wishes.beside or wishes.apart or wishes.liked or wishes.spreads)


class _Ground:
    """Nodes with labels; `patient`: what is preferred counts, too."""

    def __init__(self, machines: Mapping[str, Machine], *, patient: bool) -> None:
        self.machines = machines
        self.patient = patient

    def matters(self, mine: Placed, other: Placed) -> bool:
        """Whether pods would go elsewhere, or could not be where they go, for those others."""
        (own, nodes), (theirs, taken) = mine, other
        if not _asks(own) and not theirs.apart:
            return False
        return (
            any(self._share(term.key, nodes, taken) for term in own.apart if _meant(term, theirs))
            or any(self._share(term.key, nodes, taken) for term in theirs.apart
                   if _meant(term, own))
            or any(self._astray(term.key, nodes, taken) for term in own.beside
                   if _meant(term, theirs) and _meant(term, own))
            or self._uneven(own, nodes, other)
        )  # fmt: skip

    def _uneven(self, own: Wishes, nodes: frozenset[str], other: Placed) -> bool:
        """Whether others count in what is spread, or are what is preferred."""
        theirs, taken = other
        spreads = (one for one in own.spreads if self.patient or not one.soft)
        terms = (near.Term(o.selector, (own.namespace,), False, o.key) for o in spreads)
        liked = own.liked if self.patient else ()
        return any(
            self._share(term.key, nodes, taken) for term in terms if _meant(term, theirs)
        ) or any(
            (self._share if weight < 0 else self._astray)(term.key, nodes, taken)
            for weight, term in liked if _meant(term, theirs)
        )  # fmt: skip

    def _domains(self, key: str, nodes: frozenset[str]) -> set[str]:
        told = (self.machines[name].node.metadata.labels for name in nodes)
        return {one[key] for one in told if key in one}

    def _share(self, key: str, nodes: frozenset[str], taken: frozenset[str]) -> bool:
        """Whether some domain has both."""
        return not self._domains(key, nodes).isdisjoint(self._domains(key, taken))

    def _astray(self, key: str, nodes: frozenset[str], taken: frozenset[str]) -> bool:
        """Whether some of the nodes are in domains where the others are not."""
        return not self._domains(key, nodes) <= self._domains(key, taken)


def _meant(term: near.Term, wishes: Wishes) -> bool:
    return near.matches(term, wishes.namespace, dict(wishes.labels))
