"""The threads beside the event loop: one writes the log, one copies it into the file."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from athanor.local.store.log import Log, WriteFailed, checkpoint

Work = Callable[[], None]
Done = Callable[[BaseException | None], None]
_Item = tuple[Work, Done, asyncio.AbstractEventLoop | None]

CHECKPOINT_BYTES = 8 << 20
"""Written bytes after which the write-ahead log is copied into the file."""
_LONG_WAL = 4096
_log = logging.getLogger(__name__)


class Writer:
    """Does one piece of work after the other, and says on the event loop how each went."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._work: SimpleQueue[_Item | None] = SimpleQueue()
        self._wake = threading.Event()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._write, name="store-writer", daemon=True),
            threading.Thread(target=self._checkpoint, name="store-checkpoint", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work, done: Done, loop: asyncio.AbstractEventLoop) -> None:
        """Queue a piece of work; `done` is called on the loop with its exception or None."""
        self._work.put((work, done, loop))

    def stop(self) -> None:
        """Finish what is queued and end both threads."""
        self._stopping = True
        self._work.put(None)
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        while (item := self._work.get()) is not None:
            work, done, loop = item
            error: BaseException | None = None
            try:
                work()
            except Exception as raised:
                error = raised
            if self._log.wants_checkpoint(CHECKPOINT_BYTES):
                self._wake.set()
            if loop is None:
                done(error)
                continue
            try:
                loop.call_soon_threadsafe(done, error)
            except RuntimeError:
                _log.warning("the event loop ended before a write to %s did", self._log.path)

    def _checkpoint(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            try:
                pages, copied = checkpoint(self._log.path)
            except WriteFailed as error:
                _log.warning("checkpoint failed, the write-ahead log grows on: %s", error)
                continue
            if copied < pages and pages > _LONG_WAL:
                self._finish()

    def _finish(self) -> None:
        """Under steady load the tail is only ever caught between two groups."""
        self._work.put((self._log.finish_checkpoint, _warn, None))


def _warn(error: BaseException | None) -> None:
    if error is not None:
        _log.warning("checkpoint failed, the write-ahead log grows on: %s", error)
