"""The life of a gang as one table: phase × event → phase. What is not listed stays as it is.

Events are judged from the whole situation each time (level, not edge), the first that holds counts:

verdict    the owner has decided the outcome, or the gang ran longer than it may
leave      the admission must be given back: evicted, suspended, or a fault of the platform
restart    the owner asks for a new attempt
resize     its size or places changed, and all its ranks start again for it
suspend    it shall not queue
resume     it may queue again
admitted   the scheduler has given it a place
invalid    the server says that its pods can never be
blocked    the server refuses its pods for now (a quota, a right)
failed     a rank failed by itself, and that ends the attempt
succeeded  every rank has succeeded
running    every rank has started
starting   not every rank has started yet
well, ill  stopping is over: no pod is alive, and this is the outcome
gone       no pod that had to go is left
steady     none of these
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from athanor.api.scheduling import GangPhase

Event = Literal[
    "verdict", "leave", "restart", "resize", "suspend", "resume", "admitted", "invalid", "blocked",
    "failed", "succeeded", "running", "starting", "well", "ill", "gone", "steady",
]  # fmt: skip

PHASES: tuple[GangPhase, ...] = get_args(GangPhase)
EVENTS: tuple[Event, ...] = get_args(Event)

MOVES: Mapping[GangPhase, Mapping[Event, GangPhase]] = {
    "Pending": {
        "verdict": "Stopping", "leave": "Evicting", "suspend": "Suspended",
        "admitted": "Starting",
    },
    "Suspended": {
        "verdict": "Stopping", "resume": "Pending", "leave": "Evicting",
    },
    "Starting": {
        "verdict": "Stopping", "leave": "Evicting", "restart": "Restarting",
        "resize": "Restarting",
        "invalid": "Stopping", "blocked": "Admitted", "failed": "Stopping",
        "succeeded": "Succeeded", "running": "Running",
    },
    "Admitted": {
        "verdict": "Stopping", "leave": "Evicting", "restart": "Restarting",
        "resize": "Restarting",
        "invalid": "Stopping", "failed": "Stopping", "succeeded": "Succeeded",
        "running": "Running", "starting": "Starting",
    },
    "Running": {
        "verdict": "Stopping", "leave": "Evicting", "restart": "Restarting",
        "resize": "Restarting",
        "invalid": "Stopping", "failed": "Stopping", "succeeded": "Succeeded",
    },
    "Restarting": {
        "verdict": "Stopping", "leave": "Evicting", "gone": "Starting",
    },
    "Evicting": {
        "verdict": "Stopping", "succeeded": "Succeeded", "suspend": "Suspended",
        "gone": "Pending",
    },
    "Stopping": {
        "restart": "Restarting", "well": "Succeeded", "ill": "Failed",
    },
    "Succeeded": {},
    "Failed": {
        "restart": "Evicting",
    },
}  # fmt: skip

FINISHED: frozenset[GangPhase] = frozenset({"Succeeded", "Failed"})
WAITING: frozenset[GangPhase] = frozenset({"Pending", "Suspended"})
WORKING: frozenset[GangPhase] = frozenset({"Admitted", "Starting", "Running"})


def move(phase: GangPhase, event: Event) -> GangPhase:
    """The phase after an event."""
    return MOVES[phase].get(event, phase)
