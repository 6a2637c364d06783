"""Events: what happened to an object, told once and counted, never in the way of the work.

The same news about the same object is one Event whose count rises; its name is a hash of what it
says, so a restarted controller counts on.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from athanor.api import core
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Record
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVENTS = of(core.Event)
LONGEST_MESSAGE = 1024


class Recorder:
    """Writes Events in the name of one component."""

    def __init__(self, component: str, clock: Clock) -> None:
        self._component = component
        self._clock = clock

    async def record(self, client: Client, news: Record) -> None:
        """Tell it. A server that takes no Events is logged, not raised."""
        manifest = event(news, self._component, self._clock.now())
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        try:
            try:
                await client(calls.create(EVENTS, manifest))
            except ApiError as problem:
                if problem.reason != "AlreadyExists":
                    raise
                told = await client(calls.get(core.Event, name, namespace))
                again = {"count": told.count + 1, "lastTimestamp": manifest["lastTimestamp"]}
                await client(calls.patch(EVENTS, name, namespace, again))
        except ApiError as problem:
            log.warning("the event %s of %s is lost: %s", news.reason, name, problem.message)


def event(news: Record, component: str, now: float) -> JSON:
    """The Event object of a piece of news, counted once."""
    about: dict[str, Any] = news.about
    meta = about.get("metadata", {})
    message = news.message[:LONGEST_MESSAGE]
    told = "\0".join((component, meta.get("uid", ""), news.type, news.reason, message))
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    namespace = meta.get("namespace") or "default"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta.get('name', '')[:200]}.{digest}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "namespace": meta.get("namespace", ""),
            "name": meta.get("name", ""),
            "uid": meta.get("uid", ""),
        },
        "type": news.type,
        "reason": news.reason,
        "message": message,
        "count": 1,
        "firstTimestamp": rfc3339(now),
        "lastTimestamp": rfc3339(now),
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": component,
    }
