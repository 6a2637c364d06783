"""The life of a workspace as one table: phase × event → phase. What is not listed stays as it is.

Events are read from its Gang, and from whether anybody has used it lately. A workspace that failed
starts anew when it is told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from athanor.api.scheduling import Gang, GangPhase
from athanor.api.workspaces import WorkspacePhase

Event = Literal["none", "queued", "starting", "running", "idle", "stopping", "stopped", "failed"]

PHASES: tuple[WorkspacePhase, ...] = get_args(WorkspacePhase)
EVENTS: tuple[Event, ...] = get_args(Event)

_ON: Mapping[Event, WorkspacePhase] = {
    "queued": "Queued", "starting": "Starting", "running": "Running", "stopping": "Stopping",
    "stopped": "Stopped", "failed": "Failed",
}  # fmt: skip
_UP: Mapping[Event, WorkspacePhase] = {**_ON, "idle": "Idle"}

MOVES: Mapping[WorkspacePhase, Mapping[Event, WorkspacePhase]] = {
    "Pending": _ON, "Queued": _ON, "Starting": _ON, "Running": _UP, "Idle": _UP,
    "Stopping": {"stopped": "Stopped", "failed": "Failed", "queued": "Queued"},
    "Stopped": {"queued": "Queued", "starting": "Starting", "running": "Running"},
    "Failed": {"queued": "Queued", "starting": "Starting", "stopped": "Stopped"},
}  # fmt: skip

_READ: Mapping[GangPhase, Event] = {
    "Pending": "queued", "Suspended": "stopped", "Admitted": "starting", "Starting": "starting",
    "Running": "running", "Restarting": "starting", "Stopping": "stopping",
    "Evicting": "stopping", "Succeeded": "failed", "Failed": "failed",
}  # fmt: skip


def event(gang: Gang | None, wanted: bool, idle: bool) -> Event:
    """What the Gang says; `wanted`: whether it should run, `idle`: nobody has used it lately."""
    if gang is None:
        return "none" if wanted else "stopped"
    if not wanted and gang.status.phase not in ("Suspended", "Pending"):
        return "stopping"
    if not wanted:
        return "stopped"
    if gang.spec.suspend or gang.status.phase == "Suspended":
        return "queued"
    said = _READ[gang.status.phase]
    return "idle" if said == "running" and idle else said


def move(phase: WorkspacePhase, what: Event) -> WorkspacePhase:
    """The phase after an event."""
    return MOVES[phase].get(what, phase)
