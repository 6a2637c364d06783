"""UDP host ports: datagrams that come to this machine's port go into the pod, answers back.

Who asks is known by address and port; a flow that is quiet for two minutes is forgotten (the least
that RFC 4787 asks of address translators).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from athanor.local.agent.supervised import Refused

log = logging.getLogger(__name__)
QUIET = 120.0
"""Seconds after the last datagram until a flow is forgotten."""
FLOWS = 1024
"""Flows at once; more are not let in until others are quiet."""
_WAITING = 64  # datagrams of a flow that is being opened; more are dropped, as networks do

Address = tuple[str, int]
Dial = Callable[[], Awaitable[socket.socket]]


class _Flow(asyncio.DatagramProtocol):
    """One asker's way into the pod."""

    def __init__(self, answer: Callable[[bytes], None], now: Callable[[], float]) -> None:
        self._answer = answer
        self._now = now
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self.last = now()

    def open(self, transport: asyncio.DatagramTransport) -> None:
        """The way is open: what waited goes."""
        self._transport = transport
        for data in self._waiting:
            transport.sendto(data)
        self._waiting.clear()

    def send(self, data: bytes) -> None:
        """A datagram for the pod."""
        self.last = self._now()
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._waiting) < _WAITING:
            self._waiting.append(data)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """The pod answers."""
        self.last = self._now()
        self._answer(data)

    def close(self) -> None:
        """Forget it."""
        if self._transport is not None:
            self._transport.close()


class DatagramRelay(asyncio.DatagramProtocol):
    """Carries datagrams between a port of this machine and wherever `dial` leads."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._flows: dict[Address, _Flow] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def here(self, address: str, port: int) -> None:
        """Listen on this machine. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(address, port)
        )
        self._sweep()

    async def close(self) -> None:
        """Stop, and forget every flow."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._transport is not None:
            self._transport.close()
        for task in self._opening:
            task.cancel()
        for flow in self._flows.values():
            flow.close()
        self._flows.clear()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Somebody asks."""
        loop = asyncio.get_running_loop()
        flow = self._flows.get(addr)
        if flow is None:
            if len(self._flows) >= FLOWS:
                return
            flow = self._flows[addr] = _Flow(lambda said: self._reply(said, addr), loop.time)
            task = loop.create_task(self._open(addr, flow))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        flow.send(data)

    def _reply(self, data: bytes, addr: Address) -> None:
        if self._transport is not None:
            self._transport.sendto(data, addr)

    async def _open(self, addr: Address, flow: _Flow) -> None:
        try:
            sock = await self._dial()
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: flow, sock=sock
            )
        except (OSError, Refused) as error:
            log.warning("a relayed datagram leads nowhere: %s", error)
            self._flows.pop(addr, None)
            return
        flow.open(transport)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        quiet = [addr for addr, flow in self._flows.items() if loop.time() - flow.last > QUIET]
        for addr in quiet:
            self._flows.pop(addr).close()
        self._sweeper = loop.call_later(QUIET / 4, self._sweep)
