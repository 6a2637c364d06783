"""One process at a time: an advisory lock that dies with its holder (flock(2))."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from athanor.local.store.model import StoreError


class Lock:
    """Holds a data file for this process until released."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError that names the holder when another process has it."""
        lock = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{lock} cannot be written: {error.strerror}. Does {path.parent} exist, is it "
                "yours, and is there room?"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreError(
                f"{path} is in use by another server (process {holder}). "
                "Stop that one, or give another --data directory"
            ) from error
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # the number is a courtesy; on a full disk the lock itself still holds
            return

    def release(self) -> None:
        """Let others open the file."""
        os.close(self._descriptor)
