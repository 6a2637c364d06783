"""Trouble on a real control plane, from a seed: no double admission, no over-commit, no pod of an
attempt that has ended, no lost status; and how soon new work runs again, printed.

Each fault once, `ATHANOR_FAULT_SEEDS=50` for the long run. Seed n is fault n modulo their number,
every second one with clocks that are apart.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

import pytest

from athanor.kit import loop
from bench.cluster.plane import Plane, install, plane, start_part
from bench.keeping import background
from tests.conformance import worlds
from tests.conformance.faults.kinds import FAULTS, SKEWED
from tests.conformance.faults.trial import PATIENCE, Trial

SEEDS = int(os.environ.get("ATHANOR_FAULT_SEEDS", len(FAULTS)))
GRACE = "--node-monitor-grace-period=16s"

pytestmark = [
    pytest.mark.skipif("kube" not in worlds.wanted(), reason="world kube: no binary"),
    # connections that are cut on purpose
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def made() -> Iterator[Plane]:
    """A control plane with our installation in it, which gives up silent nodes soon."""
    with plane() as started:
        start_part(started, "controller-manager", GRACE, "--node-monitor-period=1s")
        install(started)
        yield started


@pytest.fixture(scope="module")
def recoveries() -> Iterator[dict[str, list[float]]]:
    """Seconds from the end of a fault until a new job ran, by fault."""
    found: dict[str, list[float]] = defaultdict(list)
    yield found
    for name, taken in found.items():
        print(f"\n{name}: median {median(taken):.1f} s, most {max(taken):.1f} s of {len(taken)}")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost_or_done_twice(
    made: Plane, recoveries: dict[str, list[float]], seed: int
) -> None:
    name = list(FAULTS)[seed % len(FAULTS)]
    lives = (15.0, 40.0) if name == "node parted" else (1.0, 4.0)

    async def main() -> None:
        trial = Trial(made, seed, lives)
        try:
            await trial.begin(SKEWED * (seed % 2))
            await trial.leader()
            users = background(trial.users(10.0))
            await trial.until("a first job", lambda: bool(trial.gangs.phases), PATIENCE)
            await FAULTS[name](trial)
            taken = await trial.recovery()
            recoveries[name].append(taken)
            print(f"seed {seed}: {name}: new work ran {taken:.1f} s after")
            await users
            await trial.finish()
        finally:
            await trial.end()

    loop.run(main())
