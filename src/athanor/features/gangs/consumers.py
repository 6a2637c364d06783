"""Claims that wait for their first consumer: whose volumes are made where he is, and who takes one
of those that people made. Who is placed says where that is, or takes it.

What comes of it is between the claim and who makes its volume; pods are made at once, and their
nodes wait for it as for any other. Who can make no volume there takes the node back, as the
external-provisioner does, and does not wait before he tries again when he is told: so we do. A
volume that people made is taken as kube-scheduler takes it: the claim is written into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from athanor.api import claims
from athanor.api.core import Node, PersistentVolume, PersistentVolumeClaim, StorageClass
from athanor.api.meta import Object, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.features.gangs.ranks import name_of, places
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.cache import Key, World
from athanor.runtime.plan import Patch
from athanor.wire import storage

MOUNTS = "mounts"
PAUSE = 60.0
"""Seconds until a claim that has lost its node again is told another time."""
CLAIMS, VOLUMES = of(PersistentVolumeClaim), of(PersistentVolume)


class Consumer(Struct, frozen=True):
    """A claim that waits, and the node of the first rank that mounts it, or the volume that it is
    to take."""

    claim: PersistentVolumeClaim
    node: str = ""
    volume: PersistentVolume | None = None


def mounted_by(gang: Object) -> Iterable[str]:
    """Index: the claims that a gang's pods name."""
    if not isinstance(gang, Gang):
        return ()
    space = gang.metadata.namespace
    found = (claim for one in gang.spec.pod_sets for claim in claims.named(one.template))
    return [f"{space}/{claim}" for claim in dict.fromkeys(found)]


def observe(world: World, gang: Gang) -> tuple[Consumer, ...]:
    """The placed gang's claims that wait to be told a node."""
    templates = {one.name: one.template for one in gang.spec.pod_sets}
    if not any(claims.mounts(template) for template in templates.values()):
        return ()
    each = dict(zip(templates, claims.together([*templates.values()]), strict=True))
    found: dict[str, Consumer] = {}
    takers: dict[tuple[str, ...], set[str]] = {}
    for place in places(gang):
        pod = name_of(gang, place.pod_set, place.rank)
        template = templates[place.pod_set]
        own = claims.own(template, pod)
        for name in (*claims.named(template), *own):
            claim = _waiting(world, gang, name, given=False)
            if name not in found and claim is not None:
                found[name] = Consumer(claim, place.node)
        for names in (each[place.pod_set], own):
            takers.setdefault(names, set()).add(place.node)
    taken = [one for names, nodes in takers.items() for one in _taking(world, gang, names, nodes)]
    return (*found.values(), *taken)


def _taking(
    world: World, gang: Gang, names: Iterable[str], nodes: set[str]
) -> Iterator[Consumer]:  # fmt: skip
    """The volumes that claims take which have to be reached from all of these nodes."""
    waiting = [one for name in names if (one := _waiting(world, gang, name, given=True))]
    if not waiting:
        return
    there = [node for name in sorted(nodes) if (node := world.cache(Node).get(Key("", name)))]
    ground = storage.Ground({node.metadata.name: node.metadata.labels for node in there})
    reached = {
        one.metadata.name: (one, manifest) for one in world.cache(PersistentVolume)
        if nodes <= ground.reach(manifest := to_manifest(one))
    }  # fmt: skip
    wanted = [to_manifest(claim) for claim in waiting]
    offered = sorted((manifest for _, manifest in reached.values()), key=storage.preference)
    chosen = storage.choose(wanted, offered)
    for claim, manifest in zip(waiting, wanted, strict=True):
        volume = chosen[storage.key(manifest)] if chosen is not None else None
        if volume is not None and not (volume["spec"].get("claimRef") or {}).get("uid"):
            yield Consumer(claim, volume=reached[volume["metadata"]["name"]][0])


def _waiting(
    world: World, gang: Gang, name: str, *, given: bool
) -> PersistentVolumeClaim | None:  # fmt: skip
    """The claim, if it waits for a volume that is `given`, or else to be told its node."""
    claim = world.cache(PersistentVolumeClaim).get(Key(gang.metadata.namespace, name))
    if claim is None or (not given and claims.SELECTED_NODE in claim.metadata.annotations):
        return None
    klass = world.cache(StorageClass).get(Key("", claims.class_of(claim)))
    if klass is None or (klass.provisioner == claims.NOBODY) != given:
        return None
    return claim if claims.is_delayed(claim, klass) else None


def plan(consumers: Iterable[Consumer], now: float) -> Iterator[Patch]:
    """Each of the claims hears of its node, or is written into its volume."""
    for one in consumers:
        if one.volume is not None:
            meta = one.volume.metadata
            yield Patch(
                resource=VOLUMES, name=meta.name, body=storage.taking(to_manifest(one.claim)),
                resource_version=meta.resource_version,
            )  # fmt: skip
            continue
        if now < _due(one):
            continue
        meta, told = one.claim.metadata, {claims.SELECTED_AT: rfc3339(now)}
        yield Patch(
            resource=CLAIMS, name=meta.name, namespace=meta.namespace,
            body={"metadata": {"annotations": {claims.SELECTED_NODE: one.node, **told}}},
            resource_version=meta.resource_version,
        )  # fmt: skip


def moments(consumers: Iterable[Consumer]) -> list[float]:
    """When claims are told another time."""
    return [_due(one) for one in consumers if one.volume is None]


def _due(one: Consumer) -> float:
    try:
        told = parse_rfc3339(one.claim.metadata.annotations.get(claims.SELECTED_AT, ""))
    except ValueError:  # never, or somebody else wrote it
        return 0.0
    return told + PAUSE
