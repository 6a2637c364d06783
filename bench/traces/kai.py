"""KAI's scale experiments on our own API server: 500 simulated nodes of 8 GPUs, pods and all.

`python -m bench.traces.kai --case fill|gang|reclaim|verdict [--nodes N]`: `fill` is one gang of
one GPU for every GPU; `gang` one of 512 pods that need one rack group; `reclaim` fills the cluster
from one queue and then submits as much to the queue it all belongs to; `verdict` asks for more
than there is. Time runs from the first submission to the last pod that is Running (to the reason,
for `verdict`). Server, scheduler (with the controller that makes pods) and this runner, which plays
all kubelets over one watch, are processes on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from athanor.api import core
from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.kit import loop
from athanor.runtime.following import Following
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.harness import Figure, Server, api_server
from bench.traces.scheduler import counted, scheduler, spent

BARS = {"fill": 30.0, "gang": 3.0, "reclaim": 60.0, "verdict": 1.0}
"""Seconds. KAI's own continuous integration takes 398, 49, 694 and 249."""
GPU, RACK, SPACE, PER_NODE = "nvidia.com/gpu", "rack", "default", 8
GANGS, PODS, NODES, POOLS, QUEUES = of(Gang), of(core.Pod), of(core.Node), of(Pool), of(Queue)
RUNNING = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


class _Spec(Base, frozen=True):
    node_name: str = ""


class _Status(Base, frozen=True):
    phase: str = "Pending"


class _Pod(Base, frozen=True):
    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()


class Kubelets:
    """All kubelets at once: pods run when they have a node, and go when they are told to."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.running: dict[str, str] = {}
        self.seen: set[str] = set()
        self.news = asyncio.Event()
        self._read = msgspec.json.Decoder(_Pod).decode
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, body: msgspec.Raw) -> _Pod:
        """The little that matters of a pod."""
        return self._read(body)

    def replace(self, values: list[_Pod], revision: str) -> None:
        """The state after a list."""
        for value in values:
            self.change(value, deleted=False)

    def reached(self, revision: str) -> None:
        """Nothing is kept by revision."""

    def change(self, value: _Pod, deleted: bool) -> str:
        """One pod changed."""
        meta = value.metadata
        if deleted:
            self.running.pop(meta.uid, None)
        elif meta.deletion_timestamp is not None:
            self._once(f"gone/{meta.uid}", self._gone, meta)
        elif value.status.phase == "Running":
            self.running[meta.uid] = meta.name
        elif value.spec.node_name:
            self._once(meta.uid, self._runs, meta)
        self.news.set()
        return meta.resource_version

    def _once(
        self, key: str, act: Callable[[ObjectMeta], Awaitable[None]], of_: ObjectMeta
    ) -> None:
        if key not in self.seen:
            self.seen.add(key)
            task = asyncio.ensure_future(act(of_))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _runs(self, meta: ObjectMeta) -> None:
        await _forgiving(
            self.client(calls.patch(PODS, meta.name, SPACE, RUNNING, subresource="status"))
        )

    async def _gone(self, meta: ObjectMeta) -> None:
        await _forgiving(
            self.client(calls.delete(PODS, meta.name, SPACE, uid=meta.uid, grace_seconds=0))
        )

    async def until(self, prefix: str, count: int) -> None:
        """Until so many pods whose names begin so run."""
        while sum(name.startswith(prefix) for name in self.running.values()) < count:
            self.news.clear()
            await asyncio.sleep(0.02)  # a burst of changes is looked at once
            await self.news.wait()


async def _forgiving(call: Awaitable[JSON]) -> None:
    """That a pod has gone meanwhile is no error."""
    try:
        await call
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise


def _gang(name: str, pods: int, gpus: int, queue: str, *, rack: bool = False) -> JSON:
    box = {"name": "main", "image": "x", "resources": {"requests": {GPU: str(gpus)},
                                                       "limits": {GPU: str(gpus)}}}  # fmt: skip
    one: JSON = {"name": "w", "count": pods, "template": {"spec": {"containers": [box]}}}
    if rack:
        one["topology"] = {"required": RACK}
    return {"apiVersion": GANGS.api_version, "kind": "Gang",
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"queue": queue, "podSets": [one], "service": False}}  # fmt: skip


async def _all(works: Iterable[Awaitable[JSON]], together: int = 64) -> None:
    gate = asyncio.Semaphore(together)

    async def one(work: Awaitable[JSON]) -> None:
        async with gate:
            await work

    await asyncio.gather(*(one(work) for work in works))


async def _prepare(client: Client, nodes: int) -> None:
    pool = {"apiVersion": POOLS.api_version, "kind": "Pool", "metadata": {"name": "default"},
            "spec": {"exclusive": False, "topologyLevels": [RACK]}}  # fmt: skip
    await client(calls.apply(POOLS, pool, manager="bench", force=True))
    for name, guaranteed in (("lender", 0), ("owner", nodes * PER_NODE)):
        quota: JSON = {"pool": "default"}
        quota |= {"guaranteed": {GPU: str(guaranteed)}} if guaranteed else {}
        await client(calls.create(QUEUES, {
            "apiVersion": QUEUES.api_version, "kind": "Queue", "metadata": {"name": name},
            "spec": {"pools": [quota]},
        }))  # fmt: skip
    held = {"cpu": "128", "memory": "1Ti", "pods": "250", GPU: str(PER_NODE)}
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": ""}
    status = {"status": {"capacity": held, "allocatable": held, "conditions": [ready]}}
    racks = [f"r{n // 100}" for n in range(nodes)]
    await _all(
        client(calls.create(NODES, {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": f"n{n:04}", "labels": {RACK: rack}},
        }))
        for n, rack in enumerate(racks)
    )  # fmt: skip
    await _all(
        client(calls.patch(NODES, f"n{n:04}", None, status, subresource="status"))
        for n in range(nodes)
    )


async def _fill(client: Client, kubelets: Kubelets, prefix: str, queue: str, count: int) -> None:
    await _all(
        client(calls.create(GANGS, _gang(f"{prefix}-{i}", 1, 1, queue))) for i in range(count)
    )
    await kubelets.until(prefix, count)


async def _case(case: str, client: Client, kubelets: Kubelets, gpus: int) -> float:
    """Seconds of what is measured."""
    if case == "reclaim":
        await _fill(client, kubelets, "lent", "lender", gpus)
    began = time.perf_counter()
    if case == "fill":
        await _fill(client, kubelets, "fill", "lender", gpus)
    elif case == "reclaim":
        await _fill(client, kubelets, "own", "owner", gpus)
    elif case == "gang":
        pods = min(512, gpus // 2)
        await client(calls.create(GANGS, _gang("gang", pods, 1, "lender", rack=True)))
        await kubelets.until("gang", pods)
    else:
        await client(calls.create(GANGS, _gang("huge", gpus // PER_NODE + 1, PER_NODE, "lender")))
        while True:
            found = await client(calls.get(Gang, "huge", SPACE))
            if found.status.reasons:
                print(f"verdict: {found.status.reasons[0].code}: {found.status.reasons[0].message}")
                break
            await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def measure(case: str, nodes: int, server: Server = api_server) -> tuple[Figure, JSON]:
    """The figure of one case, and what it cost."""
    with server() as served:
        transport = Http(served.admin, connections=100)
        client = Client(transport)
        await _prepare(client, nodes)
        kubelets = Kubelets(client)
        following = asyncio.ensure_future(Following(client, PODS, kubelets).run())
        with scheduler(served, pods=True) as process:
            wall = await _case(case, client, kubelets, nodes * PER_NODE)
            costs = spent(served, process)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await transport.close()
        told_by = counted(served)
    told = {"case": case, "nodes": nodes, "wall": wall, "cpu_seconds": costs,
            "scheduler": told_by}  # fmt: skip
    return Figure(name=f"kai.{case}", value=wall, unit="s", limit=BARS[case], better="low"), told


def main() -> int:
    """Run one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(BARS), required=True)
    parser.add_argument("--nodes", type=int, default=500)
    options = parser.parse_args()
    figure, told = loop.run(measure(options.case, options.nodes))
    print(figure.line(), flush=True)
    print(msgspec.json.encode(told).decode())
    return 0 if figure.ok else 1


if __name__ == "__main__":
    sys.exit(main())
