"""Everything a plan about one Workspace may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api import labels
from athanor.api.core import PersistentVolumeClaim
from athanor.api.scheduling import Gang
from athanor.api.workspaces import Workspace
from athanor.features.workspaces.build import claim_name, gang_name
from athanor.features.workspaces.rules import wrong
from athanor.runtime.cache import Changed, Key, Refusal, World, refusal


class Observed(Struct, frozen=True, kw_only=True):
    """A Workspace, its Gang if there is one, whether its claim exists, what is wrong with it."""

    workspace: Workspace
    gang: Gang | None = None
    has_claim: bool = False
    wrong: str = ""
    refusal: Refusal | None = None

    @property
    def own(self) -> Gang | None:
        """The Gang, when it is this workspace's and not going away."""
        gang = self.gang
        if gang is None or gang.metadata.deletion_timestamp is not None:
            return None
        mine = any(o.uid == self.workspace.metadata.uid for o in gang.metadata.owner_references)
        return gang if mine else None


def observe(world: World, key: Key) -> Observed | None:
    """Read one Workspace's situation out of the caches; None when it is gone or going."""
    found = world.cache(Workspace).get(key)
    if found is None or found.metadata.deletion_timestamp is not None:
        return None
    claim = Key(key.namespace, claim_name(found))
    return Observed(
        workspace=found,
        gang=world.cache(Gang).get(Key(key.namespace, gang_name(found))),
        has_claim=world.cache(PersistentVolumeClaim).get(claim) is not None,
        wrong=wrong(found),
        refusal=refusal(world, key),
    )


def workspace_of(change: Changed[Gang], world: World) -> Iterable[Key]:
    """The workspace of a Gang, by its label."""
    meta = change.newest.metadata
    name = meta.labels.get(labels.WORKSPACE)
    return [Key(meta.namespace, name)] if name else []
