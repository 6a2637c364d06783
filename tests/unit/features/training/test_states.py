"""The life of a job: every phase, every event."""

from __future__ import annotations

from itertools import product

import pytest

from athanor.api.training import JobPhase
from athanor.features.training.states import (
    EVENTS,
    FINISHED,
    MOVES,
    PHASES,
    Event,
    move,
)


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, EVENTS)))
def test_every_phase_and_event(phase: JobPhase, event: Event) -> None:
    after = move(phase, event)
    assert after == MOVES[phase].get(event, phase)
    if phase in FINISHED or event in ("none", "leaving"):
        assert after == phase
    elif event in ("succeeded", "failed"):
        assert after in FINISHED


def test_every_phase_is_in_the_table() -> None:
    assert set(MOVES) == set(PHASES)
