"""A queue of things to look at, worked off by one task that ends when there is nothing left.

Level, not edge: an item is the name of something to look at again; asking twice is asking once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable

from athanor.wire.status import ApiError

RETRY = 1.0
"""Seconds until something that failed is looked at again."""
AT_ONCE = 32
"""Items worked on at the same time."""

Item = tuple[Hashable, ...]
Handler = Callable[..., Awaitable[None]]
_log = logging.getLogger(__name__)


class Work:
    """Items by kind: `add("namespace", name)` runs the handler of "namespace" with the name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[Item, None] = {}
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def on(self, kind: str, handler: Handler) -> None:
        """What to do with items of a kind."""
        self._handlers[kind] = handler

    def add(self, *item: Hashable, after: float = 0.0) -> None:
        """Look at something, in `after` seconds. Without a running loop: with the next `kick`."""
        if self._closed:
            return
        if after > 0:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._waiting[item] = None
                return
            if item not in self._timers:
                self._timers[item] = loop.call_later(after, self._due, item)
            return
        self._waiting[item] = None
        self.kick()

    def kick(self) -> None:
        """Start working if there is anything to do and nobody does."""
        if self._waiting and self._task is None and not self._closed:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._task = loop.create_task(self._run())

    def _due(self, item: Item) -> None:
        self._timers.pop(item, None)
        self.add(*item)

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = list(self._waiting)[:AT_ONCE]
                for item in batch:
                    del self._waiting[item]
                await asyncio.gather(*(self._one(item) for item in batch))
        finally:
            self._task = None

    async def _one(self, item: Item) -> None:
        kind, *rest = item
        try:
            await self._handlers[str(kind)](*rest)
        except ApiError as refused:
            if refused.reason != "NotFound":
                self.add(*item, after=RETRY)
        except Exception:
            _log.exception("%s", item)
            self.add(*item, after=RETRY)

    async def settle(self, hurry: Collection[str] = ()) -> None:
        """Wait until nothing is left to look at now; items of kinds in `hurry` are due at once."""
        while True:
            for item in [item for item in self._timers if item[0] in hurry]:
                self._timers[item].cancel()
                self._due(item)
            if self._task is None:
                return
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop; what is left will be found again at the next start."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
