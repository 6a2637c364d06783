"""Doors between networks: pods reach the API server, this machine reaches a pod's host ports.

Pods live in networks of their own that lead nowhere else. The supervisor opens a listening socket
at the pods' gateway; what comes in is copied to the API server, TLS and all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable

from athanor.local.agent.supervised import Refused, Supervised

log = logging.getLogger(__name__)
_CHUNK = 1 << 16

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Carries connections from one listening socket to wherever `dial` leads."""

    def __init__(self, dial: Callable[[], Awaitable[Pair]]) -> None:
        self._dial = dial
        self._server: asyncio.Server | None = None

    async def at_gateway(self, supervised: Supervised, address: str, port: int) -> None:
        """Listen in the pods' routing network. Raises Refused."""
        _, files = await supervised.ask_files("listen", address=address, port=port)
        sock = socket.socket(fileno=files[0])
        sock.setblocking(False)
        await self.close()
        self._server = await asyncio.start_server(self._serve, sock=sock)

    async def here(self, address: str, port: int) -> None:
        """Listen on this machine (hostPort). Raises OSError."""
        self._server = await asyncio.start_server(self._serve, address, port)

    async def close(self) -> None:
        """Stop listening; connections that are open go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._dial()
        except (OSError, Refused) as error:
            log.warning("a relayed connection leads nowhere: %s", error)
            writer.close()
            return
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()
