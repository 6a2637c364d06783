"""The life of a workflow as one table: phase × event → phase. What is not listed stays as it is.

A finished workflow stays finished, except that a failed one may be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from athanor.api.workflows import WorkflowPhase

Event = Literal["none", "running", "suspended", "succeeded", "failed", "resumed"]

PHASES: tuple[WorkflowPhase, ...] = get_args(WorkflowPhase)
EVENTS: tuple[Event, ...] = get_args(Event)

_ON: Mapping[Event, WorkflowPhase] = {
    "running": "Running", "suspended": "Suspended", "succeeded": "Succeeded", "failed": "Failed",
}  # fmt: skip

MOVES: Mapping[WorkflowPhase, Mapping[Event, WorkflowPhase]] = {
    "Pending": _ON, "Running": _ON, "Suspended": _ON, "Succeeded": {},
    "Failed": {"resumed": "Running"},
}  # fmt: skip

FINISHED: frozenset[WorkflowPhase] = frozenset({"Succeeded", "Failed"})


def move(phase: WorkflowPhase, what: Event) -> WorkflowPhase:
    """The phase after an event."""
    return MOVES[phase].get(what, phase)
