"""Volumes that people made, for claims that wait for their first consumer: who may take which.

Classes without a provisioner (local volumes) have such. A gang goes where each of its claims finds
a volume of its own that all ranks with the claim reach; who has been placed takes them (features
gangs), and what he will take is nobody else's from his admission on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from athanor.api import claims
from athanor.api.core import PersistentVolume, PersistentVolumeClaim, StorageClass
from athanor.api.meta import JSON, to_manifest
from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs
from athanor.features.scheduling.core.snapshot import Admit, Decisions, Move, Snapshot
from athanor.features.scheduling.near import Wishes
from athanor.runtime.cache import World
from athanor.wire import storage

Labels = Mapping[str, Mapping[str, str]]
"""The labels of nodes, by name."""


class Given(NamedTuple):
    """The claims (`namespace/name`) that wait for such a volume, the volumes of their classes by
    name, and from which nodes each is reached."""

    claims: Mapping[str, JSON]
    volumes: Mapping[str, JSON]
    reach: Mapping[str, frozenset[str]]
    nodes: Labels

    def waiting(self, namespace: str, names: Iterable[str]) -> list[JSON]:
        """Those of the claims that wait."""
        keys = (f"{namespace}/{name}" for name in names)
        return [self.claims[key] for key in keys if key in self.claims]

    def level(self, wishes: Wishes, levels: Iterable[str]) -> str:
        """The made-up label whose domains are nodes that reach the same volumes; "" where nobody
        waits for any. It is read by people, in reasons.
        """
        waiting = self.waiting(wishes.namespace, wishes.together)
        within = "".join(f" in one {level}" for level in levels)
        told = " and ".join(map(storage.key, waiting))
        return f"place in reach of volumes for {told}{within}" if waiting else ""

    def domains(self, wishes: Wishes, levels: Sequence[str]) -> dict[str, str]:
        """Node → its domain: where all of the claims find volumes, and which, and its domains of
        `levels`."""
        waiting = self.waiting(wishes.namespace, wishes.together)
        here: dict[str, list[str]] = {}
        for name, volume in sorted(self.volumes.items(), key=self._widest):
            if any(storage.is_open(claim, volume) for claim in waiting):
                for node in self.reach[name]:
                    here.setdefault(node, []).append(name)
        known: dict[tuple[str, ...], Mapping[str, JSON] | None] = {}
        found = {}
        for node, names in here.items():
            labels = self.nodes[node]
            if tuple(names) not in known:
                known[tuple(names)] = storage.choose(waiting, map(self.volumes.__getitem__, names))
            chosen = known[tuple(names)]
            if chosen is not None and all(level in labels for level in levels):
                mine = [chosen[storage.key(claim)]["metadata"]["name"] for claim in waiting]
                found[node] = "/".join([*mine, *(labels[level] for level in levels)])
        return found

    def _widest(self, one: tuple[str, JSON]) -> tuple[bool, int, tuple[bool, int, str]]:
        """Volumes that many nodes reach come first: they make large domains."""
        name, volume = one
        first = storage.preference(volume)
        return first[0], -len(self.reach[name]), first

    def after(self, gang: Gang, places: Collection[tuple[int, str]]) -> Given | None:
        """When a gang with ranks (pod set, node) has taken what it needs; None: it cannot."""
        made, space = self, gang.metadata.namespace
        each = claims.together([one.template for one in gang.spec.pod_sets])
        for names in dict.fromkeys(each):
            waiting = made.waiting(space, names)
            nodes = {node for index, node in places if each[index] == names}
            if not waiting or not nodes:
                continue
            reached = [v for name, v in made.volumes.items() if nodes <= made.reach[name]]
            chosen = storage.choose(waiting, sorted(reached, key=storage.preference))
            if chosen is None:
                return None
            taken = {
                volume["metadata"]["name"]: storage.held(volume, made.claims[key])
                for key, volume in chosen.items()
            }
            made = made._replace(volumes={**made.volumes, **taken})
        return made


def read(world: World, nodes: Labels) -> Given | None:
    """What there is, without what admitted gangs will take; None where no claim waits for it."""
    classes = {
        one.metadata.name for one in world.cache(StorageClass)
        if one.provisioner == claims.NOBODY and one.volume_binding_mode == claims.DELAYED
    }  # fmt: skip
    waiting = {
        storage.key(manifest): manifest
        for claim in (world.cache(PersistentVolumeClaim) if classes else ())
        if claims.class_of(claim) in classes and not claim.spec.get("volumeName")
        and (manifest := to_manifest(claim))
    }  # fmt: skip
    if not waiting:
        return None
    volumes = {
        one.metadata.name: to_manifest(one) for one in world.cache(PersistentVolume)
        if one.spec.get("storageClassName") in classes
    }  # fmt: skip
    ground = storage.Ground(nodes)
    reach = {name: ground.reach(volume) for name, volume in volumes.items()}
    found = Given(waiting, volumes, reach, nodes)
    holding = [gang for gang in world.cache(Gang) if gangs.holds(gang)]
    for gang in sorted(holding, key=gangs.key_of):
        places = {(row.pod_set, row.node) for row in gangs.running(gang, nodes.keys())}
        found = found.after(gang, places) or found
    return found


def keep(
    given: Given | None, all_gangs: Mapping[str, Gang], s: Snapshot, decisions: Decisions
) -> Decisions:
    """The decisions without those that would take the same volumes as others: the first has them,
    and the next look finds others or says that there are none.
    """
    if given is None:
        return decisions
    left = given

    def fits(one: Admit | Move) -> bool:
        nonlocal left
        gang = all_gangs[s.gangs.names[one.gang]]
        index = {pod_set.name: i for i, pod_set in enumerate(gang.spec.pod_sets)}
        places = {
            (index[s.pod_sets.names[placed.pod_set]], s.nodes.names[n])
            for placed in one.placed for n in placed.nodes.tolist()
        }  # fmt: skip
        after = left.after(gang, places)
        left = after or left
        return after is not None

    return dataclasses.replace(
        decisions,
        admitted=tuple(one for one in decisions.admitted if fits(one)),
        moved=tuple(one for one in decisions.moved if fits(one)),
    )
