"""The whole life of one large job: submitted, all pods Succeeded, cleaned, the job deleted.

`python -m bench.cluster life [--pods 5000] [--rounds 3] [--no-peer]`, both sides in turns, each on
planes of its own. Ours: a generic TrainingJob that cleans up after itself (`cleanPods: All`).
Peer: a batch Job of the same pods with kube-scheduler, cleaned up by its deletion. Neither has a
Service. Simulated kubelets write Running and Succeeded for both, without what real ones ask before.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from statistics import median

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
            "spec": {"framework": "generic", "roles": [role], "runPolicy": {"cleanPods": "All"},
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
    succeeded, until = time.perf_counter() - began, made.since(before)
    if path == TRAINING:  # it cleans up after itself, as its run policy says
        await kubelets.until(lambda: not kubelets.alive)
    name = manifest["metadata"]["name"]
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    await client(calls.raw("DELETE", f"{path}/{name}", body=options))
    await kubelets.until(lambda: not kubelets.alive)
    wall = time.perf_counter() - began
    told = {"succeeded": round(succeeded, 1), "wall": round(wall, 1), "cpu": made.since(before),
            "cpu_until_succeeded": until,
            "pods_per_second": pods / wall,
            "calls": dict((made.calls() - asked).most_common(12))}  # fmt: skip
    await kubelets.stop()
    await transport.close()
    return told


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """Pods a second and what the API server spent on each; medians of the rounds."""
    pods = options.pods
    ours: list[JSON] = []
    peer: list[JSON] = []
    for _ in range(options.rounds):
        with plane(*PARTS) as made:
            install(made)
            ours.append(await _live(made, TRAINING, training("large", pods), pods))
        if options.peer:
            with plane(*PARTS) as made:
                peer.append(await _live(made, JOBS, job("large", pods), pods))
    spent = median(one["cpu"]["kube-apiserver"] for one in ours) / pods * 1000
    return [
        Figure(name="cluster.life.rate", value=_rate(ours), unit="pods/s",
               limit=(_rate(peer) if peer else PEER_RATE) * FASTER, better="high",
               runs=len(ours)),
        Figure(name="cluster.life.kube-apiserver", value=spent, unit="CPU-ms a pod", limit=SERVER,
               better="low", runs=len(ours)),
    ], {"ours": ours, "peer": peer}  # fmt: skip


def _rate(told: list[JSON]) -> float:
    return float(median(one["pods_per_second"] for one in told))
