"""What pods use: `/stats/summary` and `/metrics/resource`, from control groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from athanor.api.meta import JSON
from athanor.kit.times import rfc3339
from athanor.local.agent.node import Node

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker


async def usage(node: Node) -> dict[str, dict[str, int]]:
    """Run key → {"memory": bytes, "cpu": nanoseconds}."""
    found: dict[str, dict[str, int]] = (await node.supervised.ask("usage"))["usage"]
    return found


async def summary(node: Node, workers: dict[str, Worker]) -> JSON:
    """The kubelet's Summary, with the parts that are accounted here."""
    used = await usage(node)
    now = rfc3339(node.clock.now())
    pods = []
    for worker in workers.values():
        meta = worker.pod["metadata"]
        containers = [
            {
                "name": key.split("/")[1], "startTime": now,
                "cpu": {"time": now, "usageCoreNanoSeconds": one.get("cpu", 0)},
                "memory": {"time": now, "workingSetBytes": one.get("memory", 0)},
            }
            for key, one in used.items()
            if key.startswith(worker.uid + "/")
        ]  # fmt: skip
        ref = {"name": meta["name"], "namespace": meta["namespace"], "uid": worker.uid}
        pods.append({"podRef": ref, "startTime": now, "containers": containers})
    return {"node": {"nodeName": node.settings.name, "startTime": now}, "pods": pods}


async def metrics(node: Node, workers: dict[str, Worker]) -> str:
    """The same in Prometheus' text format, under a kubelet's names."""
    used = await usage(node)
    cpu = ["# TYPE container_cpu_usage_seconds_total counter"]
    memory = ["# TYPE container_memory_working_set_bytes gauge"]
    for worker in workers.values():
        meta = worker.pod["metadata"]
        for key, one in used.items():
            if not key.startswith(worker.uid + "/"):
                continue
            labels = (
                f'container="{key.split("/")[1]}",namespace="{meta["namespace"]}",'
                f'pod="{meta["name"]}"'
            )
            seconds = one.get("cpu", 0) / 1e9
            cpu.append(f"container_cpu_usage_seconds_total{{{labels}}} {seconds}")
            memory.append(f"container_memory_working_set_bytes{{{labels}}} {one.get('memory', 0)}")
    return "\n".join([*cpu, *memory, ""])
