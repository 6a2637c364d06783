"""Load for a control plane: simulated nodes by the thousand, and who counts what became of pods.

Nodes are Ready from their creation and have no leases. Kubelets are one watch of all pods that
plays them: Running, then done or deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import msgspec

from athanor.api import core
from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.runtime.following import Following
from athanor.wire import calls
from athanor.wire.status import ApiError

GPU, PER_NODE, SPACE = "nvidia.com/gpu", 8, "default"
PODS, NODES = of(core.Pod), of(core.Node)
POOL, RACK, RACK_NODES = "athanor.dev/pool", "example.com/rack", 16
TOGETHER = 64
HELD = {"cpu": "128", "memory": "1Ti", "pods": "250", GPU: str(PER_NODE)}
"""What every node has."""


class _Spec(Base, frozen=True):
    node_name: str = ""


class _Status(Base, frozen=True):
    phase: str = "Pending"


class _Pod(Base, frozen=True):
    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()


async def every(works: Iterable[Callable[[], Awaitable[object]]], together: int = TOGETHER) -> None:
    """Do all of it, so many at a time."""
    left = iter(works)

    async def worker() -> None:
        for work in left:
            await work()

    await asyncio.gather(*(worker() for _ in range(together)))


_BACKGROUND: set[asyncio.Future[object]] = set()


def background(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Start something that goes on beside; it is kept until it is done."""
    task = asyncio.ensure_future(work)
    _BACKGROUND.add(task)
    task.add_done_callback(_BACKGROUND.discard)
    return task


async def forgiving(call: Awaitable[JSON]) -> None:
    """That an object has gone or moved on meanwhile is no error."""
    try:
        await call
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise


def creation(client: Client, path: str, manifest: JSON) -> Callable[[], Awaitable[JSON]]:
    """Creates an object by a path, when it is called."""
    return lambda: client(calls.raw("POST", path, body=manifest))


async def nodes(client: Client, count: int, *, pool: str = "default") -> None:
    """So many nodes of eight GPUs, sixteen a rack."""
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": ""}

    def one(number: int) -> JSON:
        name = f"n{number:05}"
        labels = {POOL: pool, RACK: f"r{number // RACK_NODES}", "kubernetes.io/hostname": name}
        return {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"capacity": HELD, "allocatable": HELD, "conditions": [ready]},
        }  # fmt: skip

    await every(creation(client, "/api/v1/nodes", one(number)) for number in range(count))


def template(gpus: int = 1) -> JSON:
    """A pod template that asks for GPUs."""
    held = {"requests": {GPU: str(gpus), "cpu": "1"}, "limits": {GPU: str(gpus)}}
    box = {"name": "main", "image": "registry.example/work:1", "resources": held}
    return {"spec": {"containers": [box], "restartPolicy": "Never"}}


class Kubelets:
    """Counts pods; plays them when told to. A Keeper of their watch."""

    def __init__(self, client: Client, *, run: bool = False, ends: bool = False) -> None:
        self._client = client
        self._run, self._ends = run, ends
        self._read = msgspec.json.Decoder(_Pod).decode
        self._acted: set[tuple[str, str]] = set()
        self._turns = asyncio.Semaphore(TOGETHER)
        self._following: asyncio.Task[None] | None = None
        self.placed: set[str] = set()
        self.phase: dict[str, str] = {}
        self.alive: set[str] = set()
        self.news = asyncio.Event()

    async def start(self) -> None:
        """Follow all pods from now on."""
        following = Following(self._client, PODS, self)
        self._following = background(following.run())
        await following.filled.wait()

    async def stop(self) -> None:
        """Follow no more."""
        assert self._following is not None
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

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
        meta, uid = value.metadata, value.metadata.uid
        if meta.namespace != SPACE:  # the installation's own
            return meta.resource_version
        self.alive.discard(uid) if deleted else self.alive.add(uid)
        self.phase[uid] = value.status.phase
        if value.spec.node_name:
            self.placed.add(uid)
            if self._run and not deleted:
                self._act(meta, value.status.phase)
        self.news.set()
        return meta.resource_version

    def _act(self, meta: ObjectMeta, phase: str) -> None:
        if meta.deletion_timestamp is not None:
            step = "gone"
        elif phase == "Pending":
            step = "Running"
        elif phase == "Running" and self._ends:
            step = "Succeeded"
        else:
            return
        if (meta.uid, step) not in self._acted:
            self._acted.add((meta.uid, step))
            background(self._step(meta, step))

    async def _step(self, meta: ObjectMeta, step: str) -> None:
        async with self._turns:
            if step == "gone":
                call = calls.delete(PODS, meta.name, SPACE, uid=meta.uid, grace_seconds=0)
            else:
                ready = {"type": "Ready", "status": str(step == "Running")}
                status = {"status": {"phase": step, "conditions": [ready]}}
                call = calls.patch(PODS, meta.name, SPACE, status, subresource="status")
            await forgiving(self._client(call))

    async def until(self, holds: Callable[[], bool], within: float = 900.0) -> None:
        """Wait for what is counted. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not holds():
                self.news.clear()
                await asyncio.sleep(0.02)  # a burst of changes is looked at once
                if not holds():
                    await self.news.wait()

    def count(self, phase: str) -> int:
        """How many pods were last seen in a phase, gone ones too."""
        return sum(one == phase for one in self.phase.values())
