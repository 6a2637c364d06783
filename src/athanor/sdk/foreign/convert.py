"""Which reader a foreign object needs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.sdk.foreign import (
    batch,
    batch_cron,
    kubeflow,
    kuberay,
    t9k,
    t9k_beam,
    t9k_mpi,
    volcano,
)
from athanor.sdk.foreign.given import Given

Reader = Callable[[Given, str], JSON]

READERS: Mapping[tuple[str, str], Reader] = {
    **{("kubeflow.org", kind): kubeflow.replicated for kind in kubeflow.REPLICAS},
    ("kubeflow.org", "MPIJob"): kubeflow.mpi,
    ("trainer.kubeflow.org", "TrainJob"): kubeflow.train,
    **{("batch.tensorstack.dev", kind): t9k.replicated for kind in t9k.FRAMEWORKS},
    ("batch.tensorstack.dev", "DeepSpeedJob"): t9k.deepspeed,
    ("batch.tensorstack.dev", "MPIJob"): t9k_mpi.read,
    ("batch.tensorstack.dev", "ColossalAIJob"): t9k.colossal,
    ("batch.tensorstack.dev", "BeamJob"): t9k_beam.read,
    ("batch", "Job"): batch.job,
    ("batch", "CronJob"): batch_cron.cron,
    ("ray.io", "RayJob"): kuberay.job,
    ("batch.volcano.sh", "Job"): volcano.job,
}
"""(API group, kind) → how it is read."""


class Converted(Struct, frozen=True):
    """Our manifest, and what it does not say: fields that were left, and notes."""

    manifest: JSON
    lost: Sequence[str]
    notes: Sequence[str]


def convert(manifest: JSON) -> Converted:
    """A foreign job as ours, a TrainingJob or a Cron. Raises ValueError with the known kinds."""
    group = str(manifest.get("apiVersion", "")).partition("/")[0]
    kind = str(manifest.get("kind", ""))
    reader = READERS.get((group, kind))
    if reader is None:
        known = ", ".join(f"{kind} ({group})" for group, kind in READERS)
        said = f"{kind} of {group!r}" if kind else "an object without a kind"
        raise ValueError(f"{said} is not known here; import reads {known}")
    given = Given(manifest)
    made = reader(given, kind)
    return Converted(made, given.left(), given.notes)
