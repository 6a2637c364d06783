"""A job whose ranks changed while it has a Gang: resized, another image, another command.

The Gang gives its hardware back as if suspended (with a checkpoint, where the job writes them),
takes the new pod sets, and queues again. So nothing runs half in one shape and half in another.
"""

from __future__ import annotations

import hashlib

import msgspec

from athanor.api import labels
from athanor.api.meta import JSON, to_manifest
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob

INPUTS = (
    "roles", "elastic", "processesPerReplica", "environment", "code", "outputs", "debug",
)  # fmt: skip
"""Fields of a job's spec that make its pods."""

FREE = ("Pending", "Suspended")


def shape(job: TrainingJob) -> str:
    """A digest of what the job's pods are made from.

    Of the job's words, not of the pods: new wiring of a new version disturbs no running job.
    """
    spec = to_manifest(job.spec)
    said = msgspec.json.encode({name: spec.get(name) for name in INPUTS}, order="sorted")
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def is_stale(job: TrainingJob, gang: Gang) -> bool:
    """Whether the Gang was made from other words."""
    told = gang.metadata.annotations.get(labels.SHAPE)
    return told is not None and told != shape(job)


def is_free(gang: Gang) -> bool:
    """Whether nothing of the Gang runs, so that it may be changed."""
    return gang.status.phase in FREE and gang.status.admission is None


def change(gang: Gang, wanted: JSON) -> JSON:
    """The patch that a stale Gang needs next: leave, or the new pod sets."""
    if not is_free(gang):
        return {} if gang.spec.suspend else {"spec": {"suspend": True}}
    spec = wanted["spec"]
    taken = {name: spec.get(name) for name in ("podSets", "restart", "resize", "suspend")}
    annotations = {labels.SHAPE: wanted["metadata"]["annotations"][labels.SHAPE]}
    return {
        "metadata": {"annotations": annotations},
        "spec": {**taken, "rankAttempts": None},
    }
