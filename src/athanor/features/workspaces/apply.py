"""The workspaces controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial

from athanor.api.core import PersistentVolumeClaim
from athanor.api.scheduling import Gang
from athanor.api.workspaces import Workspace
from athanor.features.workspaces.build import Gateway
from athanor.features.workspaces.observe import Observed, observe, workspace_of
from athanor.features.workspaces.plan import plan
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.controller import Controller, Watch


def controller(gateway: Gateway | None = None) -> Controller[Observed]:
    """Workspaces: workspace → Gang → status."""
    return Controller(
        name="workspaces",
        watches=(
            Watch(Workspace), Watch(Gang, workspace_of), Watch(PersistentVolumeClaim, _nobody),
        ),
        observe=observe,
        plan=partial(plan, gateway=gateway or Gateway()),
    )  # fmt: skip


def _nobody(change: Changed[PersistentVolumeClaim], world: World) -> tuple[Key, ...]:
    """Claims are looked up, not followed."""
    return ()
