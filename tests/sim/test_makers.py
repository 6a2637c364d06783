"""Makers from seeds: the first ones always, more of them when asked for."""

from __future__ import annotations

import os

import pytest

from tests.sim import makers

SEEDS = max(int(os.environ.get("ATHANOR_SIM_SEEDS", "20")) // 10, 2)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_makers_keep_their_rules(seed: int) -> None:
    world = makers.run(seed)
    assert world.crashes > 3
