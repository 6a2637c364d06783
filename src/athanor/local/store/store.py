"""The store: revisions, preconditions, group commit. Everything is called on one event loop.

A write gets its revision at once, in the order of the calls, and is checked against everything
accepted before it; it is seen and acknowledged when it is durable. In ":memory:" that is at once
and no thread exists, so that a whole cluster can run under a virtual clock.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import zlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from athanor.local.store import log as logs
from athanor.local.store.history import History, Watch
from athanor.local.store.lock import Lock
from athanor.local.store.log import TYPES, Entry, Found, Log
from athanor.local.store.model import (
    Change,
    Conflict,
    Encode,
    Key,
    Row,
    StoreError,
    Unavailable,
    Write,
)
from athanor.local.store.tables import Tables
from athanor.local.store.writer import Writer

_GROUP = 512
_ENOUGH = 64
"""Writes that are not kept waiting for more."""
_QUIET = 2
"""Turns of the event loop without a new write after which no more are waited for."""
_COMPACT_STEP = 1000
_log = logging.getLogger(__name__)


class Keep(Struct, frozen=True, kw_only=True):
    """How much history stays readable: whichever of the limits is reached first."""

    changes: int = 50_000
    bytes: int = 48 << 20
    seconds: float = 600.0


class Store:
    """See the module. `found` says what opening the file met."""

    def __init__(self, log: Log | None, lock: Lock | None, keep: Keep) -> None:
        self.found = Found() if log is None else log.found
        self._log = log
        self._lock = lock
        self._keep = keep
        self._tables = Tables()
        compacted = 0 if log is None else log.compacted()
        # revision 0 means "any" in the protocol, so nothing is ever at 0
        self._history = History(max(compacted, 1), compacted)
        self._pending: dict[Key, tuple[int, Row | None]] = {}
        self._queue: list[tuple[Sequence[Change], asyncio.Future[None]]] = []
        self._busy = False
        self._closed = False
        self.failing = ""
        """Why the last write could not be made durable; empty when it could."""
        self._idle: asyncio.Future[None] | None = None
        self._marks: deque[tuple[float, int]] = deque()
        self._compacting = False
        self._on_disk = compacted
        if log is not None:
            self._load(log, compacted)
        self._assigned = self._history.revision
        self._writer = None if log is None else Writer(log)

    @classmethod
    def open(cls, path: str | Path, *, keep: Keep | None = None) -> Store:
        """Open or create a store. Raises StoreError that says what is wrong with the file."""
        if str(path) == ":memory:":
            return cls(None, None, keep or Keep())
        file = Path(path)
        lock = Lock(file)
        try:
            log = Log.open(file)
            try:
                return cls(log, lock, keep or Keep())
            except StoreError:
                log.abandon()
                raise
        except StoreError:
            lock.release()
            raise

    def _load(self, log: Log, compacted: int) -> None:
        for entry in log.load():
            key = Key(sys.intern(entry.resource), sys.intern(entry.namespace), entry.name)
            before = self._tables.get(key)
            if entry.revision > compacted:
                if entry.previous != (before.revision if before else 0):
                    raise StoreError(
                        f"{log.path} is damaged: revision {entry.revision} of {key} replaced "
                        f"revision {entry.previous}, which is not there. Nothing was changed. "
                        "Restore a backup"
                    )
                change = Change(key, entry.revision, TYPES[entry.type], entry.body, before)
                self._history.append(change)
            if entry.type == 2:
                if before is not None:
                    self._tables.drop(key)
            else:
                self._tables.put(Row(key, entry.revision, entry.body))
        self._history.announce()

    # reading

    @property
    def revision(self) -> int:
        """The newest revision that readers see."""
        return self._history.revision

    @property
    def compacted(self) -> int:
        """Revisions below this one are gone."""
        return self._history.compacted

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return self._history.watchers

    @property
    def history_bytes(self) -> int:
        """Bytes of the changes that can still be watched."""
        return self._history.bytes

    def get(self, key: Key) -> Row | None:
        """The row that readers see."""
        return self._tables.get(key)

    def latest(self, key: Key) -> Row | None:
        """The row including writes that are accepted but not durable yet."""
        pending = self._pending.get(key)
        return self._tables.get(key) if pending is None else pending[1]

    def rows(self, resource: str, namespace: str | None = None) -> Sequence[Row]:
        """All rows of a resource, sorted by (namespace, name)."""
        return self._tables.rows(resource, namespace)

    def newest(self, resource: str) -> int:
        """The revision of the newest visible change of a resource that is remembered, else 0."""
        return self._history.newest(resource)

    def count(self, resource: str, namespace: str | None = None) -> int:
        """How many rows there are."""
        return self._tables.count(resource, namespace)

    def counts(self) -> dict[str, int]:
        """How many rows each resource has, for metrics."""
        return self._tables.counts()

    def rows_at(self, resource: str, namespace: str | None, revision: int) -> Sequence[Row]:
        """All rows as they stood at an older revision. Raises Expired."""
        then = self._history.undo(resource, namespace, revision)
        now = self._tables.rows(resource, namespace)
        if not then:
            return now
        rows = [row for row in now if row.key not in then]
        rows += [row for row in then.values() if row is not None]
        rows.sort(key=lambda row: row.key)
        return rows

    def watch(self, resource: str, namespace: str | None, since: int) -> Watch:
        """Batches of changes after a revision. Raises Expired when that is compacted."""
        return Watch(self._history, resource, namespace, since)

    # writing

    async def put(self, key: Key, encode: Encode, *, expect: int) -> Row:
        """Create (`expect` 0) or replace an object; returns when that is durable.

        Raises Conflict when the latest revision is not `expect`, Unavailable when the disk fails.
        """
        change = self._prepare(Write(key, encode, expect), self._assigned + 1)
        await self._commit((change,))
        return Row(key, change.revision, change.body)

    async def remove(self, key: Key, encode: Encode, *, expect: int) -> Row:
        """Delete an object; `encode` gives its last body. Raises Conflict, Unavailable."""
        change = self._prepare(Write(key, encode, expect, remove=True), self._assigned + 1)
        await self._commit((change,))
        return Row(key, change.revision, change.body)

    async def apply(self, writes: Sequence[Write]) -> list[Row]:
        """Several writes to different objects, all or none. Raises Conflict, Unavailable."""
        if len({write.key for write in writes}) < len(writes):
            raise ValueError("one object is written twice in one group")
        if not writes:
            return []
        changes = [
            self._prepare(write, self._assigned + place) for place, write in enumerate(writes, 1)
        ]
        await self._commit(changes)
        return [Row(change.key, change.revision, change.body) for change in changes]

    def _prepare(self, write: Write, revision: int) -> Change:
        """Check a write against everything accepted so far."""
        key = write.key
        if self._closed:
            raise Unavailable("the store is closing, nothing is written any more")
        latest = self.latest(key)
        actual = 0 if latest is None else latest.revision
        if actual != write.expect or (write.remove and latest is None):
            raise Conflict(key, write.expect or -1 if write.remove else write.expect, actual)
        body = write.encode(revision)
        if write.remove:
            return Change(key, revision, "DELETED", body, latest)
        return Change(key, revision, "ADDED" if latest is None else "MODIFIED", body, latest)

    async def _commit(self, changes: Sequence[Change]) -> None:
        self._assigned = changes[-1].revision
        if self._writer is None:
            self._publish(changes)
            self._history.announce()
            self._retire()
            return
        for change in changes:
            gone = change.type == "DELETED"
            row = None if gone else Row(change.key, change.revision, change.body)
            self._pending[change.key] = (change.revision, row)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.append((changes, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._gather, self._writer, loop, 1, _QUIET)
        await future

    def _gather(
        self, writer: Writer, loop: asyncio.AbstractEventLoop, before: int, turns: int
    ) -> None:
        """Send when some turns of the event loop brought no more writes, or enough have come.

        A lone writer waits for next to nothing; sixty at once share one turn of the disk.
        """
        count = len(self._queue)
        if count > before:
            turns = _QUIET
        if turns and count < _ENOUGH:
            loop.call_soon(self._gather, writer, loop, count, turns - 1)
        else:
            self._send(writer, loop)

    def _send(self, writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the writer everything that has gathered, as one group."""
        group, self._queue = self._queue[:_GROUP], self._queue[_GROUP:]
        entries = [_entry(change) for changes, _ in group for change in changes]
        assert self._log is not None
        done = partial(self._written, group, writer, loop)
        writer.submit(partial(self._log.append, entries), done, loop)

    def _written(
        self,
        group: Sequence[tuple[Sequence[Change], asyncio.Future[None]]],
        writer: Writer,
        loop: asyncio.AbstractEventLoop,
        error: BaseException | None,
    ) -> None:
        if error is not None:
            self._roll_back(group, error)
        else:
            if self.failing:
                _log.warning("writes work again: %s", self.found.path)
                self.failing = ""
            for changes, _ in group:
                self._publish(changes)
            self._history.announce()
            for _, future in group:
                if not future.done():
                    future.set_result(None)
            self._retire()
        if self._queue:
            loop.call_soon(self._gather, writer, loop, 0, _QUIET)
            return
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _publish(self, changes: Sequence[Change]) -> None:
        """Let readers see durable changes."""
        for change in changes:
            key = change.key
            if change.type == "DELETED":
                self._tables.drop(key)
            else:
                self._tables.put(Row(key, change.revision, change.body))
            self._history.append(change)
            pending = self._pending.get(key)
            if pending is not None and pending[0] == change.revision:
                del self._pending[key]

    def _roll_back(
        self,
        group: Sequence[tuple[Sequence[Change], asyncio.Future[None]]],
        error: BaseException,
    ) -> None:
        """Nothing of a failed group happened, nor of what was accepted on top of it."""
        if not self.failing:
            _log.error("a write failed and was taken back: %s", error)
        self.failing = str(error)
        failed = [*group, *self._queue]
        self._queue = []
        self._pending.clear()
        message = f"the change was not made, for it could not be stored: {error}"
        for _, future in failed:
            if not future.done():
                future.set_exception(Unavailable(message))

    # forgetting

    def compact(self, revision: int) -> None:
        """Forget states before a revision (at most the newest); older watches are Expired."""
        self._history.trim(min(revision, self.revision))
        self._compact_file()

    def _retire(self) -> None:
        """Compact by the limits of `keep`, now and then."""
        history, keep = self._history, self._keep
        if len(history) > keep.changes * 1.25 or history.bytes > keep.bytes * 1.25:
            self.compact(history.excess(keep.changes, keep.bytes))
        now = asyncio.get_running_loop().time()
        if not self._marks or now - self._marks[-1][0] >= keep.seconds / 10:
            self._marks.append((now, self.revision))
            old = 0
            while now - self._marks[0][0] > keep.seconds:
                old = self._marks.popleft()[1]
            if old > self.compacted:
                self.compact(old)

    def _compact_file(self) -> None:
        """Delete from the file what memory has forgotten, a little at a time."""
        target = self._history.compacted
        if self._writer is None or self._compacting or self._on_disk >= target or self._closed:
            return
        assert self._log is not None
        self._compacting = True
        step = min(target, self._on_disk + _COMPACT_STEP)
        work = partial(self._log.compact, self._on_disk, step)
        self._writer.submit(work, partial(self._compacted, step), asyncio.get_running_loop())

    def _compacted(self, step: int, error: BaseException | None) -> None:
        self._compacting = False
        if error is not None:
            _log.warning("compaction failed and is tried again later: %s", error)
            return
        self._on_disk = step
        self._compact_file()

    # the whole

    async def backup(self, target: str | Path) -> None:
        """A consistent copy as a new file, while the store runs. Raises StoreError."""
        if self._log is None:
            raise StoreError("a store in memory has no file to back up")
        await asyncio.to_thread(logs.copy_to, self._log.path, Path(target))

    async def close(self) -> None:
        """Finish accepted writes, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        if self._writer is not None and self._log is not None and self._lock is not None:
            await asyncio.to_thread(self._writer.stop)
            await asyncio.to_thread(self._log.close)
            self._lock.release()


def _entry(change: Change) -> Entry:
    key = change.key
    return Entry(
        change.revision, key.resource, key.namespace, key.name, TYPES.index(change.type),
        change.before.revision if change.before else 0, zlib.crc32(change.body), change.body,
    )  # fmt: skip
