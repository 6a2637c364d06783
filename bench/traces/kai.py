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
from functools import partial

import msgspec

from athanor.api import core
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.kit import loop
from athanor.wire import calls
from bench.harness import Figure, Server, api_server
from bench.keeping import SPACE, Kubelets, every
from bench.traces.scheduler import counted, scheduler, spent

BARS = {"fill": 30.0, "gang": 3.0, "reclaim": 60.0, "verdict": 1.0}
"""Seconds. KAI's own continuous integration takes 398, 49, 694 and 249."""
GPU, RACK, PER_NODE = "nvidia.com/gpu", "rack", 8
GANGS, NODES, POOLS, QUEUES = of(Gang), of(core.Node), of(Pool), of(Queue)


def _gang(name: str, pods: int, gpus: int, queue: str, *, rack: bool = False) -> JSON:
    box = {"name": "main", "image": "x", "resources": {"requests": {GPU: str(gpus)},
                                                       "limits": {GPU: str(gpus)}}}  # fmt: skip
    one: JSON = {"name": "w", "count": pods, "template": {"spec": {"containers": [box]}}}
    if rack:
        one["topology"] = {"required": RACK}
    return {"apiVersion": GANGS.api_version, "kind": "Gang",
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"queue": queue, "podSets": [one], "service": False}}  # fmt: skip


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

    async def node(number: int) -> None:
        name = f"n{number:04}"
        meta = {"name": name, "labels": {RACK: f"r{number // 100}", "athanor.dev/pool": "default"}}
        manifest = {"apiVersion": "v1", "kind": "Node", "metadata": meta}
        await client(calls.create(NODES, manifest))
        await client(calls.patch(NODES, name, None, status, subresource="status"))

    await every(partial(node, number) for number in range(nodes))


async def _fill(client: Client, kubelets: Kubelets, prefix: str, queue: str, count: int) -> None:
    async def submit(number: int) -> None:
        await client(calls.create(GANGS, _gang(f"{prefix}-{number}", 1, 1, queue)))

    await every(partial(submit, number) for number in range(count))
    await kubelets.until(lambda: kubelets.running(prefix) >= count)


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
        await kubelets.until(lambda: kubelets.running("gang") >= pods)
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
        kubelets = Kubelets(client, run=True)
        await kubelets.start()
        with scheduler(served, pods=True) as process:
            wall = await _case(case, client, kubelets, nodes * PER_NODE)
            costs = spent(served, process)
        await kubelets.stop()
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
