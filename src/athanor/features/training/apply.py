"""The training controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial

from athanor.api.core import PersistentVolumeClaim
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.features.training.build import Defaults
from athanor.features.training.observe import Observed, job_of, observe
from athanor.features.training.plan import plan
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.controller import Controller, Watch


def controller(defaults: Defaults | None = None) -> Controller[Observed]:
    """TrainingJobs: job → Gang → status."""
    return Controller(
        name="training",
        watches=(
            Watch(TrainingJob),
            Watch(Gang, job_of),
            Watch(PersistentVolumeClaim, _nobody),
        ),
        observe=observe,
        plan=partial(plan, defaults=defaults or Defaults()),
    )


def _nobody(change: Changed[PersistentVolumeClaim], world: World) -> tuple[Key, ...]:
    """Claims are looked up, not followed."""
    return ()
