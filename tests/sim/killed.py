"""A short day of the scheduler, killed in the middle of one write: before it arrives, or after.

Growing, shrinking, preempting, a dead node with a spare, a budget: whatever it was about to say or
had just said, a scheduler that knows nothing of it goes on, and no rule is broken at any write.
"""

from __future__ import annotations

import asyncio
from typing import Any

from athanor.api.core import Node, Pod, PriorityClass
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.client.inproc import Handle
from athanor.features.gangs import apply as gangs
from athanor.features.nodes import apply as nodes
from athanor.features.scheduling import apply as scheduling
from athanor.runtime.controller import Controller
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire import calls
from athanor.wire.request import Answer, Request
from tests.sim.invariants import Invariants

CPUS = 4
SIZE: JSON = {"cpu": str(CPUS), "memory": "32Gi", "pods": "20"}


class Killer:
    """A scheduler's way to the server: its `at`-th write is its last, done (`after`) or not."""

    def __init__(self, handle: Handle, at: int, *, after: bool) -> None:
        self.handle, self.at, self.after = handle, at, after
        self.writes = 0
        self.died = asyncio.Event()

    async def __call__(self, request: Request) -> Answer:
        """Answer, or never."""
        if request.method != "GET":
            self.writes += 1
            if self.writes == self.at:
                if self.after:
                    await self.handle(request)
                self.died.set()
                await asyncio.Event().wait()
        return await self.handle(request)


def _gang(name: str, count: int, *, least: int | None = None, **spec: object) -> JSON:
    asks = {"requests": {"cpu": "1"}}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    one: JSON = {"name": "worker", "count": count, "template": template}
    one |= {"minCount": least} if least is not None else {}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSets": [one], "queue": "team", **spec},
    }


async def _day(bed: lab.Lab) -> None:
    """What users and machines do."""
    await bed.create(_gang("stretch", 8, least=2, resize="Live"), Gang)
    await bed.create(_gang("firm", 2, replace=True, restart="Rank"), Gang)
    await asyncio.sleep(12)
    await bed.create(_gang("next", 3), Gang)
    await asyncio.sleep(8)
    await bed.create(_gang("vip", 4, priorityClassName="urgent"), Gang)
    await asyncio.sleep(8)
    await bed.agents["node-0"].stop()
    await bed.client(calls.delete(of(Node), "node-0"))


def _life(pod: Pod) -> Life:
    return Life(starts=0.2, runs=70.0, goes=0.3)


def live(at: int, *, after: bool) -> int:
    """The day with a scheduler that dies at its `at`-th write; how many writes it lived to see."""

    async def main() -> int:
        steady: list[Controller[Any]] = [gangs.controller(), nodes.controller()]
        sizes = {f"node-{i}": SIZE for i in range(3)}
        async with lab.cluster(steady, nodes=sizes, script=_life) as bed:
            rules = Invariants(CPUS, {name: agent.node for name, agent in bed.agents.items()})
            bed.server.core.observers.append(rules.written)
            await _lay_out(bed)
            killers: list[Killer] = []

            def killer(handle: Handle) -> Killer:
                killers.append(Killer(handle, at, after=after))
                return killers[-1]

            first = Manager(
                bed.connect(killer), [scheduling.controller()], bed.clock, bed.dice.random
            )
            task = asyncio.ensure_future(first.run())
            day = asyncio.ensure_future(_day(bed))
            died = asyncio.ensure_future(killers[0].died.wait())
            await asyncio.wait((day, died), return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            second = Manager(bed.connect(), [scheduling.controller()], bed.clock, bed.dice.random)
            task = asyncio.ensure_future(second.run())
            await day
            for name in ("stretch", "firm", "next", "vip"):
                await bed.until(Gang, name, lambda g: g.status.phase == "Succeeded", within=900)
            for one in (task, died):
                one.cancel()
            await asyncio.gather(task, died, return_exceptions=True)
            assert not rules.broken, rules.broken[0]
            return killers[0].writes

    return virtual.run(main)


async def _lay_out(bed: lab.Lab) -> None:
    await bed.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    budget = {"gpuHours": "100", "period": "Total"}
    team = {"pools": [{"pool": "default"}], "budget": budget}
    await bed.create({"metadata": {"name": "team"}, "spec": team}, Queue)
    await bed.create({"metadata": {"name": "urgent"}, "value": 100}, PriorityClass)
    spare = {"nodes": ["node-2"], "queues": ["team"], "spares": True}
    await bed.create({"metadata": {"name": "spare"}, "spec": spare}, Reservation)
