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
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
from msgspec import structs

from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, GangStatus, PodCounts, Reason
from athanor.api.training import TrainingJob
from athanor.assembly.layout import DataDir
from athanor.client.sync import SyncHttp
from athanor.features.training import build
from athanor.features.training.build import Defaults
from athanor.features.training.status import from_gang
from athanor.kit.clock import SystemClock
from athanor.kit.times import parse_rfc3339
from athanor.sdk.client import Client
from athanor.sdk.logs import Wish
from athanor.sdk.submission import Submission
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.cli import wall
from bench.harness import Figure, api_server, quantile
from bench.up import WARM, platform, until
from tests.acceptance.environments import environment

WORLD = """\
import os, pathlib, time
import jax
import numpy as np
from jax.experimental import multihost_utils
rank = int(os.environ["JAX_PROCESS_ID"])
jax.distributed.initialize(num_processes=int(os.environ["JAX_NUM_PROCESSES"]), process_id=rank)
saved = pathlib.Path(os.environ["ATHANOR_CHECKPOINT_DIR"]) / "epoch.npy"
epoch = int(np.load(saved)) if saved.exists() else 0
if not rank:
    print("from", epoch, flush=True)
while True:
    epoch = int(multihost_utils.process_allgather(np.int32(epoch + 1)).max())
    if not rank:
        np.save(saved, epoch)
        print("epoch", epoch, flush=True)
    time.sleep(0.2)
"""
"""A world that comes back from its checkpoint: nothing of its start but JAX's own."""
JOBS, RUNNING, QUEUED = 1000, 500, 5000
RANKS = 8
GANG = 4
GRACE = 3
RESTED = 20
"""Seconds: what ran so long is restarted at once for the third time, too (see docs/training.md)."""
WAITS = GangStatus(
    phase="Pending",
    reasons=[Reason(code="NoCapacity", message="room for 0 of 1 pod on 1 node of pool default")],
)


def run(full: bool) -> Iterator[Figure]:
    """The figures as they come; a real framework with `full` only."""
    with platform() as (_, client):
        yield _rank(client)
        yield _suspend(client)
    with platform() as (_, client):
        yield _submit(client, JOBS)
    yield _list()
    if full:
        with platform() as (data, client):
            yield _gang(data, client)


def _submit(client: Client, count: int) -> Figure:
    """Jobs of one rank, one after the other, by one client; the first run, the others queue."""
    began = time.perf_counter()
    for number in range(count):
        client.submit(Submission(framework="generic", name=f"j{number}", command=["sleep", "600"]))
    spent = time.perf_counter() - began
    return Figure(name="submit_1000", value=spent, unit="s", limit=20, better="low", runs=count)


def _list() -> Figure:
    """`athanor list` of 500 jobs that run and 5,000 that wait, as the controllers describe them."""
    runs = 11
    with api_server() as served:
        kubeconfig = str(served.folder / "admin")
        send = SyncHttp(served.admin)
        with Client(kubeconfig=kubeconfig) as client:
            for number in range(RUNNING + QUEUED):
                asked = Submission(framework="generic", name=f"j{number}", command=["true"])
                job = client.submit(asked)
                gang = msgspec.convert(build.gang(job, Defaults()), Gang)
                counts = [PodCounts(pod_set="worker", running=1)]
                told = GangStatus(phase="Running", pods=counts) if number < RUNNING else WAITS
                now = from_gang(job, structs.replace(gang, status=told), SystemClock().now())
                body = {"status": to_manifest(now)}
                name, where = job.metadata.name, job.metadata.namespace
                send(calls.patch(of(TrainingJob), name, where, body, subresource="status"))
        words = [sys.executable, "-m", "athanor.cli", "--kubeconfig", kubeconfig, "list"]
        value = wall(words, runs)
    return Figure(name="list_5500", value=value, unit="ms", limit=400, better="low", runs=runs)


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
        until(partial(_anew, client, "free", f"worker-{rank}", old), 60)
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
        until(partial(_is_free, client, name), 60)
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
    words = ["python", "-c", WORLD]
    made = client.submit(
        Submission(
            framework="jax", name="world", command=words, cpu="400m", workers=GANG, retries=100,
            venv=str(venv),
        )
    )  # fmt: skip
    folder = data.checkpoints / "default" / f"world-{made.metadata.uid[:8]}"
    until(lambda: _epoch(client, 0.0) is not None, 300)
    runs = 3
    found = []
    for rank in range(runs):
        time.sleep(RESTED)
        _kill("world", rank + 1, WORLD)
        began = SystemClock().now()
        over = partial(_epoch, client, began)
        until(over, 300, 0.5)  # the lines tell the time: to look more often takes the ranks' cores
        found.append((over() or 0) - began)
    client.delete_job("world")
    bare = [_bare(venv, words[1:], folder) for _ in range(5)]
    took, own = quantile(found, 0.5), statistics.median(bare)
    return Figure(
        name="gang_restarted", value=took - own, unit=f"s beyond the {own:.1f} s of JAX itself",
        limit=2.0, better="low", runs=runs,
    )  # fmt: skip


def _epoch(client: Client, since: float) -> float | None:
    """When the first epoch of an attempt that began after `since` was over, since 1970."""
    begun = False
    try:
        for line in client.logs("world", wish=Wish(rank="0")):
            at = parse_rfc3339(line.time[:26] + "Z")
            begun |= line.text.startswith("from") and at > since
            if begun and line.text.startswith("epoch "):
                return at
    except ApiError as error:
        if error.reason not in ("NotFound", "BadRequest", "ServiceUnavailable"):
            raise
    return None  # not yet, or its pod was just replaced


def _bare(venv: Path, words: list[str], checkpoint: Path) -> float:
    """Seconds that four processes, started by hand from a checkpoint, take to their next epoch."""
    with tempfile.TemporaryDirectory() as scratch, socket.create_server(("127.0.0.1", 0)) as free:
        at = free.getsockname()[1]
        free.close()
        shutil.copytree(checkpoint, f"{scratch}/saved")
        own = {
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{at}", "JAX_NUM_PROCESSES": str(GANG),
            "ATHANOR_CHECKPOINT_DIR": f"{scratch}/saved",
            "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        began = time.perf_counter()
        ranks = [
            subprocess.Popen(
                [str(venv / "bin" / "python"), *words], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**WARM, **own, "JAX_PROCESS_ID": str(rank)},
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
