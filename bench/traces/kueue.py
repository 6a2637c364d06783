"""Kueue's scalability tests in real time through our own API server.

`python -m bench.traces.kueue --config baseline|large-scale|tas [--traces DIR] [--scale N]`: plays
the generators of kubernetes-sigs/kueue, `test/performance/scheduler/configs` (in DIR/kueue_perf):
every queue has a generator a set of workloads that creates one, waits, creates the next; a workload
holds its request for its running time once it is admitted, then it has finished. Server, scheduler
and this runner are processes on one machine; no pods. Capacity is quota, as there: without topology
one node holds it all.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml

from athanor.api import core
from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.kit import loop
from athanor.kit.clock import SystemClock
from athanor.kit.times import rfc3339
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.harness import Figure, Server, api_server
from bench.keeping import SPACE, Watcher
from bench.traces.scheduler import counted, scheduler, spent

BARS = {"baseline": 90.0, "large-scale": 180.0, "tas": 130.0}
"""Seconds. Kueue's own continuous integration takes 351, 1,179 and 401."""
GANGS, QUEUES, POOLS, NODES = of(Gang), of(Queue), of(Pool), of(core.Node)
PRIORITIES = of(core.PriorityClass)
CLOCK = SystemClock()


class _Seen(Base, frozen=True):
    metadata: ObjectMeta
    status: JSON = {}


class Plan(msgspec.Struct, frozen=True):
    """One generator: `count` workloads of one sort for a queue, `interval` seconds apart."""

    queue: str
    kind: str
    count: int
    interval: float
    runtime: float
    units: float
    spec: JSON


class Runner(Watcher[_Seen]):
    """Creates workloads, ends those admitted in time, keeps account."""

    def __init__(self, client: Client, plans: Sequence[Plan]) -> None:
        super().__init__(client, GANGS, _Seen)
        self.plans = plans
        self.total = sum(plan.count for plan in plans)
        self.of: dict[str, Plan] = {}
        self.created: dict[str, float] = {}
        self.admitted: dict[str, float] = {}
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.ends: dict[str, asyncio.Task[None]] = {}
        self.over: set[str] = set()
        self.latest: dict[str, _Seen] = {}
        self.unit_seconds = 0.0
        self.evicted = 0
        self.left = self.total
        self.done = asyncio.Event()

    async def play(self) -> float:
        """All of it; seconds from the first creation to the last end."""
        await self.start()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, plan in enumerate(self.plans):
                tasks.create_task(self._create(plan, number))
            await self.done.wait()
        await self.stop()
        return time.perf_counter() - began

    async def _create(self, plan: Plan, number: int) -> None:
        due = time.perf_counter()
        for i in range(plan.count):
            due += plan.interval
            await asyncio.sleep(due - time.perf_counter())
            name = f"{plan.kind}-{number}-{i}"
            self.of[name] = plan
            self.created[name] = time.perf_counter()
            manifest = {
                "apiVersion": GANGS.api_version, "kind": "Gang", "spec": plan.spec,
                "metadata": {"name": name, "namespace": SPACE},
            }  # fmt: skip
            await self._send(calls.create(GANGS, manifest))

    async def _send(self, call: calls.Call[JSON]) -> None:
        """Until the server has taken it: at first thousands of generators connect at once."""
        while True:
            try:
                await self.client(call)
                return
            except ApiError as problem:
                if problem.reason == "AlreadyExists":
                    return
                if problem.reason != "ServiceUnavailable":
                    raise
                await asyncio.sleep(0.5)

    def saw(self, value: _Seen, deleted: bool) -> None:
        """One workload changed."""
        name, admission = value.metadata.name, value.status.get("admission")
        self.latest[name] = value
        if name not in self.of or name in self.over or deleted:
            return
        if admission is not None and "evict" in admission:
            if (task := self.ends.pop(name, None)) is not None:
                task.cancel()
                self.evicted += 1
                self._held(name)
                self.ends[f"out-{name}"] = asyncio.ensure_future(self._give_back(name))
        elif admission is not None and name not in self.ends:
            self.ends.pop(f"out-{name}", None)
            now = time.perf_counter()
            if name not in self.admitted:
                self.waits[self.of[name].kind].append(now - self.created[name])
            self.admitted[name] = now
            self.ends[name] = asyncio.ensure_future(self._end(name))

    def _held(self, name: str) -> None:
        held = time.perf_counter() - self.admitted[name]
        self.unit_seconds += held * self.of[name].units

    async def _end(self, name: str) -> None:
        await asyncio.sleep(self.of[name].runtime)
        self.over.add(name)  # whoever tells it to go now comes too late
        await self._finish(name)
        self._held(name)
        self.left -= 1
        if not self.left:
            self.done.set()

    async def _finish(self, name: str) -> None:
        """Written as the gangs controller writes it: the whole status, as it was seen last."""
        while True:
            seen = self.latest[name]
            done = {**seen.status, "phase": "Succeeded", "finishedAt": rfc3339(CLOCK.now())}
            meta = {
                "name": name,
                "namespace": SPACE,
                "resourceVersion": seen.metadata.resource_version,
            }
            manifest = {
                "apiVersion": GANGS.api_version,
                "kind": "Gang",
                "metadata": meta,
                "status": done,
            }
            try:
                await self._send(calls.update(GANGS, manifest, subresource="status"))
                return
            except ApiError as problem:
                if problem.reason != "Conflict":
                    raise
                await asyncio.sleep(0.05)  # until the watch has told what came between

    async def _give_back(self, name: str) -> None:
        gone = {"status": {"phase": "Pending", "admission": None}}
        await self._send(calls.patch(GANGS, name, SPACE, gone, subresource="status"))


def plans(config: JSON, scale: int) -> tuple[list[Plan], list[JSON], list[JSON]]:
    """(generators, queues, PriorityClasses) of a configuration, counts divided by `scale`."""
    found, queues, values = [], [], set()
    for cohorts in config["cohorts"]:
        for c in range(cohorts["count"]):
            parent = f"{cohorts['className']}-{c}"
            whole = sum(int(s["nominalQuota"]) * s["count"] for s in cohorts["queuesSets"])
            queues.append(_queue(parent, "", None, whole))  # cohorts lend each other nothing
            for sets in cohorts["queuesSets"]:
                nominal, more = int(sets["nominalQuota"]), int(sets["borrowingLimit"])
                for q in range(sets["count"]):
                    name = f"{parent}-{sets['className']}-{q}"
                    queues.append(_queue(name, parent, nominal, nominal + more))
                    for part in sets["workloadsSets"]:
                        for load in part["workloads"]:
                            values.add(load["priority"])
                            found.append(_plan(name, part, load, scale))
    classes: list[JSON] = [
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": value,
         "metadata": {"name": f"p{value}"}}
        for value in sorted(values)
    ]  # fmt: skip
    return found, queues, classes


def _queue(name: str, parent: str, nominal: int | None, limit: int) -> JSON:
    quota: JSON = {"pool": "default", "limit": {"cpu": str(limit)}}
    if nominal is not None:
        quota["guaranteed"] = {"cpu": str(nominal)}
    spec: JSON = {"pools": [quota], **({"parent": parent} if parent else {})}
    return {"apiVersion": QUEUES.api_version, "kind": "Queue", "metadata": {"name": name},
            "spec": spec}  # fmt: skip


def _plan(queue: str, part: JSON, load: JSON, scale: int) -> Plan:
    pods, each = load.get("podCount", 1), str(load["request"])
    box = {"name": "c", "image": "x", "resources": {"requests": {"cpu": each}}}
    one: JSON = {"name": "main", "count": pods, "template": {"spec": {"containers": [box]}}}
    if "tasConstraint" in load:
        level = load["tasLevel"]
        one["topology"] = {
            "required": {"required": level},
            "preferred": {"preferred": level},
            "balanced": {"preferred": level, "balanced": True},
        }[load["tasConstraint"]]
    units = float(each.removesuffix("m")) / (1000 if each.endswith("m") else 1)
    spec = {"queue": queue, "podSets": [one], "priorityClassName": f"p{load['priority']}"}
    return Plan(
        queue, load["className"], max(part["count"] // scale, 1),
        part["creationIntervalMs"] / 1000.0, load["runtimeMs"] / 1000.0, pods * units, spec,
    )  # fmt: skip


def nodes(config: JSON, units: int) -> tuple[list[JSON], list[str]]:
    """(Node statuses, topology levels): the topology's nodes, or one that holds everything."""
    if "topology" not in config:
        return [_node("everything", {"cpu": str(units), "memory": "1Ti"}, {})], []
    blocks, racks, hosts = config["topology"]["levels"]
    found = []
    for b in range(blocks["count"]):
        for r in range(racks["count"]):
            for n in range(hosts["count"]):
                labels = {blocks["nodeLabel"]: f"b{b}", racks["nodeLabel"]: f"b{b}r{r}"}
                found.append(_node(f"n-{b}-{r}-{n}", dict(hosts["capacity"]), labels))
    return found, [blocks["nodeLabel"], racks["nodeLabel"]]


def _node(name: str, capacity: JSON, labels: JSON) -> JSON:
    held = {**capacity, "pods": "100000"}
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": ""}
    labels = {**labels, "athanor.dev/pool": "default"}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {"capacity": held, "allocatable": held, "conditions": [ready]},
    }  # fmt: skip


async def _prepare(client: Client, config: JSON, queues: list[JSON], classes: list[JSON]) -> int:
    units = sum(
        int(q["spec"]["pools"][0].get("guaranteed", {}).get("cpu", 0)) for q in queues
    )  # fmt: skip
    machines, levels = nodes(config, units)
    pool = {"apiVersion": POOLS.api_version, "kind": "Pool", "metadata": {"name": "default"},
            "spec": {"exclusive": False, "topologyLevels": levels}}  # fmt: skip
    await client(calls.apply(POOLS, pool, manager="bench", force=True))
    for manifest in classes:
        await client(calls.create(PRIORITIES, manifest))
    for queue in queues:
        await client(calls.create(QUEUES, queue))
    for node in machines:
        await client(calls.create(NODES, node))
        status = {"status": node["status"]}
        await client(
            calls.patch(NODES, node["metadata"]["name"], None, status, subresource="status")
        )
    return units


async def measure(
    name: str, config: JSON, scale: int, server: Server = api_server
) -> tuple[list[Figure], JSON]:
    """The figures of one run, and all that was counted."""
    generators, queues, classes = plans(config, scale)
    with server() as served:
        transport = Http(served.admin, connections=200)
        client = Client(transport)
        units = await _prepare(client, config, queues, classes)
        with scheduler(served, pods=False) as process:
            runner = Runner(client, generators)
            wall = await runner.play()
            costs = spent(served, process)
        await transport.close()
        told_by = counted(served)
    told: JSON = {
        "config": name, "wall": wall, "workloads": runner.total, "evicted": runner.evicted,
        "use": runner.unit_seconds / (units * wall), "cpu_seconds": costs,
        "admission_ms": {k: 1000 * sum(v) / len(v) for k, v in sorted(runner.waits.items())},
        "scheduler": told_by,
    }  # fmt: skip
    part = "" if scale == 1 else f".a_{scale}th"  # a part of the load proves nothing
    figure = Figure(
        name=f"kueue.{name}.wall{part}", value=wall, unit="s", limit=BARS[name], better="low"
    )
    return [figure], told


def main() -> int:
    """Run one configuration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"), metavar="DIR")
    parser.add_argument("--config", choices=sorted(BARS), required=True)
    parser.add_argument("--scale", type=int, default=1, help="divide all counts by this")
    options = parser.parse_args()
    file = options.traces / "kueue_perf" / f"{options.config}.generator.yaml"
    config = yaml.safe_load(file.read_text())
    figures, told = loop.run(measure(options.config, config, options.scale))
    for figure in figures:
        print(figure.line(), flush=True)
    print(msgspec.json.encode(told).decode())
    return 0 if options.scale == 1 and all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
