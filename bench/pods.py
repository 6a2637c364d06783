"""1,000 pods on one machine: all Running, what each costs us in memory, all deleted, nothing left.

The API server and the agent are real processes. Every pod runs in the machine's strongest
isolation class and writes and reads a volume before it counts. Memory is the private memory (Pss)
of server, agent and supervisor over what they took before the first pod.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from athanor.api import core
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.local.agent.launch import tag
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.harness import Figure, Served, api_server

PODS = of(core.Pod)
NODE = "bench"
COUNT = 1000
AT_ONCE = 32
SCRIPT = (
    "echo hello > /data/x && read w < /data/x && [ $w = hello ] && touch /data/ok && sleep 3600"
)


class Taken(Struct):
    """What one run took: seconds, bytes, and what was left behind."""

    running: float
    deleted: float
    memory: float
    left: list[str]
    isolation: str


def run(full: bool) -> list[Figure]:
    """The figures of the bar."""
    taken = asyncio.run(_measure(COUNT))
    return [
        Figure(name="pods_running", value=taken.running, unit="s", limit=30, better="low"),
        Figure(name="pods_memory", value=taken.memory, unit="MiB/pod", limit=5, better="low"),
        Figure(name="pods_deleted", value=taken.deleted, unit="s", limit=15, better="low"),
        Figure(name="pods_left", value=len(taken.left), unit="things", limit=0, better="low"),
    ]


async def _measure(count: int) -> Taken:
    with api_server() as served:
        log = (served.folder / "agent.log").open("wb")
        agent = subprocess.Popen(  # noqa: ASYNC220 - before anything else runs
            [sys.executable, "-m", "athanor.local.agent", "--kubeconfig",
             str(served.folder / "admin"), "--data", str(served.folder), "--node-name", NODE],
            stdout=log, stderr=log,
        )  # fmt: skip
        transport = Http(served.admin)
        try:
            return await _flow(served, agent.pid, Client(transport), count)
        finally:
            await transport.close()
            _shutdown(served.folder)
            agent.send_signal(signal.SIGTERM)
            agent.wait(30)


async def _flow(served: Served, agent: int, client: Client, count: int) -> Taken:
    isolation = await _ready(client)
    ours = [served.pid, agent, _supervisor(served.folder)]
    before = sum(_pss(pid) for pid in ours)
    begun = time.perf_counter()
    await _each(count, lambda i: _create(client, i))
    await _until(client, lambda pods: sum(_running(pod) for pod in pods) == count)
    running = time.perf_counter() - begun
    proven = len(list((served.folder / "node" / "pods").glob("*/volumes/d/ok")))
    memory = (sum(_pss(pid) for pid in ours) - before) / count
    begun = time.perf_counter()
    path = PODS.path("default")
    await client(calls.raw("DELETE", path, [("gracePeriodSeconds", "5")]))
    await _until(client, lambda pods: not pods)
    deleted = time.perf_counter() - begun
    await asyncio.sleep(1)
    left = _left(served.folder)
    if proven != count:
        left.append(f"{count - proven} pods had no working volume")
    return Taken(running, deleted, memory / 2**20, left, isolation)


def manifest(index: int) -> JSON:
    """One pod with a volume that it writes and reads."""
    container = {
        "name": "main", "image": "host", "command": ["sh", "-c", SCRIPT],
        "volumeMounts": [{"name": "d", "mountPath": "/data"}],
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"bench-{index}", "namespace": "default"},
        "spec": {
            "nodeName": NODE,
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": "d", "emptyDir": {}}],
        },
    }


async def _create(client: Client, index: int) -> None:
    await client(calls.create(PODS, manifest(index)))


async def _each(count: int, one: Callable[[int], Awaitable[None]]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def bounded(index: int) -> None:
        async with gate:
            await one(index)

    await asyncio.gather(*(bounded(index) for index in range(count)))


async def _until(client: Client, true: Callable[[list[JSON]], bool]) -> None:
    async with asyncio.timeout(120):
        while True:
            page = await client(calls.raw("GET", PODS.path("default")))
            if true(page["items"]):
                return
            await asyncio.sleep(0.5)


def _running(pod: JSON) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Running")


async def _ready(client: Client) -> str:
    async with asyncio.timeout(30):
        while True:
            try:
                node = await client(calls.get(core.Node, NODE))
                return node.metadata.labels["athanor.dev/isolation"]
            except (ApiError, KeyError):
                await asyncio.sleep(0.1)


def _supervisor(folder: Path) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{folder}/run".encode() in line and b"supervisor" in line:
                return int(entry.name)
    raise RuntimeError("there is no supervisor")


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _left(folder: Path) -> list[str]:
    """Processes, control groups, folders, mounts of pods that are gone."""
    left = [str(path) for path in (folder / "node" / "pods").iterdir()]
    left += [str(path) for path in (folder / "node" / "logs").iterdir()]
    for base, folders, _ in os.walk("/sys/fs/cgroup"):
        if base.endswith(f"athanor-{tag(folder)}"):
            left += [f"{base}/{name}" for name in folders]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left += [line for line in mounts if str(folder) in line]
    children = Path(f"/proc/{_supervisor(folder)}/task/{_supervisor(folder)}/children").read_text()
    return left + children.split()


def _shutdown(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(folder / "run" / "supervisor.sock"))
        door.sendall(json.dumps({"id": 1, "op": "shutdown", "grace": 1}).encode() + b"\n")
        door.recv(4096)
