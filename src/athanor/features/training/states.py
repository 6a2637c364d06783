"""The life of a job as one table: phase × event → phase. What is not listed stays as it is.

Events are read from the job's Gang: none (there is none yet), and its phases in a job's words.
A finished job stays finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from athanor.api.scheduling import Gang, GangPhase
from athanor.api.training import JobPhase

Event = Literal[
    "none", "queued", "starting", "running", "restarting", "leaving", "suspended", "succeeded",
    "failed",
]  # fmt: skip

PHASES: tuple[JobPhase, ...] = get_args(JobPhase)
EVENTS: tuple[Event, ...] = get_args(Event)

_ENDS: Mapping[Event, JobPhase] = {"succeeded": "Succeeded", "failed": "Failed"}
_WAITS: Mapping[Event, JobPhase] = {"queued": "Queued", "suspended": "Suspended"}

MOVES: Mapping[JobPhase, Mapping[Event, JobPhase]] = {
    "Pending": {**_WAITS, **_ENDS, "starting": "Starting", "running": "Running"},
    "Queued": {**_WAITS, **_ENDS, "starting": "Starting", "running": "Running"},
    "Starting": {
        **_WAITS, **_ENDS, "running": "Running", "restarting": "Restarting",
    },
    "Running": {
        **_WAITS, **_ENDS, "restarting": "Restarting", "starting": "Restarting",
    },
    "Restarting": {**_WAITS, **_ENDS, "running": "Running"},
    "Suspended": {**_WAITS, **_ENDS, "starting": "Starting", "running": "Running"},
    "Succeeded": {},
    "Failed": {},
}  # fmt: skip

FINISHED: frozenset[JobPhase] = frozenset({"Succeeded", "Failed"})

_READ: Mapping[GangPhase, Event] = {
    "Pending": "queued", "Suspended": "suspended", "Admitted": "starting", "Starting": "starting",
    "Running": "running", "Restarting": "restarting", "Stopping": "restarting",
    "Evicting": "leaving", "Succeeded": "succeeded", "Failed": "failed",
}  # fmt: skip


def event(gang: Gang | None) -> Event:
    """What the Gang says."""
    if gang is None:
        return "none"
    if gang.status.phase == "Stopping" and gang.spec.outcome is not None:
        return "leaving"
    return _READ[gang.status.phase]


def move(phase: JobPhase, what: Event) -> JobPhase:
    """The phase after an event."""
    return MOVES[phase].get(what, phase)
