"""Claims whose volumes are made where their first consumer is: who is placed says where that is.

What comes of it is between the claim and who makes its volume; pods are made at once, and their
nodes wait for it as for any other. Who can make no volume there takes the node back, as the
external-provisioner does, and does not wait before he tries again when he is told: so we do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from athanor.api import claims
from athanor.api.core import PersistentVolumeClaim, StorageClass
from athanor.api.meta import Object
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.features.gangs.ranks import name_of, places
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.cache import Key, World
from athanor.runtime.plan import Patch

MOUNTS = "mounts"
PAUSE = 60.0
"""Seconds until a claim that has lost its node again is told another time."""
CLAIMS = of(PersistentVolumeClaim)


class Consumer(Struct, frozen=True):
    """A claim that waits, and the node of the first rank that mounts it."""

    claim: PersistentVolumeClaim
    node: str


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
    found: dict[str, Consumer] = {}
    for place in places(gang):
        pod = name_of(gang, place.pod_set, place.rank)
        template = templates[place.pod_set]
        for name in (*claims.named(template), *claims.own(template, pod)):
            claim = world.cache(PersistentVolumeClaim).get(Key(gang.metadata.namespace, name))
            if name not in found and claim is not None and _waits(world, claim):
                found[name] = Consumer(claim, place.node)
    return tuple(found.values())


def _waits(world: World, claim: PersistentVolumeClaim) -> bool:
    if claims.SELECTED_NODE in claim.metadata.annotations:
        return False
    return claims.is_delayed(claim, world.cache(StorageClass).get(Key("", claims.class_of(claim))))


def plan(consumers: Iterable[Consumer], now: float) -> Iterator[Patch]:
    """Each of the claims hears of its node."""
    for one in consumers:
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
    return [_due(one) for one in consumers]


def _due(one: Consumer) -> float:
    try:
        told = parse_rfc3339(one.claim.metadata.annotations.get(claims.SELECTED_AT, ""))
    except ValueError:  # never, or somebody else wrote it
        return 0.0
    return told + PAUSE
