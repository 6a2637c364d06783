"""The whole life of one large job: submitted, all pods Succeeded, deleted, everything gone.

`python -m bench.cluster life [--pods 5000] [--no-peer]`. Ours: a generic TrainingJob. Peer,
afterwards on a fresh plane: a batch Job of the same pods with kube-scheduler. Neither has a
Service. Simulated kubelets write Running and Succeeded, and confirm deletions, for both.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace

from athanor.api.meta import JSON
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.wire import calls
from bench.cluster import load
from bench.cluster.plane import Plane, install, plane, start_controllers
from bench.cluster.pods import JOBS, PARTS, job
from bench.harness import Figure
from bench.keeping import SPACE, Kubelets

TRAINING = f"/apis/athanor.dev/v1alpha1/namespaces/{SPACE}/trainingjobs"
NEW_KINDS = 35.0
"""Seconds in which the garbage collector has heard of kinds that were installed: it asks each 30.
"""
FASTER, SERVER = 1.6, 10.0
"""How many times the peer's pods a second; CPU-ms of the API server a pod."""
PEER_RATE = 77.0
"""The peer's pods a second when it was measured; where none runs along."""


def training(name: str, pods: int) -> JSON:
    """A TrainingJob of that many ranks."""
    role = {"name": "worker", "replicas": pods, "template": load.template()}
    return {"apiVersion": "athanor.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name},
            "spec": {"framework": "generic", "roles": [role], "runPolicy": {"cleanPods": "None"},
                     "service": False, "scheduling": {"queue": "default"}}}  # fmt: skip


async def _live(made: Plane, path: str, manifest: JSON, pods: int) -> JSON:
    transport = Http(made.target(), connections=100)
    client = Client(transport)
    await load.nodes(client, -(-pods // load.PER_NODE))
    kubelets = Kubelets(client, run=True, ends=True)
    await kubelets.start()
    if path == TRAINING:
        start_controllers(made)
        await asyncio.sleep(NEW_KINDS)
    made.settle()
    asked, before, began = made.calls(), made.cpu(), time.perf_counter()
    await client(calls.raw("POST", path, body=manifest))
    await kubelets.until(lambda: kubelets.count("Succeeded") >= pods)
    succeeded = time.perf_counter() - began
    name = manifest["metadata"]["name"]
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    await client(calls.raw("DELETE", f"{path}/{name}", body=options))
    await kubelets.until(lambda: len(kubelets.alive) < pods)
    first = time.perf_counter() - began
    await kubelets.until(lambda: not kubelets.alive)
    wall = time.perf_counter() - began
    told = {"succeeded": round(succeeded, 1), "first_gone": round(first, 1),
            "wall": round(wall, 1), "cpu": made.since(before), "pods_per_second": pods / wall,
            "calls": dict((made.calls() - asked).most_common(12))}  # fmt: skip
    await kubelets.stop()
    await transport.close()
    return told


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """Pods a second and what the API server spent on each."""
    pods = options.pods
    with plane(*PARTS) as made:
        install(made)
        ours = await _live(made, TRAINING, training("large", pods), pods)
    said: JSON = {"ours": ours}
    rate = PEER_RATE
    if options.peer:
        with plane(*PARTS) as made:
            said["peer"] = await _live(made, JOBS, job("large", pods), pods)
        rate = said["peer"]["pods_per_second"]
    spent = ours["cpu"]["kube-apiserver"] / pods * 1000
    return [
        Figure(name="cluster.life.rate", value=ours["pods_per_second"], unit="pods/s",
               limit=rate * FASTER, better="high", runs=pods),
        Figure(name="cluster.life.kube-apiserver", value=spent, unit="CPU-ms a pod", limit=SERVER,
               better="low", runs=pods),
    ], said  # fmt: skip
