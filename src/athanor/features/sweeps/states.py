"""The life of a sweep as one table: phase × event → phase. What is not listed stays as it is.

A finished sweep stays finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from athanor.api.sweeps import SweepPhase

Event = Literal["none", "running", "suspended", "succeeded", "failed"]

PHASES: tuple[SweepPhase, ...] = get_args(SweepPhase)
EVENTS: tuple[Event, ...] = get_args(Event)

_ON: Mapping[Event, SweepPhase] = {
    "running": "Running", "suspended": "Suspended", "succeeded": "Succeeded", "failed": "Failed",
}  # fmt: skip

MOVES: Mapping[SweepPhase, Mapping[Event, SweepPhase]] = {
    "Pending": _ON, "Running": _ON, "Suspended": _ON, "Succeeded": {}, "Failed": {},
}  # fmt: skip

FINISHED: frozenset[SweepPhase] = frozenset({"Succeeded", "Failed"})


def move(phase: SweepPhase, what: Event) -> SweepPhase:
    """The phase after an event."""
    return MOVES[phase].get(what, phase)
