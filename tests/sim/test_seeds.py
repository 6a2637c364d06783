"""Seeds: 20 in every run of the tests; ATHANOR_SIM_SEEDS=200 for a long one."""

from __future__ import annotations

import os

import pytest

from tests.sim.simulation import run

SEEDS = int(os.environ.get("ATHANOR_SIM_SEEDS", "20"))
JOBS = 5 if SEEDS >= 200 else 3


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_life(seed: int) -> None:
    run(seed, jobs=JOBS)


def test_the_same_seed_is_the_same_life() -> None:
    first, second = run(3, jobs=2), run(3, jobs=2)
    assert first.lab.clock.monotonic() == second.lab.clock.monotonic()
    assert first.crashes == second.crashes
