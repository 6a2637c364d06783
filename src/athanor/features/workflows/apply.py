"""The workflows controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial

from athanor.api.core import PersistentVolumeClaim
from athanor.api.workflows import Workflow
from athanor.features.workflows.artifacts import Places
from athanor.features.workflows.observe import Observed, observe
from athanor.features.workflows.plan import plan
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.children import watches
from athanor.runtime.controller import Controller, Watch


def controller(places: Places | None = None) -> Controller[Observed]:
    """Workflows: steps → objects → status."""
    return Controller(
        name="workflows",
        watches=(
            Watch(Workflow), Watch(PersistentVolumeClaim, _nobody), *watches("Workflow"),
        ),
        observe=observe,
        plan=partial(plan, places=places or Places()),
    )  # fmt: skip


def _nobody(change: Changed[PersistentVolumeClaim], world: World) -> tuple[Key, ...]:
    """Claims are looked up, not followed."""
    return ()
