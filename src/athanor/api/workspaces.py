"""Workspace: a development environment with a home of its own, reached through the gateway only.

What nobody uses is stopped: its hardware goes back to the queue, its home stays. Later changes only
add fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.amounts import Amount
from athanor.api.crons import ScheduleText, TimeZone
from athanor.api.meta import JSON, Base, Condition, Object
from athanor.api.numbers import NonNegative
from athanor.api.scheduling import Gpu
from athanor.api.training import Scheduling

Words = Annotated[list[str], Meta(max_length=256)]


class Idle(Base, frozen=True, kw_only=True):
    """When a workspace counts as idle, and when an idle one is stopped. 0: never."""

    after_seconds: NonNegative = 1800
    stop_after_seconds: NonNegative = 3600


class Hours(Base, frozen=True, kw_only=True):
    """When a workspace is started and stopped by the clock."""

    start: ScheduleText | None = None
    stop: ScheduleText | None = None
    time_zone: TimeZone = ""


class WorkspaceSpec(Base, frozen=True, kw_only=True):
    """What runs, with how much, and how long it may stand idle.

    `app`: JupyterLab, code-server, or any command that serves HTTP on $(ATHANOR_WORKSPACE_PORT) of
    its loopback. Raising `starts` starts a workspace that was stopped for being idle.
    """

    app: Literal["jupyter", "code-server", "command"] = "jupyter"
    command: Words = field(default_factory=list)
    image: str = ""
    env: dict[str, str] = field(default_factory=dict)
    requests: Annotated[dict[str, Amount], Meta(max_length=32)] = field(default_factory=dict)
    gpu: Gpu | None = None
    storage: Amount = "10Gi"
    mounts: Annotated[list[str], Meta(max_length=32)] = field(default_factory=list)
    idle: Idle = field(default_factory=Idle)
    hours: Hours | None = None
    stopped: bool = False
    starts: NonNegative = 0
    scheduling: Scheduling = field(default_factory=Scheduling)
    template: JSON = field(default_factory=dict)


class Activity(Base, frozen=True, kw_only=True):
    """When something was done last, by what it was; written by the gateway.

    `busySeconds` and `gpuBusySeconds` say how long anything, and any claimed GPU, was really used;
    without the latter nobody measures its GPUs.
    """

    web: str = ""
    kernel: str = ""
    terminal: str = ""
    cpu: str = ""
    gpu: str = ""
    busy_seconds: float = 0.0
    gpu_busy_seconds: float | None = None


WorkspacePhase = Literal[
    "Pending", "Queued", "Starting", "Running", "Idle", "Stopping", "Stopped", "Failed"
]


class WorkspaceStatus(Base, frozen=True, kw_only=True):
    """`activity` by the gateway, all else by the workspaces controller.

    `claimedSeconds` is how long it has held its hardware, over all its lives.
    """

    observed_generation: int = 0
    phase: WorkspacePhase = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = field(default_factory=list)
    activity: Activity | None = None
    url: str = ""
    last_activity: str = ""
    running_since: str | None = None
    stopped: str = ""
    stopped_at: str | None = None
    starts: NonNegative = 0
    hours_until: str | None = None
    gpus: str = ""
    claimed_seconds: float = 0.0
    use: str = ""


class Workspace(Object, frozen=True, kw_only=True):
    """A development environment that stops when nobody uses it."""

    spec: WorkspaceSpec = field(default_factory=WorkspaceSpec)
    status: WorkspaceStatus = field(default_factory=WorkspaceStatus)
