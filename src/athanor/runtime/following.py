"""Follows a collection for whoever keeps it: drives the list-and-watch machine over a client.

Never gives up: every trouble is a rest and another try. One object that cannot be read is left
out; it never hides the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from athanor.api.meta import Page
from athanor.api.registry import Resource
from athanor.client.protocol import Client
from athanor.runtime import listwatch
from athanor.runtime.listwatch import Said
from athanor.wire import calls
from athanor.wire.status import ApiError
from athanor.wire.watch import Frame, Frames, read_bookmark

log = logging.getLogger(__name__)

T = TypeVar("T")

PAGE = 500
WATCH_SECONDS = 300
"""Servers end a watch after so long."""
SILENCE = 90.0
"""Seconds after which a watch of which nothing is heard is taken for dead, and begun anew where it
stood. Bookmarks come every minute, both from kube-apiserver and from our own server.
"""
ACCURACY = 1.0
"""Seconds of them that may be missing."""


class Keeper(Protocol[T]):
    """What keeps the followed objects, and how it reads them."""

    def read(self, body: msgspec.Raw) -> T | None:
        """An object as it is kept; None leaves it out."""

    def replace(self, values: list[T], revision: str) -> None:
        """These are all there are, as of a revision."""

    def change(self, value: T, deleted: bool) -> str:
        """One object came, changed or went; returns its resourceVersion."""

    def reached(self, revision: str) -> None:
        """Everything up to a revision was told."""


class Following(Generic[T]):
    """One collection's road to its keeper. `filled` once it was listed whole."""

    def __init__(
        self, client: Client, resource: Resource, keeper: Keeper[T], *,
        fields: str = "", labels: str = "", memory: bool = True,
        dice: Callable[[], float] = lambda: 0.0,
    ) -> None:  # fmt: skip
        """`memory`: a list may be a little old, and cheaper; `dice` in [0, 1) spreads rests."""
        self._client = client
        self._resource = resource
        self._keeper = keeper
        self._fields = fields
        self._labels = labels
        self._memory = memory
        self._dice = dice
        self._listed: list[T] = []
        self._machine, self._command = listwatch.start()
        self.restarts = 0
        self.filled = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            match self._command:
                case listwatch.List(token):
                    said = await self._list(token)
                case listwatch.Watch(revision):
                    said = await self._watch(revision)
                case listwatch.Rest(seconds):
                    await asyncio.sleep(seconds)
                    said = Said(input="rested")
                case listwatch.Read():
                    raise listwatch.OutOfTurn("read without a watch")
            self._machine, self._command = listwatch.step(self._machine, said)

    async def _list(self, token: str) -> Said:
        if not token:
            self._listed = []
        query = [("limit", str(PAGE))]
        query += [("fieldSelector", self._fields)] if self._fields else []
        query += [("labelSelector", self._labels)] if self._labels else []
        query += [("continue", token)] if token else []
        query += [("resourceVersion", "0")] if self._memory and not token else []
        call = calls.raw("GET", self._resource.path(), query)
        try:
            page = await self._client(calls.Call(call.request, _PAGE.decode))
        except ApiError as problem:
            return self._trouble(problem)
        read, whole = self._keeper.read, self._whole
        self._listed += [value for item in page.items if (value := read(whole(item))) is not None]
        if page.metadata.continue_:
            return Said(input="page", token=page.metadata.continue_)
        listed, self._listed = self._listed, []
        self._keeper.replace(listed, page.metadata.resource_version)
        self.filled.set()
        return Said(input="listed", revision=page.metadata.resource_version)

    def _whole(self, item: msgspec.Raw) -> msgspec.Raw:
        """An item of a list with its kind, which built-in ones leave to the list."""
        text = bytes(item)
        if text.startswith((b'{"kind":', b'{"apiVersion":')):
            return item
        head = f'{{"kind":"{self._resource.kind}","apiVersion":"{self._resource.api_version}",'
        return msgspec.Raw(head.encode() + text[1:])

    async def _watch(self, revision: str) -> Said:
        request = calls.watch(
            self._resource, resource_version=revision, fields=self._fields,
            labels=self._labels, timeout_seconds=WATCH_SECONDS,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SILENCE) as patience:
                stream = await self._client.transport.stream(request)
                return await self._read(stream.chunks, patience)
        except ApiError as problem:
            return self._trouble(problem)
        except TimeoutError:
            log.info("%s: nothing was heard for %.0f s", self._resource.name, SILENCE)
            return Said(input="silent", jitter=self._dice())

    async def _read(self, chunks: AsyncIterator[bytes], patience: asyncio.Timeout) -> Said:
        frames, now = Frames(), asyncio.get_running_loop().time
        next_time = 0.0
        try:
            async for chunk in chunks:
                if now() >= next_time:  # to set a timer costs as much as to read an object
                    next_time = now() + ACCURACY
                    patience.reschedule(now() + SILENCE)
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
            self._keeper.reached(revision)
            return Said(input="bookmark", revision=revision)
        value = self._keeper.read(frame.object)
        if value is None:
            return Said(input="change")
        revision = self._keeper.change(value, frame.type == "DELETED")
        return Said(input="change", revision=revision)

    def _trouble(self, problem: ApiError) -> Said:
        self.restarts += 1
        log.warning("%s: %s (%s)", self._resource.name, problem.message, problem.reason)
        return Said(
            input="expired" if problem.code == 410 else "failed",
            jitter=self._dice(),
            retry_after=float(problem.retry_after),
        )


_PAGE = msgspec.json.Decoder(Page[msgspec.Raw])
