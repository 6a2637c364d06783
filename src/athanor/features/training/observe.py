"""Everything a plan about one job may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.core import PersistentVolumeClaim, Pod
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob, claim_of
from athanor.features.training.states import FINISHED
from athanor.runtime.cache import Changed, Key, Refusal, World, refusal
from athanor.runtime.indexes import PODS_OF_GANG


class Observed(Struct, frozen=True, kw_only=True):
    """A job, the Gang of its name if there is one, and whether its claim exists.

    `pods` are its Gang's, where that is over and the job says that they go with it.
    """

    job: TrainingJob
    gang: Gang | None = None
    has_claim: bool = False
    pods: tuple[Pod, ...] = ()
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
    claim = Key(key.namespace, claim_of(key.name))
    gang = world.cache(Gang).get(key)
    return Observed(
        job=job,
        gang=gang,
        has_claim=world.cache(PersistentVolumeClaim).get(claim) is not None,
        pods=_cleaned(world, job, gang),
        refusal=refusal(world, key),
    )


def _cleaned(world: World, job: TrainingJob, gang: Gang | None) -> tuple[Pod, ...]:
    policy, meta = job.spec.run_policy, job.metadata
    wanted = policy.clean_pods == "All" or policy.ttl_seconds_after_finished is not None
    if not wanted or gang is None or gang.status.phase not in FINISHED:
        return ()
    return tuple(world.cache(Pod).by(PODS_OF_GANG, f"{meta.namespace}/{meta.name}"))


def job_of(change: Changed[Gang], world: World) -> Iterable[Key]:
    """The job of a Gang: they share their name."""
    meta = change.newest.metadata
    return (Key(meta.namespace, meta.name),)
