"""Unprivileged users for namespaces, each its own: they keep their pods' files and processes apart.

The number follows from the name, so that nodes that share folders agree. Two names of one number
(they are easily found by whoever may make namespaces) get two: who came first keeps it, on disk.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from athanor.local.agent import kept
from athanor.local.pki import write_private

FIRST, COUNT = 200_000, 100_000


class Uids:
    """Who has which number on this node."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = kept.read(path)

    def of(self, namespace: str) -> int:
        """A namespace's number. Raises OSError when it cannot be kept."""
        if namespace not in self._known:
            taken = set(self._known.values())
            start = zlib.crc32(namespace.encode())
            numbers = (FIRST + (start + step) % COUNT for step in range(COUNT))
            chosen = next((number for number in numbers if number not in taken), None)
            if chosen is None:
                raise OSError(f"all {COUNT} uids from {FIRST} on are given to namespaces")
            write_private(self._path, json.dumps({**self._known, namespace: chosen}).encode())
            self._known[namespace] = chosen
        return self._known[namespace]
