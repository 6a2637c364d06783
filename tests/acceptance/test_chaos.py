"""kill -9 of the server, the controllers, the agent and the supervisor while jobs flow."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from kubernetes import config

from tests.acceptance import chaos
from tests.acceptance.console import open_way
from tests.conformance import worlds

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("jobs", "kills", "seed"),
    [
        pytest.param(12, 6, 1, id="short", marks=pytest.mark.smoke),
        pytest.param(200, 100, int(os.environ.get("ATHANOR_CHAOS_SEED", "7")), id="long"),
    ],
)
def test_nothing_is_lost_and_nothing_runs_twice(
    jobs: int, kills: int, seed: int, tmp_path: Path
) -> None:
    data, locks = tmp_path / "data", tmp_path / "locks"
    locks.mkdir()
    locks.chmod(0o777)
    open_way(tmp_path)
    with worlds.ours(data, "--allow-host-path", str(locks)) as kubeconfig:
        api = config.new_client_from_config(str(kubeconfig))
        flow = chaos.Flow(api, data, locks, seed)
        flow.run(jobs, kills, every=0.7)
        phases = flow.settle(timeout=600)
        assert len(flow.killed) == kills
        wrong = {
            name: flow.told(name) if phase == "Failed" else phase
            for name, phase in phases.items()
            if phase != "Succeeded"
        }
        assert wrong == {}, (Counter(part for part, _ in flow.killed), seed)
        violations = locks / "violations"
        assert not violations.exists(), violations.read_text()
    assert chaos.leftovers(data) == {}
