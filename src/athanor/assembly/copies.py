"""Backup and restore of a data directory's objects, on the store's own terms."""

from __future__ import annotations

from pathlib import Path

from athanor.assembly.layout import DataDir
from athanor.local.store import log
from athanor.local.store.model import StoreError
from athanor.local.store.restore import restore as put_back


class Refused(Exception):
    """A copy cannot be made or put back; nothing was changed."""


def backup(data: DataDir, target: Path) -> int:
    """Copy all objects to a new file as of one moment, up or down; returns its size in bytes."""
    if not data.store.exists():
        raise Refused(f"{data.root} holds no objects yet")
    try:
        log.copy_to(data.store, target)
    except StoreError as error:
        raise Refused(str(error)) from None
    return target.stat().st_size


def restore(data: DataDir, source: Path) -> str:
    """Put a backup in place of the current objects; returns what was found in it, in words."""
    try:
        found = put_back(source, data.store)
    except StoreError as error:
        raise Refused(str(error)) from None
    return str(found)
