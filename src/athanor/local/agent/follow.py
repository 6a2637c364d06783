"""Follows a collection as plain JSON, for what our views leave out: whole pods, config maps.

The protocol is `athanor.runtime.listwatch`'s table; this drives it over a client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import msgspec

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.client.protocol import Client
from athanor.runtime import listwatch
from athanor.runtime.listwatch import Said
from athanor.wire import calls
from athanor.wire.status import ApiError
from athanor.wire.watch import Frame, Frames, read_bookmark

log = logging.getLogger(__name__)
_SECONDS = 300


class Follower:
    """Keeps `objects` (by "namespace/name") true and tells of each change after it."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        changed: Callable[[str, JSON | None, JSON | None], None],
        fields: str = "",
    ) -> None:
        """`changed(key, old, new)`: either may be None."""
        self._client = client
        self._resource = resource
        self._changed = changed
        self._fields = fields
        self._machine, self._command = listwatch.start()
        self.objects: dict[str, JSON] = {}
        self.filled = asyncio.Event()
        self._page: list[JSON] = []

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
        query = [("limit", "500")]
        query += [("fieldSelector", self._fields)] if self._fields else []
        query += [("continue", token)] if token else []
        try:
            page = await self._client(calls.raw("GET", self._resource.path(), query))
        except ApiError as problem:
            return self._trouble(problem)
        self._page = (self._page if token else []) + page["items"]
        more = page["metadata"].get("continue", "")
        if more:
            return Said(input="page", token=more)
        now = {_key(item): item for item in self._page}
        for item in now.values():
            item.setdefault("kind", self._resource.kind)
            item.setdefault("apiVersion", self._resource.api_version)
        for key in [key for key in self.objects if key not in now]:
            self._set(key, None)
        for key, item in now.items():
            self._set(key, item)
        self.filled.set()
        return Said(input="listed", revision=page["metadata"]["resourceVersion"])

    async def _watch(self, revision: str) -> Said:
        request = calls.watch(
            self._resource, resource_version=revision, fields=self._fields, timeout_seconds=_SECONDS
        )
        try:
            async with asyncio.timeout(_SECONDS + 30):
                stream = await self._client.transport.stream(request)
                return await self._read(stream.chunks)
        except ApiError as problem:
            return self._trouble(problem)
        except TimeoutError:
            return Said(input="closed")

    async def _read(self, chunks: AsyncIterator[bytes]) -> Said:
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
        return Said(input="closed")

    def _take(self, frame: Frame) -> Said:
        if frame.type == "ERROR":
            return self._trouble(frame.error())
        if frame.type == "BOOKMARK":
            return Said(input="bookmark", revision=read_bookmark(frame).revision)
        value: JSON = msgspec.json.decode(frame.object)
        self._set(_key(value), None if frame.type == "DELETED" else value)
        return Said(input="change", revision=value["metadata"]["resourceVersion"])

    def _set(self, key: str, value: JSON | None) -> None:
        old = self.objects.pop(key, None)
        if value is not None:
            self.objects[key] = value
        if old != value:
            self._changed(key, old, value)

    def _trouble(self, problem: ApiError) -> Said:
        log.warning("%s: %s (%s)", self._resource.name, problem.message, problem.reason)
        return Said(
            input="expired" if problem.code == 410 else "failed",
            retry_after=float(problem.retry_after),
        )


def _key(value: Any) -> str:
    meta = value["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"
