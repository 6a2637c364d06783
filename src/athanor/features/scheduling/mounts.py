"""Claims that pods mount: without them, or without their volumes, pods would hold their places and
not start.

Of claims whose volumes somebody makes for their first consumer the first consumer is the gang, and
those that nobody provisions are another matter (`given`).
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import claims
from athanor.api.core import PersistentVolumeClaim, StorageClass
from athanor.api.scheduling import Gang
from athanor.features.scheduling.core.why import Code
from athanor.features.scheduling.gangs import Refused
from athanor.features.scheduling.pods import PodNeed
from athanor.runtime.cache import Key, World

PROVISIONERS = (
    "volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner",
)  # fmt: skip
"""Annotations of a claim: who was told to make its volume."""


def named(needs: Iterable[PodNeed]) -> tuple[str, ...]:
    """The claims that a gang's pods name."""
    return tuple(dict.fromkeys(claim for need in needs for claim in need.wishes.claims))


def refusal(gang: Gang, names: Iterable[str], world: World) -> Refused | None:
    """Why pods that mount these claims would not start now."""
    for name in names:
        claim = world.cache(PersistentVolumeClaim).get(Key(gang.metadata.namespace, name))
        if claim is None:
            lacks = "which is not in its namespace"
        elif claim.metadata.deletion_timestamp is not None:
            lacks = "which is being deleted"
        elif whose := _makes(claim, world):
            lacks = f"whose volume {whose} has still to make"
        else:
            continue
        return Refused(Code.CLAIM_NOT_READY, f"its pods mount claim {name}, {lacks}")
    return None


def _makes(claim: PersistentVolumeClaim, world: World) -> str:
    """Who makes its volume wherever the consumer is, and has not yet; "" for nobody."""
    klass = world.cache(StorageClass).get(Key("", claims.class_of(claim)))
    if claim.spec.get("volumeName") or claims.is_delayed(claim, klass):
        return ""
    told = claim.metadata.annotations
    return next((told[key] for key in PROVISIONERS if told.get(key)), "")
