"""Events about pods, sent in the background; the same one again only counts."""

from __future__ import annotations

import asyncio
import logging

from athanor.api.core import Event
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
_WAITING = 2000  # events; more are dropped, oldest last: they are news, not state


class Recorder:
    """Say it here; `run` sends it."""

    def __init__(self, client: Client, clock: Clock, node: str) -> None:
        self._client = client
        self._clock = clock
        self._node = node
        self._queue: asyncio.Queue[JSON] = asyncio.Queue(_WAITING)
        self._sent: dict[str, tuple[str, int]] = {}

    def say(self, about: JSON, type_: str, reason: str, message: str) -> None:
        """Record one event about an object."""
        meta = about["metadata"]
        now = rfc3339(self._clock.now())
        event: JSON = {
            "apiVersion": "v1", "kind": "Event",
            "metadata": {
                "namespace": meta.get("namespace") or "default",
                "name": f"{meta['name']}.{int(self._clock.now() * 1e6):x}",
            },
            "involvedObject": {
                "apiVersion": about.get("apiVersion", "v1"), "kind": about.get("kind", "Pod"),
                "name": meta["name"], "namespace": meta.get("namespace", ""),
                "uid": meta.get("uid", ""),
            },
            "type": type_, "reason": reason, "message": message[:1024], "count": 1,
            "firstTimestamp": now, "lastTimestamp": now,
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet", "reportingInstance": self._node,
        }  # fmt: skip
        if not self._queue.full():
            self._queue.put_nowait(event)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._send(event)
            except ApiError as error:
                log.debug("an event was not taken: %s", error)

    async def _send(self, event: JSON) -> None:
        about = event["involvedObject"]
        key = f"{about['uid']}/{event['reason']}/{event['message']}"
        namespace = event["metadata"]["namespace"]
        if key in self._sent:
            name, count = self._sent[key]
            body = {"count": count + 1, "lastTimestamp": event["lastTimestamp"]}
            await self._client(calls.patch(of(Event), name, namespace, body))
        else:
            await self._client(calls.create(of(Event), event))
            name, count = event["metadata"]["name"], 0
        self._sent[key] = (name, count + 1)
        if len(self._sent) > 4 * _WAITING:
            self._sent.clear()
