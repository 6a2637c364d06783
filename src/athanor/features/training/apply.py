"""The training controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial

from athanor.api.core import PersistentVolumeClaim, Pod
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.features.training.build import Defaults
from athanor.features.training.observe import Observed, job_of, observe
from athanor.features.training.plan import plan
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.indexes import PODS_OF_GANG, pods_of_gang


def controller(defaults: Defaults | None = None) -> Controller[Observed]:
    """TrainingJobs: job → Gang → status."""
    return Controller(
        name="training",
        watches=(
            Watch(TrainingJob),
            Watch(Gang, job_of),
            Watch(PersistentVolumeClaim, _nobody),
            Watch(Pod, _nobody, {PODS_OF_GANG: pods_of_gang}),
        ),
        observe=observe,
        plan=partial(plan, defaults=defaults or Defaults()),
    )


def _nobody(change: Changed[PersistentVolumeClaim] | Changed[Pod], world: World) -> tuple[Key, ...]:
    """Claims and pods are looked up, not followed."""
    return ()
