"""The recent part of the log in memory: what watches follow and older revisions are read from.

Every watcher is a cursor into one shared list per resource: a change costs memory once, however
many follow it, and a watcher that falls behind what is kept is told so (Expired). Watchers are
woken together, and then rest for as long as telling so many takes, so that telling never takes
more than half of the time, and a burst is few chunks for each.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque

from athanor.local.store.model import Batch, Change, Expired, Key, Row

EACH = 0.00005
"""Seconds that telling one watcher takes: encrypting a chunk and giving it to the kernel."""
LEAST, MOST = 0.002, 0.01
"""Bounds of the rest after a wake-up, in seconds; a lone change is passed on at once."""
BATCH = 500
"""Most changes in one batch."""
_WINDOWS = 32


class _Topic:
    """The changes of one resource and those who wait for more."""

    __slots__ = ("changes", "lost", "revisions", "waiters", "windows")

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.revisions: list[int] = []
        self.lost = 0
        self.waiters: dict[asyncio.Future[None], None] = {}
        self.windows: dict[tuple[int, int, str | None], Batch] = {}


class History:
    """A bounded ring of changes. `compacted`: revisions below it can no longer be read."""

    def __init__(self, revision: int, compacted: int) -> None:
        self.revision = revision
        self.compacted = compacted
        self.bytes = 0
        self.watchers = 0
        self._shown = revision
        self._order: deque[tuple[int, int]] = deque()
        self._topics: dict[str, _Topic] = {}
        self._dirty: set[str] = set()
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushed_at = 0.0
        self._rest = 0.0

    def __len__(self) -> int:
        return len(self._order)

    def append(self, change: Change) -> None:
        """Add the newest change. Nobody hears of it before `announce`."""
        resource = change.key.resource
        topic = self._topics.get(resource)
        if topic is None:
            topic = self._topics[resource] = _Topic()
        topic.changes.append(change)
        topic.revisions.append(change.revision)
        self.revision = change.revision
        size = len(change.body)
        self.bytes += size
        self._order.append((change.revision, size))
        if topic.waiters:
            self._dirty.add(resource)

    def announce(self) -> None:
        """Let the watchers know, now or when the interval since the last time is over."""
        if not self._dirty:
            self._shown = self.revision
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._loop is loop:
            return
        self._loop = loop
        wait = self._flushed_at + self._rest - loop.time()
        if wait <= 0 or wait > self._rest:
            self._timer = loop.call_soon(self._flush)
        else:
            self._timer = loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._flushed_at = asyncio.get_running_loop().time()
        self._shown = self.revision
        woken = 0
        for resource in self._dirty:
            topic = self._topics[resource]
            waiters, topic.waiters = topic.waiters, {}
            woken += len(waiters)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        self._dirty.clear()
        self._rest = min(max(LEAST, woken * EACH), MOST)

    def excess(self, count: int, size: int) -> int:
        """The revision to compact to so that at most so many changes and bytes remain, or 0."""
        revision = 0
        left, weight = len(self._order), self.bytes
        for number, length in self._order:
            if left <= count and weight <= size:
                break
            left, weight, revision = left - 1, weight - length, number
        return revision

    def trim(self, revision: int) -> None:
        """Forget the changes up to and including a revision; states before it are gone."""
        self.compacted = max(self.compacted, revision)
        while self._order and self._order[0][0] <= revision:
            self.bytes -= self._order.popleft()[1]
        for topic in self._topics.values():
            end = bisect_right(topic.revisions, revision)
            if end:
                topic.lost = topic.revisions[end - 1]
                del topic.revisions[:end]
                del topic.changes[:end]

    def undo(self, resource: str, namespace: str | None, revision: int) -> dict[Key, Row | None]:
        """What differed at an older revision: the row then, or None where there was none."""
        if revision < self.compacted:
            raise Expired(revision, self.compacted)
        topic = self._topics.get(resource)
        then: dict[Key, Row | None] = {}
        if topic is None:
            return then
        start = bisect_right(topic.revisions, revision)
        for change in topic.changes[start:]:
            if namespace is None or change.key.namespace == namespace:
                then.setdefault(change.key, change.before)
        return then

    def read(self, resource: str, namespace: str | None, cursor: int) -> Batch | None:
        """What a watcher at a cursor has not seen yet, None if nothing.

        Raises Expired when part of it has been forgotten.
        """
        topic = self._topics.get(resource)
        if topic is None:
            return None
        if cursor < topic.lost:
            raise Expired(cursor, self.compacted)
        start = bisect_right(topic.revisions, cursor)
        end = min(bisect_right(topic.revisions, self._shown), start + BATCH)
        if start >= end:
            return None
        window = (cursor, topic.revisions[end - 1], namespace)
        batch = topic.windows.get(window)
        if batch is None:
            changes = topic.changes[start:end]
            if namespace is not None:
                changes = [change for change in changes if change.key.namespace == namespace]
            if len(topic.windows) >= _WINDOWS:
                del topic.windows[next(iter(topic.windows))]
            batch = topic.windows[window] = Batch(changes, topic.revisions[end - 1])
        return batch

    def newest(self, resource: str) -> int:
        """The revision of a resource's newest change, also when it has been forgotten since."""
        topic = self._topics.get(resource)
        if topic is None:
            return 0
        return topic.revisions[-1] if topic.revisions else topic.lost

    def caught_up(self, resource: str, cursor: int) -> int:
        """How far a watcher at a cursor really has seen: everything, if its resource is quiet."""
        topic = self._topics.get(resource)
        if topic is None or not topic.revisions or topic.revisions[-1] <= cursor:
            return max(cursor, self.revision)
        return cursor

    def waiter(self, resource: str) -> asyncio.Future[None]:
        """A future that is done when there may be more to read."""
        topic = self._topics.setdefault(resource, _Topic())
        future = asyncio.get_running_loop().create_future()
        topic.waiters[future] = None
        if topic.revisions and topic.revisions[-1] > self._shown:
            self._dirty.add(resource)
            self.announce()
        return future

    def leave(self, resource: str, waiter: asyncio.Future[None]) -> None:
        """Nobody waits on this future any more."""
        self._topics[resource].waiters.pop(waiter, None)


class Watch:
    """An asynchronous iterator of batches after a revision. Raises Expired when overtaken."""

    def __init__(self, history: History, resource: str, namespace: str | None, since: int) -> None:
        if since < history.compacted:
            raise Expired(since, history.compacted)
        self._history = history
        self._resource = resource
        self._namespace = namespace
        self._cursor = since
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        history.watchers += 1

    @property
    def revision(self) -> int:
        """Everything up to here has been given out: what a bookmark may say."""
        return self._history.caught_up(self._resource, self._cursor)

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Batch:
        while not self._closed:
            batch = self._history.read(self._resource, self._namespace, self._cursor)
            if batch is None:
                self._waiter = self._history.waiter(self._resource)
                try:
                    await self._waiter
                finally:
                    self._history.leave(self._resource, self._waiter)
                continue
            self._cursor = batch.revision
            if batch:
                return batch
        raise StopAsyncIteration

    def close(self) -> None:
        """End the watch; a pending read ends with it."""
        if self._closed:
            return
        self._closed = True
        self._history.watchers -= 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
