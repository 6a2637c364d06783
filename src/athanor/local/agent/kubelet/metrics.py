"""`metrics.k8s.io` of this node: what its pods use, measured when somebody asks.

Processor use is the difference of two looks: of now and of the last one that is old enough, or,
when nobody has asked lately, of a moment later. So it costs nothing while nobody looks. GPUs are
told beside, in the same way (half of one: 500m), of containers that hold measured ones alone; one
that several share counts whole for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from athanor.api.meta import JSON
from athanor.api.metrics import API_VERSION, GPU, GPU_MEMORY, RESOURCES, ROOT
from athanor.kit.times import rfc3339
from athanor.local.agent.devices import Load
from athanor.local.agent.kubelet import summary
from athanor.local.agent.node import Node
from athanor.wire import selector
from athanor.wire.status import ApiError

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds between two looks that a rate may be made of."""
_PAUSE = 0.5


class Look(NamedTuple):
    """What all runs had used at a time (seconds on a clock that never goes back)."""

    at: float
    used: Mapping[str, Mapping[str, int]]


class Measured(NamedTuple):
    """Cores in nanos, and bytes, by run; over how many seconds."""

    runs: Mapping[str, tuple[int, int]]
    window: float


class Metrics:
    """Answers for the pods in `workers` (uid → worker)."""

    def __init__(self, node: Node, workers: Mapping[str, Worker]) -> None:
        self._node = node
        self._workers = workers
        self._last: Look | None = None
        self._lock = asyncio.Lock()

    async def answer(self, path: str, query: Mapping[str, str]) -> JSON:
        """The answer to a path below the group. Raises ApiError."""
        match path.rstrip("/").removeprefix(ROOT).split("/")[1:]:
            case []:
                return RESOURCES
            case ["nodes"]:
                return _list("NodeMetrics", [await self._of_node()])
            case ["nodes", name] if name == self._node.settings.name:
                return await self._of_node()
            case ["pods"]:
                return _list("PodMetrics", await self._of_pods("", query))
            case ["namespaces", namespace, "pods"]:
                return _list("PodMetrics", await self._of_pods(namespace, query))
            case ["namespaces", namespace, "pods", name]:
                for found in await self._of_pods(namespace, {}):
                    if found["metadata"]["name"] == name:
                        return found
        raise ApiError("NotFound", "the server could not find the requested resource")

    async def _of_pods(self, namespace: str, query: Mapping[str, str]) -> list[JSON]:
        fits = selector.parse_labels(query.get("labelSelector"))
        measured = await self._measure()
        found = []
        for uid, worker in self._workers.items():
            meta = worker.pod["metadata"]
            marks = meta.get("labels") or {}
            mine = {k.split("/")[1]: v for k, v in measured.runs.items() if k.startswith(f"{uid}/")}
            if not mine or namespace not in ("", meta["namespace"]) or not fits.matches(marks):
                continue
            containers = [
                {"name": name, "usage": _usage(*used) | _gpus(self._node.devices.loads(uid, name))}
                for name, used in mine.items()
            ]
            head = {"name": meta["name"], "namespace": meta["namespace"], "labels": marks}
            found.append(self._said("PodMetrics", head, measured, containers=containers))
        return found

    async def _of_node(self) -> JSON:
        measured = await self._measure()
        cpu, memory = (sum(used[n] for used in measured.runs.values()) for n in (0, 1))
        head = {"name": self._node.settings.name}
        return self._said("NodeMetrics", head, measured, usage=_usage(cpu, memory))

    def _said(self, kind: str, head: JSON, measured: Measured, **more: object) -> JSON:
        now = rfc3339(self._node.clock.now())
        return {
            "kind": kind, "apiVersion": API_VERSION, "timestamp": now,
            "metadata": {**head, "creationTimestamp": now}, "window": f"{measured.window:.3f}s",
            **more,
        }  # fmt: skip

    async def _measure(self) -> Measured:
        async with self._lock:
            now = self._node.clock.monotonic()
            before = self._last
            if before is None or not SHORTEST <= now - before.at <= LONGEST:
                before = Look(now, await summary.usage(self._node))
                await asyncio.sleep(_PAUSE)
            after = Look(self._node.clock.monotonic(), await summary.usage(self._node))
            self._last = after
        return rates(before, after)


def rates(before: Look, after: Look) -> Measured:
    """What runs used between two looks; those that began meanwhile have used all of theirs."""
    window = max(after.at - before.at, 1e-3)
    runs = {}
    for key, used in after.used.items():
        spent = used.get("cpu", 0) - before.used.get(key, {}).get("cpu", 0)
        runs[key] = (max(round(spent / window), 0), used.get("memory", 0))
    return Measured(runs, window)


def _usage(cpu: int, memory: int) -> JSON:
    return {"cpu": f"{cpu}n", "memory": f"{memory // 1024}Ki"}


def _gpus(loads: Sequence[Load]) -> JSON:
    if not loads:
        return {}
    busy, memory = sum(load.busy for load in loads), sum(load.memory for load in loads)
    return {GPU: f"{busy * 10}m", GPU_MEMORY: f"{memory // 1024}Ki"}


def _list(kind: str, items: list[JSON]) -> JSON:
    return {"kind": f"{kind}List", "apiVersion": API_VERSION, "metadata": {}, "items": items}
