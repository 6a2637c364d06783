"""What experiments see of a running server: the little that matters of each object, as it changes.

Nothing is kept by revision: a list is so many changes. `Kubelets` plays all kubelets over one watch
of all pods: Running, then done or deleted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

from athanor.api import core
from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import Resource, of
from athanor.client.protocol import Client
from athanor.runtime.following import Following
from athanor.wire import calls
from athanor.wire.status import ApiError

SPACE = "default"
PODS = of(core.Pod)
TOGETHER = 64


class Seen(Protocol):
    """A part of an object."""

    @property
    def metadata(self) -> ObjectMeta:
        """Its metadata."""


S = TypeVar("S", bound=Seen)

_BACKGROUND: set[asyncio.Task[None]] = set()


def background(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Start something that goes on beside; it is kept until it is done."""
    task = asyncio.create_task(work)
    _BACKGROUND.add(task)
    task.add_done_callback(_BACKGROUND.discard)
    return task


async def every(works: Iterable[Callable[[], Awaitable[object]]], together: int = TOGETHER) -> None:
    """Do all of it, so many at a time."""
    left = iter(works)

    async def worker() -> None:
        for work in left:
            await work()

    await asyncio.gather(*(worker() for _ in range(together)))


async def forgiving(call: Awaitable[JSON]) -> None:
    """That an object has gone or moved on meanwhile is no error."""
    try:
        await call
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise


class Watcher(Generic[S]):
    """A Keeper that tells `saw` of every change; `start` follows a kind, `stop` ends it."""

    def __init__(self, client: Client, resource: Resource, part: type[S]) -> None:
        self.client = client
        self._resource = resource
        self._read = msgspec.json.Decoder(part).decode
        self._following: asyncio.Task[None] | None = None

    def saw(self, value: S, deleted: bool) -> None:
        """One object came, changed or went."""
        raise NotImplementedError

    async def start(self) -> None:
        """Follow from now on; what is there already is told first."""
        following = Following(self.client, self._resource, self)
        self._following = background(following.run())
        await following.filled.wait()

    async def stop(self) -> None:
        """Follow no more."""
        assert self._following is not None
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    def read(self, body: msgspec.Raw) -> S:
        """The little that matters of an object."""
        return self._read(body)

    def replace(self, values: list[S], revision: str) -> None:
        """The state after a list."""
        for value in values:
            self.saw(value, deleted=False)

    def reached(self, revision: str) -> None:
        """Nothing is kept by revision."""

    def change(self, value: S, deleted: bool) -> str:
        """One object changed."""
        self.saw(value, deleted)
        return value.metadata.resource_version


class _Spec(Base, frozen=True):
    node_name: str = ""


class _Status(Base, frozen=True):
    phase: str = "Pending"


class PodPart(Base, frozen=True):
    """Where a pod is, and how it does."""

    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()


def _unread(answer: bytes) -> JSON:
    """Nobody here looks at a whole pod that comes back."""
    return {}


class Kubelets(Watcher[PodPart]):
    """Counts the pods of one namespace; plays their kubelets when told to (`run`, `ends`)."""

    def __init__(self, client: Client, *, run: bool = False, ends: bool = False) -> None:
        super().__init__(client, PODS, PodPart)
        self._run, self._ends = run, ends
        self._acted: set[tuple[str, str]] = set()
        self._turns = asyncio.Semaphore(TOGETHER)
        self.placed: set[str] = set()
        self.phase: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self.alive: dict[str, str] = {}  # uid → name
        self.news = asyncio.Event()

    def saw(self, value: PodPart, deleted: bool) -> None:
        """One pod changed."""
        meta, uid = value.metadata, value.metadata.uid
        if meta.namespace != SPACE:  # the installation's own
            return
        if deleted:
            self.alive.pop(uid, None)
        else:
            self.alive[uid] = meta.name
        self._counts[self.phase.get(uid, "")] -= 1
        self._counts[value.status.phase] += 1
        self.phase[uid] = value.status.phase
        if value.spec.node_name:
            self.placed.add(uid)
            if self._run and not deleted:
                self._act(meta, value.status.phase)
        self.news.set()

    def _act(self, meta: ObjectMeta, phase: str) -> None:
        if meta.deletion_timestamp is not None:
            if phase in ("Succeeded", "Failed"):
                return  # the server removes what has ended by itself
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
            await forgiving(self.client(calls.Call(call.request, _unread)))

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
        return self._counts[phase]

    def running(self, prefix: str) -> int:
        """How many pods that are there and whose names begin so run."""
        return sum(
            name.startswith(prefix) and self.phase[uid] == "Running"
            for uid, name in self.alive.items()
        )
