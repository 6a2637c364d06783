"""The scheduler killed in the middle of a write: some in every run, all with 200 seeds or more."""

from __future__ import annotations

import os

import pytest

from tests.sim.killed import live

EVERY = 1 if int(os.environ.get("ATHANOR_SIM_SEEDS", "20")) >= 200 else 10
MOST = 21


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, MOST, EVERY))
def test_a_killed_scheduler_is_survived(at: int, after: bool) -> None:
    live(at, after=after)
