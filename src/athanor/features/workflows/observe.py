"""Everything a plan about one Workflow may know, as one frozen value."""

from __future__ import annotations

from msgspec import Struct

from athanor.api.core import PersistentVolumeClaim
from athanor.api.workflows import Workflow
from athanor.features.workflows.artifacts import claim_name
from athanor.runtime.cache import Key, Refusal, World, refusal
from athanor.runtime.children import Child, children


class Observed(Struct, frozen=True, kw_only=True):
    """A Workflow, what its steps have made, and whether its claim exists."""

    workflow: Workflow
    objects: tuple[Child, ...] = ()
    has_claim: bool = False
    refusal: Refusal | None = None


def observe(world: World, key: Key) -> Observed | None:
    """Read one Workflow's situation out of the caches; None when it is gone or going."""
    workflow = world.cache(Workflow).get(key)
    if workflow is None or workflow.metadata.deletion_timestamp is not None:
        return None
    claim = Key(key.namespace, claim_name(workflow))
    return Observed(
        workflow=workflow,
        objects=children(world, workflow.metadata.uid),
        has_claim=world.cache(PersistentVolumeClaim).get(claim) is not None,
        refusal=refusal(world, key),
    )
