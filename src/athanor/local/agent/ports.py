"""Blocks of ports for gangs, where pods share the machine's network.

TCPStore and JAX bind every address, so a port is all that keeps two jobs apart. A gang keeps its
block for as long as one of its pods is on the node.
"""

from __future__ import annotations

import json
import socket
import zlib
from pathlib import Path

from athanor.local.agent import kept

FIRST, LAST, SIZE = 20_000, 32_000, 16


class PortBlocks:
    """Who has which block, on disk: an agent that restarts must not move a gang."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = kept.read(path)

    def first_of(self, gang: str) -> int:
        """The first port of a gang's block. Raises OSError when every block is taken."""
        if gang not in self._blocks:
            self._blocks[gang] = self._free(gang)
            self._save()
        return self._blocks[gang]

    def keep(self, gangs: set[str]) -> None:
        """Give back the blocks of all other gangs."""
        gone = set(self._blocks) - gangs
        if gone:
            self._blocks = {g: port for g, port in self._blocks.items() if g in gangs}
            self._save()

    def _free(self, gang: str) -> int:
        count = (LAST - FIRST) // SIZE
        start = zlib.crc32(gang.encode()) % count
        taken = set(self._blocks.values())
        for step in range(count):
            port = FIRST + (start + step) % count * SIZE
            if port not in taken and _bindable(port):
                return port
        raise OSError(f"no block of {SIZE} ports is free between {FIRST} and {LAST}")

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._blocks))
        fresh.replace(self._path)


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
