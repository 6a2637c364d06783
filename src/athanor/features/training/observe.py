"""Everything a plan about one job may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.core import PersistentVolumeClaim
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.runtime.cache import Changed, Key, Refusal, World, refusal


class Observed(Struct, frozen=True, kw_only=True):
    """A job, the Gang of its name if there is one, and whether its claim exists."""

    job: TrainingJob
    gang: Gang | None = None
    has_claim: bool = False
    refusal: Refusal | None = None

    @property
    def own(self) -> Gang | None:
        """The Gang, when it is this job's and not going away."""
        gang = self.gang
        if gang is None or gang.metadata.deletion_timestamp is not None:
            return None
        mine = any(o.uid == self.job.metadata.uid for o in gang.metadata.owner_references)
        return gang if mine else None


def observe(world: World, key: Key) -> Observed | None:
    """Read one job's situation out of the caches; None when it is gone or going."""
    job = world.cache(TrainingJob).get(key)
    if job is None or job.metadata.deletion_timestamp is not None:
        return None
    claim = Key(key.namespace, f"{key.name}-checkpoints")
    return Observed(
        job=job,
        gang=world.cache(Gang).get(key),
        has_claim=world.cache(PersistentVolumeClaim).get(claim) is not None,
        refusal=refusal(world, key),
    )


def job_of(change: Changed[Gang], world: World) -> Iterable[Key]:
    """The job of a Gang: they share their name."""
    meta = change.newest.metadata
    return (Key(meta.namespace, meta.name),)
