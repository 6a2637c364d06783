"""Pods of gangs, admitted, placed and created: what each costs, beside Jobs and kube-scheduler.

`python -m bench.cluster pods [--nodes 5000] [--gangs 1000] [--size 10] [--no-peer]`. Ours: gangs
of one-GPU pods. Peer, afterwards on a fresh plane: batch Jobs of the same pods, made by
controller-manager and bound by kube-scheduler. Both planes run all parts.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.client.http import Http
from athanor.client.protocol import Client
from bench.cluster import load
from bench.cluster.plane import Plane, install, plane, start_controllers
from bench.harness import Figure
from bench.keeping import SPACE, Kubelets, every

PARTS = ("controller-manager", "scheduler")
OURS, THEIRS = ("athanor",), ("kube-controller-manager", "kube-scheduler")
LIMIT = {"controllers": 6.2 / 3, "kube-apiserver": 5.1 / 2}
"""CPU-ms a pod where no peer runs along: a third and a half of what the peer took when measured."""
GANGS = f"/apis/athanor.dev/v1alpha1/namespaces/{SPACE}/gangs"
JOBS = f"/apis/batch/v1/namespaces/{SPACE}/jobs"


def gang(name: str, size: int, queue: str = "default", **topology: object) -> JSON:
    """A gang of one-GPU pods that need no names, as those of the peer have none."""
    pods: JSON = {"name": "worker", "count": size, "template": load.template()}
    if topology:
        pods["topology"] = topology
    return {"apiVersion": "athanor.dev/v1alpha1", "kind": "Gang", "metadata": {"name": name},
            "spec": {"queue": queue, "podSets": [pods], "service": False}}  # fmt: skip


def job(name: str, size: int) -> JSON:
    """A batch Job of the same pods."""
    spec = {"parallelism": size, "completions": size, "backoffLimit": 0,
            "template": load.template()}  # fmt: skip
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


async def _run(made: Plane, path: str, manifests: list[JSON], nodes: int, pods: int) -> JSON:
    """Submit all, wait for the last pod to have its node; seconds and CPU of every process."""
    transport = Http(made.target(), connections=100)
    client = Client(transport)
    await load.nodes(client, nodes)
    kubelets = Kubelets(client)
    await kubelets.start()
    if path == GANGS:
        start_controllers(made)
    made.settle()
    asked = made.calls()
    before, began = made.cpu(), time.perf_counter()
    await every(load.creation(client, path, one) for one in manifests)
    await kubelets.until(lambda: len(kubelets.placed) >= pods)
    told: JSON = {"wall": round(time.perf_counter() - began, 1), "cpu": made.since(before)}
    told["calls"] = dict((made.calls() - asked).most_common(12))
    await kubelets.stop()
    await transport.close()
    return told


def per_pod(told: JSON, processes: tuple[str, ...], pods: int) -> float:
    """CPU milliseconds a pod of some processes together."""
    seconds: float = sum(told["cpu"][name] for name in processes)
    return seconds / pods * 1000


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """Both figures, and all that was counted."""
    nodes, gangs, size = options.nodes, options.gangs, options.size
    pods = gangs * size
    with plane(*PARTS) as made:
        install(made)
        ours = await _run(made, GANGS, [gang(f"g{i}", size) for i in range(gangs)], nodes, pods)
    said: dict[str, JSON] = {"ours": ours}
    limits: Mapping[str, float] = LIMIT
    if options.peer:
        with plane(*PARTS) as made:
            theirs = await _run(made, JOBS, [job(f"j{i}", size) for i in range(gangs)], nodes, pods)
        said["peer"] = theirs
        limits = {"controllers": per_pod(theirs, THEIRS, pods) / 3,
                  "kube-apiserver": per_pod(theirs, ("kube-apiserver",), pods) / 2}  # fmt: skip
    values = {"controllers": per_pod(ours, OURS, pods),
              "kube-apiserver": per_pod(ours, ("kube-apiserver",), pods)}  # fmt: skip
    figures = [
        Figure(name=f"cluster.pods.{name}", value=value, unit="CPU-ms a pod", limit=limits[name],
               better="low", runs=pods)
        for name, value in values.items()
    ]  # fmt: skip
    return figures, said
