"""The life of a workspace: every phase, every event."""

from __future__ import annotations

from itertools import product

import pytest

from athanor.api.workspaces import WorkspacePhase
from athanor.features.workspaces.states import EVENTS, MOVES, PHASES, Event, move


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, EVENTS)))
def test_every_phase_and_event(phase: WorkspacePhase, event: Event) -> None:
    after = move(phase, event)
    assert after == MOVES[phase].get(event, phase)
    if event == "idle":
        assert after == ("Idle" if phase in ("Running", "Idle") else phase)
    if event == "stopped" and phase not in ("Stopped",):
        assert after == "Stopped"


def test_every_phase_is_in_the_table() -> None:
    assert set(MOVES) == set(PHASES)
