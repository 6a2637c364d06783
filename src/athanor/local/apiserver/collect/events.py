"""Events are kept for an hour after they were last written."""

from __future__ import annotations

from collections import deque

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import remove, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode
from athanor.local.store.model import Key

TTL = 3600.0
"""Seconds an event is kept (kube-apiserver's `--event-ttl`)."""
SWEEP = 60.0
"""Seconds between two looks."""


class EventCollector:
    """Forgets old events. Items: ("events",)."""

    FOLLOWS: tuple[str, ...] = ("events",)

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._ends: deque[tuple[float, Key]] = deque()
        self._latest: dict[Key, float] = {}
        work.on("events", self.sweep)

    def load(self) -> None:
        """Count from what the stored events say."""
        known = []
        for row in self._core.store.rows("events"):
            obj = decode(row.body)
            when = obj.get("lastTimestamp") or obj["metadata"]["creationTimestamp"]
            known.append((parse_rfc3339(when) + TTL, row.key))
        for ends, key in sorted(known):
            self._note(ends, key)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """An event was written: its hour begins anew."""
        if served.resource.plural == "events" and served.resource.kind == "Event" and new:
            meta = new["metadata"]
            key = Key("events", meta["namespace"], meta["name"])
            self._note(self._core.clock.now() + TTL, key)

    def _note(self, ends: float, key: Key) -> None:
        self._latest[key] = ends
        self._ends.append((ends, key))
        self._work.add("events", after=SWEEP)

    async def sweep(self) -> None:
        """Delete what is over."""
        now = self._core.clock.now()
        served = self._core.catalog.by_name("events")
        while self._ends and self._ends[0][0] <= now:
            ends, key = self._ends.popleft()
            if self._latest.get(key) == ends:
                del self._latest[key]
                if served is not None:
                    await remove(self._core, system_call(served, key), propagation="Background")
        if self._ends:
            self._work.add("events", after=SWEEP)
