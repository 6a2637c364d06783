"""The life of a sweep: every phase, every event."""

from __future__ import annotations

from itertools import product

import pytest

from athanor.api.sweeps import SweepPhase
from athanor.features.sweeps.states import EVENTS, FINISHED, MOVES, PHASES, Event, move


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, EVENTS)))
def test_every_phase_and_event(phase: SweepPhase, event: Event) -> None:
    after = move(phase, event)
    if phase in FINISHED or event == "none":
        assert after == phase
    else:
        assert after.lower() == event


def test_every_phase_is_in_the_table() -> None:
    assert set(MOVES) == set(PHASES)
