"""The life of a workflow: every phase, every event."""

from __future__ import annotations

from itertools import product

import pytest

from athanor.api.workflows import WorkflowPhase
from athanor.features.workflows.states import EVENTS, FINISHED, MOVES, PHASES, Event, move


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, EVENTS)))
def test_every_phase_and_event(phase: WorkflowPhase, event: Event) -> None:
    after = move(phase, event)
    assert after == MOVES[phase].get(event, phase)
    if phase in FINISHED:
        assert after == ("Running" if (phase, event) == ("Failed", "resumed") else phase)


def test_every_phase_is_in_the_table() -> None:
    assert set(MOVES) == set(PHASES)
