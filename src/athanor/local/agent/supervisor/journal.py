"""Exits, on disk before anybody hears of them: an append-only file of JSON lines, fsynced.

A line is {"key", "exit": {...}} or {"key", "forget": true}. A torn last line (power cut) is
dropped: what it would have said was never reported either.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable
from typing import Any

COMPACT_AT = 4096  # lines; a line is about 200 bytes


class Journal:
    """The exits known so far, by container key."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.exits: dict[str, dict[str, Any]] = {}
        self._lines = 0
        self._load()
        self._rewrite()

    def record(self, exits: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Append exits; returns when they are durable. Raises OSError, and then none is kept."""
        self._append([{"key": key, "exit": exit_} for key, exit_ in exits])

    def forget(self, keys: Iterable[str]) -> None:
        """These containers are of no interest any more."""
        self._append([{"key": key, "forget": True} for key in keys if key in self.exits])
        if self._lines > COMPACT_AT and self._lines > 4 * len(self.exits):
            with contextlib.suppress(OSError):  # the long file is as good
                self._rewrite()

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)

    def _append(self, lines: list[dict[str, Any]]) -> None:
        if not lines:
            return
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        before = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):  # half a line would spoil the next one
                os.ftruncate(self._fd, before)
            raise
        for line in lines:
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        self._lines += 1
        if line.get("forget"):
            self.exits.pop(line["key"], None)
        else:
            self.exits[line["key"]] = line["exit"]

    def _load(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError):
                continue  # a torn line; see the module's first lines

    def _rewrite(self) -> None:
        fresh = self.path + ".new"
        with open(fresh, "w", encoding="utf-8") as file:
            for key, exit_ in self.exits.items():
                file.write(json.dumps({"key": key, "exit": exit_}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
        self._lines = len(self.exits)
        old = getattr(self, "_fd", -1)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if old >= 0:
            os.close(old)
