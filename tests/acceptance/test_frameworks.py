"""Each framework for real: its own launcher, its own collectives, data that ships with a library.

Environments are made once and cached (see `environments`); what cannot be installed on a machine
is reported as skipped, with the reason. Here are the cheap ones; `test_frameworks_full` has the
others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.console import Console
from tests.acceptance.environments import installed
from tests.acceptance.trainings import EXAMPLES, jax_learned, regression_agrees, trees_agree
from tests.conformance.kube.plane import free_port


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("frameworks")) as up:
        yield up


@pytest.fixture(scope="module")
def venv() -> str:
    return installed("small")


def trained(
    console: Console, venv: str, framework: str, name: str, *words: str, seconds: int = 900
) -> str:
    """The log of a job that has succeeded. `words`: options, then -- and the command."""
    at = words.index("--")
    program = next(word for word in words[at:] if word.endswith(".py"))
    shutil.copy(EXAMPLES / program, console.project)
    console.run("submit", framework, "--name", name, "--venv", venv, *words)
    said = console.run("wait", name, "--timeout", f"{seconds}s", code=None, seconds=seconds + 30)
    log = console.run("logs", name)
    assert f"{name} is Succeeded" in said, said + log + console.run("why", name)
    return log


@pytest.mark.parametrize("ranks", [2, 4])
def test_jax(console: Console, venv: str, ranks: int) -> None:
    log = trained(
        console, venv, "jax", f"jax-{ranks}", "--workers", str(ranks), "--cpu", "200m",
        "--", "python", "train_jax.py", "--epochs", "20",
    )  # fmt: skip
    jax_learned(log)


def test_jax_ranks_that_are_told_to_go_agree_when_and_go_on_later(
    console: Console, venv: str
) -> None:
    shutil.copy(EXAMPLES / "train_jax.py", console.project)
    console.run(
        "submit", "jax", "--name", "away", "--venv", venv, "--workers", "2", "--cpu", "200m",
        "--grace", "10m", "--", "python", "train_jax.py", "--epochs", "60", "--pause", "0.2",
    )  # fmt: skip
    console.until(lambda: "epoch 3/" in console.run("logs", "away", code=None) or None, 120)
    console.run("suspend", "away")
    console.run("wait", "away", "--for", "suspended", "--timeout", "2m")
    told = re.search(r"told to go after epoch (\d+)", console.run("logs", "away"))
    assert told is not None
    console.run("resume", "away")
    console.run("wait", "away", "--timeout", "4m", seconds=270)
    log = console.run("logs", "away")
    assert f"resumed from epoch {told[1]}" in log
    jax_learned(log)


def test_xgboost(console: Console, venv: str) -> None:
    log = trained(
        console, venv, "xgboost", "trees", "--workers", "2", "--cpu", "200m",
        "--", "python", "train_xgboost.py",
    )  # fmt: skip
    trees_agree(log)
    assert (console.project / "outputs" / "trees" / "model.json").exists()


@pytest.mark.parametrize("framework", ["mpi", "jax"])
def test_a_rank_of_an_example_that_fails_does_not_wait_for_the_others(
    venv: str, framework: str
) -> None:
    """It cannot write its checkpoint, and they wait for it in a collective operation."""
    program = [f"{venv}/bin/python", str(EXAMPLES / f"train_{framework}.py")]
    world = {**os.environ, "PATH": f"{venv}/bin:{os.environ['PATH']}"}
    failing = {**world, "ATHANOR_CHECKPOINT_DIR": "/proc/none"}
    if framework == "mpi":
        done = _ended(["mpiexec", "-n", "2", *program], failing)
    else:
        told = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": "2"}
        with subprocess.Popen(
            program, env={**world, **told, "JAX_PROCESS_ID": "1"}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as other:  # fmt: skip
            done = _ended(program, {**failing, **told, "JAX_PROCESS_ID": "0"})
            other.kill()
    assert done.returncode != 0, done.stderr
    if framework == "jax":  # mpiexec may end before it has passed on what the rank wrote
        assert "FileNotFoundError" in done.stderr


def _ended(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=150, check=False
    )  # fmt: skip


def test_mpi_allreduce(console: Console, venv: str) -> None:
    (console.project / "sum.py").write_text(
        "from mpi4py import MPI\nworld = MPI.COMM_WORLD\n"
        "said = f'sum {world.allreduce(world.rank + 1)} {MPI.Get_processor_name()}\\n'\n"
        "print(said, end='', flush=True)  # one write: those of several ranks may mix\n"
    )
    console.run(
        "submit", "mpi", "--name", "sum", "--venv", venv, "--workers", "2", "--cpu", "100m",
        "--processes", "2", "--", "mpiexec", "-n", "4", "python", "sum.py",
    )  # fmt: skip
    console.run("wait", "sum", "--timeout", "300s", seconds=330)
    log = console.run("logs", "sum")
    assert sorted(re.findall(r"sum 10 (sum-worker-\d)", log)) == [
        "sum-worker-0", "sum-worker-0", "sum-worker-1", "sum-worker-1"
    ]  # fmt: skip


def test_a_training_through_the_launch_agent(console: Console, venv: str) -> None:
    log = trained(
        console, venv, "mpi", "regression", "--workers", "2", "--cpu", "200m",
        "--", "python", "train_mpi.py",
    )  # fmt: skip
    regression_agrees(log, "regression-worker-0", "regression-worker-1")


def test_a_launcher_whose_worker_dies_starts_again_from_its_checkpoint(
    console: Console, venv: str
) -> None:
    (console.project / "twice.py").write_text(
        "import os, pathlib, sys\nfrom mpi4py import MPI\n"
        "mark = pathlib.Path(os.environ['ATHANOR_CHECKPOINT_DIR']) / 'mark'\n"
        "first = not mark.exists()\nMPI.COMM_WORLD.Barrier()\n"
        "if MPI.COMM_WORLD.rank == 1 and first:\n"
        "    mark.write_text('once')\n    os.kill(os.getpid(), 9)\n"
        "MPI.COMM_WORLD.Barrier()\nprint('done', flush=True)\n"
    )
    console.run(
        "submit", "mpi", "--name", "twice", "--venv", venv, "--workers", "2", "--cpu", "100m",
        "--", "python", "twice.py",
    )  # fmt: skip
    console.run("wait", "twice", "--timeout", "300s", seconds=330)
    assert '"retries": 1' in console.run("get", "trainingjob", "twice", "-o", "json")


def test_ray(console: Console, venv: str) -> None:
    log = trained(
        console, venv, "ray", "search", "--workers", "1", "--cpu", "500m",
        "--env", "RAY_OBJECT_STORE_MEMORY=80000000", "--", "python", "train_ray.py",
    )  # fmt: skip
    assert "8 fits on 2 nodes of 2" in log
    accuracy = re.search(r"best alpha \S+ accuracy (0\.\d+)", log)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.85


RAYJOB = """
apiVersion: ray.io/v1
kind: RayJob
metadata: {{name: imported}}
spec:
  entrypoint: python train_ray.py && echo "tag $TAG"
  runtimeEnvYAML: "env_vars: {{TAG: told}}"
  shutdownAfterJobFinishes: true
  rayClusterSpec:
    headGroupSpec:
      rayStartParams: &small {{num-cpus: "1", object-store-memory: "80000000"}}
      template: &pod
        spec:
          containers:
          - name: ray
            image: venv://{venv}
            workingDir: {folder}
            resources: {{requests: {{cpu: 500m}}}}
    workerGroupSpecs:
    - {{groupName: small, replicas: 1, minReplicas: 1, maxReplicas: 1, rayStartParams: *small,
       template: *pod}}
"""


def test_a_rayjob_of_kuberay_runs_as_it_is(console: Console, venv: str) -> None:
    shutil.copy(EXAMPLES / "train_ray.py", console.project)
    (console.project / "rayjob.yaml").write_text(RAYJOB.format(venv=venv, folder=console.project))
    console.run("import", "rayjob.yaml", "--submit", "--strict")
    said = console.run("wait", "imported", "--timeout", "600s", code=None, seconds=630)
    log = console.run("logs", "imported")
    assert "imported is Succeeded" in said, said + log + console.run("why", "imported")
    assert "8 fits on 2 nodes of 2" in log
    assert "tag told" in log


VOLCANO = """
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: moved}}
spec:
  minAvailable: 3
  plugins: {{mpi: [--master=boss, --worker=hand], env: [], svc: []}}
  tasks:
  - name: boss
    replicas: 1
    policies: [{{event: TaskCompleted, action: CompleteJob}}]
    template:
      spec:
        containers:
        - name: main
          image: venv://{venv}
          workingDir: {folder}
          command: [sh, -c, 'mpiexec -hosts $MPI_HOST -n $VC_HAND_NUM python add.py']
  - name: hand
    replicas: 2
    template:
      spec:
        containers:
        - name: main
          image: venv://{venv}
          workingDir: {folder}
          command: [/usr/sbin/sshd, -D]
"""


def test_a_volcano_job_of_mpi_starts_processes_without_its_sshd(
    console: Console, venv: str
) -> None:
    (console.project / "add.py").write_text(
        "from mpi4py import MPI\nworld = MPI.COMM_WORLD\n"
        "said = f'sum {world.allreduce(world.rank + 1)} of {world.size}\\n'\n"
        "print(said, end='', flush=True)  # one write: those of several ranks may mix\n"
    )
    (console.project / "volcano.yaml").write_text(VOLCANO.format(venv=venv, folder=console.project))
    told = console.run("import", "volcano.yaml", "--submit")
    assert "the role is called launcher" in told
    said = console.run("wait", "moved", "--timeout", "120s", code=None, seconds=150)
    log = console.run("logs", "moved")
    assert "moved is Succeeded" in said, said + log + console.run("why", "moved")
    assert log.count("sum 3 of 2") == 2
