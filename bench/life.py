"""Jobs by the thousand, and how fast a job comes back, or gives back what it has.

A whole `athanor up` in a scratch folder for each figure; what is timed is what a person sees
through the SDK or the command line. Ranks are killed by `kill -9` of their process.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.assembly.layout import DataDir
from athanor.kit.clock import SystemClock
from athanor.kit.times import parse_rfc3339
from athanor.sdk.client import Client
from athanor.sdk.logs import Wish
from athanor.sdk.submission import Submission
from athanor.wire.status import ApiError
from bench.cli import wall
from bench.harness import Figure, quantile
from bench.up import command, platform, until
from tests.acceptance.environments import environment

EXAMPLES = Path(__file__).parent.parent / "examples"
JOBS, RUNNING, QUEUED = 1000, 500, 5000
RANKS = 8
GANG = 4
GRACE = 3


def run(full: bool) -> list[Figure]:
    """The figures; thousands of jobs and a real framework with `full` only."""
    with platform() as (data, client):
        found = [_rank(client), _suspend(client)]
    with platform() as (data, client):
        found.append(_submit(client, JOBS))
    if full:
        with platform() as (data, client):
            found.append(_list(data, client))
        with platform("--allow-host-path", str(EXAMPLES)) as (data, client):
            found.append(_gang(data, client))
    return found


def _submit(client: Client, count: int) -> Figure:
    """Jobs of one rank, one after the other, by one client; the first run, the others queue."""
    began = time.perf_counter()
    for number in range(count):
        client.submit(Submission(framework="generic", name=f"j{number}", command=["sleep", "600"]))
    spent = time.perf_counter() - began
    return Figure(name="submit_1000", value=spent, unit="s", limit=20, better="low", runs=count)


def _list(data: DataDir, client: Client) -> Figure:
    """`athanor list` while 500 jobs run and 5,000 wait."""
    small = {"framework": "generic", "command": ["sleep", "3600"], "grace": 0}
    for number in range(RUNNING):
        client.submit(Submission(name=f"r{number}", cpu="1m", **small))
    until(lambda: _phases(client).count("Running") == RUNNING, 300, pause=1.0)
    for number in range(QUEUED):
        client.submit(Submission(name=f"q{number}", cpu="1000", **small))
    until(lambda: _phases(client).count("Queued") == QUEUED, 300, pause=1.0)
    runs = 11
    value = wall(command(data, "list"), runs)
    return Figure(name="list_5500", value=value, unit="ms", limit=400, better="low", runs=runs)


def _phases(client: Client) -> list[str]:
    return [job.status.phase for job in client.list_jobs()]


def _rank(client: Client) -> Figure:
    """One of eight ranks that do not need each other is killed, five times another one."""
    runs = 5
    client.submit(
        Submission(
            framework="generic", name="free", command=["sleep", "86401"], cpu="10m",
            workers=RANKS, retries=100,
        )
    )  # fmt: skip
    client.wait("free", until="running", timeout=60)
    found = []
    for rank in range(runs):
        old = _pods(client, "free")[f"worker-{rank}"]
        began = _kill("free", rank, "86401")
        until(lambda old=old, rank=rank: _anew(client, "free", f"worker-{rank}", old), 60)
        found.append(time.perf_counter() - began)
    client.delete_job("free")
    return Figure(
        name="rank_restarted", value=quantile(found, 0.5), unit="s", limit=1.0, better="low",
        runs=runs,
    )  # fmt: skip


def _anew(client: Client, job: str, rank: str, old: str) -> bool:
    return _pods(client, job).get(rank, old) != old


def _pods(client: Client, job: str) -> dict[str, str]:
    """Running ranks of a job, each with the uid of its pod."""
    pods = client.ranks(job)
    return {
        f"{pod.metadata.labels['athanor.dev/pod-set']}-{pod.metadata.labels['athanor.dev/rank']}":
        pod.metadata.uid for pod in pods if pod.status.phase == "Running"
    }  # fmt: skip


def _kill(job: str, rank: int, word: str) -> float:
    """kill -9 the process of a rank that has `word` in its command; when that was."""
    told = {f"ATHANOR_JOB={job}".encode(), f"ATHANOR_RANK={rank}".encode()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if word.encode() in words and told <= {*(entry / "environ").read_bytes().split(b"\0")}:
                os.kill(int(entry.name), signal.SIGKILL)
                return time.perf_counter()
        except OSError:
            continue  # gone meanwhile
    raise RuntimeError(f"rank {rank} of {job} has no process")


def _suspend(client: Client) -> Figure:
    """A job whose ranks do not listen to SIGTERM, until its pods and its admission are gone."""
    runs = 3
    deaf = ["sh", "-c", 'trap "" TERM; while :; do sleep 1; done']
    found = []
    for number in range(runs):
        name = f"deaf-{number}"
        client.submit(
            Submission(
                framework="generic", name=name, command=deaf, cpu="10m", workers=GANG, grace=GRACE
            )
        )
        client.wait(name, until="running", timeout=60)
        time.sleep(1)
        began = time.perf_counter()
        client.suspend(name)
        until(lambda name=name: _is_free(client, name), 60)
        found.append(time.perf_counter() - began - GRACE)
    return Figure(
        name="suspended_beyond_grace", value=quantile(found, 0.5), unit="s", limit=2.0,
        better="low", runs=runs,
    )  # fmt: skip


def _is_free(client: Client, name: str) -> bool:
    gang: JSON = client.get(of(Gang), name)
    return not gang.get("status", {}).get("admission") and not client.ranks(name)


def _gang(data: DataDir, client: Client) -> Figure:
    """One of four JAX ranks is killed: seconds to the first epoch after the checkpoint, over those
    of the bare command, begun from the same checkpoint (median of five).
    """
    venv = environment("small")
    words = ["python", "train_jax.py", "--epochs", "100000", "--pause", "0.2"]
    made = client.submit(
        Submission(
            framework="jax", name="world", command=words, cpu="400m", workers=GANG, retries=100,
            venv=str(venv), directory=str(EXAMPLES), env={"ATHANOR_OUTPUT_DIR": "/tmp/out"},
        )
    )  # fmt: skip
    folder = data.checkpoints / "default" / f"world-{made.metadata.uid[:8]}"
    until(lambda: _epoch(client, 3) is not None, 300)
    runs = 3
    found = []
    for rank in range(runs):
        since = _epoch(client, 1)
        _kill("world", rank + 1, "train_jax.py")
        began = SystemClock().now()
        until(lambda since=since: _epoch(client, 1) not in (None, since), 300)
        found.append((_epoch(client, 1) or 0) - began)
    client.delete_job("world")
    bare = [_bare(venv, words[1:], folder) for _ in range(5)]
    took, own = quantile(found, 0.5), statistics.median(bare)
    return Figure(
        name="gang_restarted", value=took - own, unit=f"s beyond the {own:.1f} s of JAX itself",
        limit=2.0, better="low", runs=runs,
    )  # fmt: skip


def _epoch(client: Client, number: int) -> float | None:
    """When the running attempt finished that many epochs, in seconds since 1970."""
    try:
        lines = client.logs("world", wish=Wish(rank="0"))
        ends = [line.time for line in lines if line.text.startswith("epoch ")]
    except ApiError as error:
        if error.reason not in ("NotFound", "BadRequest", "ServiceUnavailable"):
            raise
        return None  # its pod was just replaced
    return parse_rfc3339(ends[number - 1][:26] + "Z") if len(ends) >= number else None


def _bare(venv: Path, words: list[str], checkpoint: Path) -> float:
    """Seconds that four processes, started by hand from a checkpoint, take to their next epoch."""
    with tempfile.TemporaryDirectory() as scratch, socket.create_server(("127.0.0.1", 0)) as free:
        at = free.getsockname()[1]
        free.close()
        shutil.copytree(checkpoint, f"{scratch}/saved")
        own = {
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{at}", "JAX_NUM_PROCESSES": str(GANG),
            "ATHANOR_CHECKPOINT_DIR": f"{scratch}/saved", "ATHANOR_OUTPUT_DIR": f"{scratch}/out",
            "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        began = time.perf_counter()
        ranks = [
            subprocess.Popen(
                [str(venv / "bin" / "python"), *words], cwd=EXAMPLES, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, **own, "JAX_PROCESS_ID": str(rank)},
            )
            for rank in range(GANG)
        ]  # fmt: skip
        try:
            assert ranks[0].stdout is not None
            if not any(line.startswith("epoch ") for line in ranks[0].stdout):
                raise RuntimeError("the bare command ended without an epoch")
            return time.perf_counter() - began
        finally:
            for process in ranks:
                process.kill()
                process.communicate()
