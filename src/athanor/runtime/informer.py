"""Keeps a cache true: drives the list-and-watch machine over a client.

Never gives up: every trouble is a rest and another try. One object that cannot be read is left
out and said in the log; it never hides the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, TypeVar

import msgspec

from athanor.api.meta import Object, Page
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.runtime import listwatch
from athanor.runtime.cache import Cache, Changed
from athanor.runtime.listwatch import Said
from athanor.wire import calls
from athanor.wire.status import ApiError
from athanor.wire.watch import Frame, Frames, read_bookmark

log = logging.getLogger(__name__)

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object

PAGE = 500
WATCH_SECONDS = 300
"""Servers end a watch after so long; one that does not is taken for dead soon after."""


class Informer(Generic[O]):
    """Follows all objects of one kind into a cache and tells `notify` of every change."""

    def __init__(
        self,
        client: Client,
        view: type[O],
        cache: Cache[O],
        notify: Callable[[Changed[O]], None],
        dice: Callable[[], float],
    ) -> None:
        self._client = client
        self._view = view
        self._cache = cache
        self._notify = notify
        self._dice = dice
        self._decode = msgspec.json.Decoder(view).decode
        self._listed: list[O] = []
        self._machine = listwatch.Machine()
        self.restarts = 0
        self.filled = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        self._machine, command = listwatch.start()
        while True:
            match command:
                case listwatch.List(token):
                    said = await self._list(token)
                case listwatch.Watch(revision):
                    said = await self._watch(revision)
                case listwatch.Rest(seconds):
                    await asyncio.sleep(seconds)
                    said = Said(input="rested")
                case listwatch.Read():
                    raise listwatch.OutOfTurn("read without a watch")
            self._machine, command = listwatch.step(self._machine, said)

    async def _list(self, token: str) -> Said:
        if not token:
            self._listed = []
        call = calls.list_(
            self._view, limit=PAGE, continue_=token, resource_version=None if token else "0"
        )
        raw = calls.Call(call.request, _PAGE.decode)
        try:
            page = await self._client(raw)
        except ApiError as problem:
            return self._trouble(problem)
        self._listed += [value for item in page.items if (value := self._read(item)) is not None]
        if page.metadata.continue_:
            return Said(input="page", token=page.metadata.continue_)
        revision = page.metadata.resource_version
        for change in self._cache.replace(self._listed, revision):
            self._notify(change)
        self._listed = []
        self.filled.set()
        return Said(input="listed", revision=revision)

    async def _watch(self, revision: str) -> Said:
        request = calls.watch(
            of(self._view), resource_version=revision, timeout_seconds=WATCH_SECONDS
        )
        try:
            async with asyncio.timeout(WATCH_SECONDS + 30):
                stream = await self._client.transport.stream(request)
                return await self._follow(stream.chunks)
        except ApiError as problem:
            return self._trouble(problem)
        except TimeoutError:
            return Said(input="closed", jitter=self._dice())

    async def _follow(self, chunks: AsyncIterator[bytes]) -> Said:
        frames = Frames()
        try:
            async for chunk in chunks:
                for frame in frames.feed(chunk):
                    said = self._take(frame)
                    if said.input in ("failed", "expired"):
                        return said
                    self._machine, _ = listwatch.step(self._machine, said)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        return Said(input="closed", jitter=self._dice())

    def _take(self, frame: Frame) -> Said:
        if frame.type == "ERROR":
            return self._trouble(frame.error())
        if frame.type == "BOOKMARK":
            revision = read_bookmark(frame).revision
            self._cache.reached(revision)
            return Said(input="bookmark", revision=revision)
        value = self._read(frame.object)
        if value is None:
            return Said(input="change")
        removed = frame.type == "DELETED"
        change = self._cache.remove(value) if removed else self._cache.upsert(value)
        if change is not None:
            self._notify(change)
        return Said(input="change", revision=value.metadata.resource_version)

    def _read(self, body: msgspec.Raw) -> O | None:
        try:
            return self._decode(body)
        except msgspec.DecodeError as wrong:
            log.error("a %s cannot be read and is left out: %s", self._view.__name__, wrong)
            return None

    def _trouble(self, problem: ApiError) -> Said:
        self.restarts += 1
        log.warning("%s: %s (%s)", of(self._view).name, problem.message, problem.reason)
        gone = problem.code == 410
        return Said(
            input="expired" if gone else "failed",
            jitter=self._dice(),
            retry_after=float(problem.retry_after),
        )


_PAGE = msgspec.json.Decoder(Page[msgspec.Raw])
