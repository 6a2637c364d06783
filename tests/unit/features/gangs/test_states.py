"""The life of a gang: every phase, every event."""

from __future__ import annotations

from itertools import product

import pytest

from athanor.api.scheduling import GangPhase
from athanor.features.gangs.states import (
    EVENTS,
    FINISHED,
    MOVES,
    PHASES,
    WORKING,
    Event,
    move,
)


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, EVENTS)))
def test_every_phase_and_event(phase: GangPhase, event: Event) -> None:
    after = move(phase, event)
    assert after == MOVES[phase].get(event, phase)
    assert after in PHASES
    if phase == "Succeeded":
        assert after == "Succeeded"
    if phase == "Failed":
        assert after == ("Evicting" if event == "restart" else "Failed")
    if event == "steady":
        assert after == phase
    if event == "admitted" and after != phase:
        assert (phase, after) == ("Pending", "Starting")


def test_every_phase_is_in_the_table_and_can_be_reached() -> None:
    assert set(MOVES) == set(PHASES)
    reached: set[GangPhase] = {"Pending"}
    before: set[GangPhase] = set()
    while reached != before:
        before = set(reached)
        reached |= {after for phase in before for after in MOVES[phase].values()}
    assert reached == set(PHASES)


def test_work_always_ends_through_stopping_success_or_eviction() -> None:
    for phase in WORKING:
        ends = set(MOVES[phase].values()) - WORKING
        assert ends == {"Stopping", "Evicting", "Restarting", "Succeeded"}
    assert set(MOVES["Stopping"].values()) == {"Restarting", *FINISHED}
