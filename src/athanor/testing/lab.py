"""The real API server, controllers and nodes in one thread, for tests of any layer.

Nothing here fakes a rule: `server()` is `ApiServer.handle` over a store in memory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from athanor.api.core import Namespace
from athanor.api.meta import JSON, Object
from athanor.api.registry import of
from athanor.client.inproc import Handle, InProcess
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.runtime.controller import Controller
from athanor.runtime.manager import Manager
from athanor.testing.nodes import Script, SimulatedNode, forever
from athanor.testing.virtual import LoopClock
from athanor.wire import calls
from athanor.wire.request import User
from athanor.wire.status import ApiError

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object

ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))
NAMESPACES = ("default", "kube-system", "kube-node-lease")


class Agent:
    """A simulated node at work; `stop` is the machine's sudden end."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.start()

    def start(self) -> None:
        """Switch the machine on (again)."""
        self.task = asyncio.ensure_future(self.node.run())

    async def stop(self) -> None:
        """End it at whatever await it is."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Lab:
    """A server in this process and an administrator's client."""

    def __init__(self, server: ApiServer, clock: Clock, seed: int) -> None:
        self.server = server
        self.clock = clock
        self.dice = random.Random(seed)
        self.client = self.connect()
        self.agents: dict[str, Agent] = {}

    def connect(self, wrap: Callable[[Handle], Handle] = lambda handle: handle) -> Client:
        """Another administrator's client; `wrap` puts faults between it and the server."""
        return Client(InProcess(wrap(self.server.handle), user=ADMIN))

    async def create(self, manifest: JSON, view: type[O]) -> JSON:
        """Create an object from a whole manifest."""
        resource = of(view)
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        return await self.client(calls.create(resource, {**head, **manifest}))

    async def get(self, view: type[O], name: str, namespace: str | None = "default") -> O:
        """One object. Raises ApiError NotFound."""
        return await self.client(calls.get(view, name, namespace))

    async def list(self, view: type[O], namespace: str | None = None) -> Sequence[O]:
        """All objects of a kind."""
        return (await self.client(calls.list_(view, namespace))).items

    async def patch(
        self, view: type[O], name: str, body: JSON, *, subresource: str = "",
        namespace: str | None = "default",
    ) -> JSON:  # fmt: skip
        """Merge-patch an object."""
        return await self.client(
            calls.patch(of(view), name, namespace, body, subresource=subresource)
        )

    async def until(
        self, view: type[O], name: str, holds: Callable[[O], bool], *, within: float = 600.0
    ) -> O:
        """The object as soon as something holds of it; looks every 0.1 (virtual) seconds."""
        end = self.clock.monotonic() + within
        while True:
            value = await self.get(view, name)
            if holds(value):
                return value
            if self.clock.monotonic() > end:
                raise AssertionError(f"{name} never got there: {value}")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def server(clock: Clock | None = None, seed: int = 0) -> AsyncIterator[Lab]:
    """A server over an empty store in memory, with the usual namespaces."""
    clock = clock or LoopClock(asyncio.get_running_loop())
    store = Store.open(":memory:")
    lab = Lab(ApiServer(store, clock=clock, ids=SeededIds(seed)), clock, seed)
    try:
        for name in NAMESPACES:
            await _ensure(lab, name)
        yield lab
    finally:
        await lab.server.close()
        await store.close()


@asynccontextmanager
async def cluster(
    controllers: Sequence[Controller[Any]],
    *,
    nodes: Mapping[str, JSON] | int = 1,
    script: Script = forever,
    seed: int = 0,
) -> AsyncIterator[Lab]:
    """A whole cluster: server, controllers, simulated nodes (name → capacity, or how many)."""
    if isinstance(nodes, int):
        nodes = {f"node-{i}": {} for i in range(nodes)}
    async with server(seed=seed) as lab:
        dice = lab.dice.random
        manager = Manager(lab.connect(), controllers, lab.clock, dice)
        for name, size in nodes.items():
            node = SimulatedNode(lab.connect(), name, lab.clock, script, capacity=size, dice=dice)
            lab.agents[name] = Agent(node)
        controlling = asyncio.ensure_future(manager.run())
        try:
            for agent in lab.agents.values():
                await agent.node.registered.wait()
            yield lab
        finally:
            tasks = [controlling, *(agent.task for agent in lab.agents.values())]
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            wrong = [end for end in ends if isinstance(end, Exception)]
            if wrong:
                raise wrong[0]


async def _ensure(lab: Lab, namespace: str) -> None:
    try:
        await lab.create({"metadata": {"name": namespace}}, Namespace)
    except ApiError as problem:
        if problem.reason != "AlreadyExists":
            raise
