"""From an acknowledged TrainingJob to its 4th replica Running, as a watcher sees it.

A whole `athanor up` in a scratch folder; one client creates jobs of four ranks one after another,
another watches the pods. Seconds count from the answer to the POST.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from athanor.api.meta import JSON
from athanor.api.registry import by_kind
from athanor.assembly.layout import DataDir
from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client
from athanor.wire import calls
from athanor.wire.watch import Frames
from bench.harness import Figure, quantile

WARM_UP = 3
"""First runs that are not counted."""

JOBS = by_kind("athanor.dev/v1alpha1", "TrainingJob")
PODS = by_kind("v1", "Pod")


def job(name: str, replicas: int = 4) -> JSON:
    """A generic job of sleeping ranks."""
    container = {
        "name": "main",
        "image": "host",
        "command": ["sleep", "600"],
        "resources": {"requests": {"cpu": "10m"}},
    }
    template = {"spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    return {
        "apiVersion": "athanor.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "framework": "generic",
            "roles": [{"name": "worker", "replicas": replicas, "template": template}],
        },
    }


async def _watch(transport: Http, seen: asyncio.Queue[tuple[str, float]]) -> None:
    """Reports each pod once, when it is first seen Running."""
    assert PODS is not None
    stream = await transport.stream(calls.watch(PODS, "default"))
    frames = Frames()
    running: set[str] = set()
    async for chunk in stream.chunks:
        for frame in frames.feed(chunk):
            said = msgspec.json.decode(frame.object)
            uid = said.get("metadata", {}).get("uid", "")
            if said.get("status", {}).get("phase") == "Running" and uid not in running:
                running.add(uid)
                await seen.put((said["metadata"]["name"], time.perf_counter()))


async def samples(kubeconfig: Path, runs: int, replicas: int = 4) -> list[float]:
    """Seconds of each run, in order."""
    target = load([kubeconfig]).target()
    watcher, writer = Http(target), Http(target)
    client = Client(writer)
    seen: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    watching = asyncio.create_task(_watch(watcher, seen))
    assert JOBS is not None
    taken = []
    try:
        for run in range(runs):
            name = f"latency-{run}"
            await client(calls.create(JOBS, job(name, replicas)))
            start = time.perf_counter()
            count, last = 0, start
            while count < replicas:
                pod, last = await asyncio.wait_for(seen.get(), timeout=60)
                count += pod.startswith(name + "-")
            taken.append(last - start)
            await client(calls.delete(JOBS, name, "default", propagation="Background"))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await watcher.close()
        await writer.close()
    return taken


def run(full: bool) -> list[Figure]:
    """The median and the 99th percentile, in milliseconds."""
    runs = 100 if full else 30
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as folder:
        data = DataDir(Path(folder) / "data")
        up = [sys.executable, "-m", "athanor.cli", "--data", str(data.root)]
        subprocess.run([*up, "up", "--detach", "--port", "0"], check=True, capture_output=True)
        try:
            taken = asyncio.run(samples(data.admin, runs + WARM_UP))[WARM_UP:]
        finally:
            subprocess.run([*up, "down", "--yes"], check=True, capture_output=True)
    return [
        Figure(name=f"fourth rank Running {name}", value=1000 * quantile(taken, part), unit="ms",
               limit=limit, better="low", runs=runs)
        for name, part, limit in (("p50", 0.5, 300), ("p99", 0.99, 600))
    ]  # fmt: skip
