"""What our controllers need in a large cluster: memory, CPU at rest and under change, a restart.

`python -m bench.cluster scale [--nodes 5000] [--pods 50000] [--gangs 10000]`: so many nodes, pods
that run on them, and gangs that wait for more than there is. Then 100 pods a second change their
status. A restart ends with the first admission by the new process, of a gang that waited for it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from argparse import Namespace

from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.wire import calls
from bench.cluster import load
from bench.cluster.plane import Plane, install, plane, start_controllers
from bench.cluster.pods import GANGS, gang
from bench.harness import Figure
from bench.keeping import PODS, SPACE, background, every, forgiving

MEMORY, IDLE, BUSY, RESTART = 600.0, 5.0, 60.0, 10.0
"""MB; % of a core at rest and with 100 changes a second; seconds."""
RATE, STRETCH = 100, 20.0
PATH = f"/api/v1/namespaces/{SPACE}/pods"


def _pod(number: int, nodes: int) -> JSON:
    spec = load.template(0)["spec"]
    spec["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"},
            "spec": {**spec, "nodeName": f"n{number % nodes:05}"}}  # fmt: skip


class _Changes:
    """So many pods a second say something new; `made` counts those that did."""

    def __init__(self, client: Client, pods: int) -> None:
        self._client, self._pods = client, pods
        self.made = 0

    async def run(self) -> None:
        """Until cancelled."""
        began = time.perf_counter()
        for turn in itertools.count():
            await asyncio.sleep(began + turn / RATE - time.perf_counter())
            background(self._one(turn))

    async def _one(self, turn: int) -> None:
        ready = {"type": "Ready", "status": "True", "message": f"look {turn}"}
        status = {"status": {"phase": "Running", "conditions": [ready]}}
        name = f"p{turn * 7919 % self._pods}"
        await forgiving(self._client(calls.patch(PODS, name, SPACE, status, subresource="status")))
        self.made += 1


async def _share(made: Plane) -> float:
    before, began = made.cpu()["athanor"], time.perf_counter()
    await asyncio.sleep(STRETCH)
    return (made.cpu()["athanor"] - before) / (time.perf_counter() - began) * 100


async def _busy(made: Plane, client: Client, pods: int) -> float:
    """The share with so many changes a second. Raises where the machine did not make them."""
    changes = _Changes(client, pods)
    changing = background(changes.run())
    await asyncio.sleep(1)
    before, began = changes.made, time.perf_counter()
    share = await _share(made)
    rate = (changes.made - before) / (time.perf_counter() - began)
    changing.cancel()
    if rate < 0.9 * RATE:
        raise RuntimeError(f"{rate:.0f} changes a second were made, not {RATE}: too busy a machine")
    return share


async def _admitted(client: Client, name: str) -> None:
    while True:
        if (await client(calls.get(Gang, name, SPACE))).status.admission is not None:
            return
        await asyncio.sleep(0.05)


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """The four figures."""
    nodes, pods, gangs = options.nodes, options.pods, options.gangs
    with plane() as made:
        install(made)
        transport = Http(made.target(), connections=100)
        client = Client(transport)
        await load.nodes(client, nodes)
        await every(load.creation(client, PATH, _pod(n, nodes)) for n in range(pods))
        start_controllers(made)
        more = nodes * load.PER_NODE + 1  # than the cluster has
        await every(load.creation(client, GANGS, gang(f"g{i}", more)) for i in range(gangs))
        made.settle(10.0)
        idle = await _share(made)
        busy = await _busy(made, client, pods)
        memory = made.resident("athanor")
        made.stop("athanor")
        await client(calls.raw("POST", GANGS, body=gang("next", 1)))
        began = time.perf_counter()
        start = asyncio.to_thread(start_controllers, made)
        await asyncio.gather(start, _admitted(client, "next"))
        restart = time.perf_counter() - began
        await client(calls.delete(of(Gang), "next", SPACE))
        await transport.close()
    size = f"{nodes} nodes, {pods} pods, {gangs} waiting gangs"
    return [
        Figure(name="cluster.scale.memory", value=memory, unit="MB", limit=MEMORY, better="low"),
        Figure(name="cluster.scale.idle", value=idle, unit="% of a core", limit=IDLE, better="low"),
        Figure(name="cluster.scale.changes", value=busy, unit="% of a core", limit=BUSY,
               better="low"),
        Figure(name="cluster.scale.restart", value=restart, unit="s", limit=RESTART, better="low"),
    ], {"size": size}  # fmt: skip
