"""Putting a backup in the place of a data file."""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec import structs

from athanor.local.store import log as logs
from athanor.local.store.lock import Lock
from athanor.local.store.log import Found, Log
from athanor.local.store.model import StoreError

_log = logging.getLogger(__name__)


def restore(backup: str | Path, path: str | Path) -> Found:
    """Put a backup in the place of a data file, which no server may have open.

    The old file stays beside it as `NAME.replaced-N`. Revisions go on after those of the old
    file, so that clients who remember newer ones are told to list again. Raises StoreError.
    """
    source, target = Path(backup), Path(path)
    if not source.exists():
        raise StoreError(f"{source} does not exist: which backup should be restored?")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(target)
    try:
        fresh = target.with_name(target.name + ".restored")
        for leftover in (fresh, *_beside(fresh)):
            leftover.unlink(missing_ok=True)
        logs.copy_to(source, fresh)
        newest = _newest(fresh)
        if target.exists():
            try:
                newest = max(newest, _newest(target))
            except StoreError as error:
                newest += 1_000_000
                _log.warning("the file to be replaced cannot be read: %s", error)
        logs.move_on(fresh, newest + 1)
        found = structs.replace(_checked(fresh), path=str(target))
        _set_aside(target)
        logs.settle(fresh, target)
        return found
    finally:
        lock.release()


def _checked(path: Path) -> Found:
    """Open, read everything, close."""
    log = Log.open(path)
    try:
        for _ in log.load():
            pass
    except StoreError:
        log.abandon()
        raise
    log.close()
    return log.found


def _newest(path: Path) -> int:
    log = Log.open(path)
    try:
        revisions = [entry.revision for entry in log.load()]
        newest = max([*revisions, log.compacted()])
    except StoreError:
        log.abandon()
        raise
    log.close()
    return newest


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _set_aside(path: Path) -> None:
    """Rename a file, and a write-ahead log that could not be emptied, to a free name."""
    number = 1
    while path.with_name(f"{path.name}.replaced-{number}").exists():
        number += 1
    for old in (path, *_beside(path)):
        if old.exists():
            suffix = old.name[len(path.name) :]
            old.rename(path.with_name(f"{path.name}.replaced-{number}{suffix}"))
