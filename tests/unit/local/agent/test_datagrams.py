"""UDP host ports: every asker gets the answers to what it asked."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from athanor.local.agent import datagrams
from athanor.local.agent.datagrams import DatagramRelay


class Echo(asyncio.DatagramProtocol):
    """The pod's program: says each datagram back, in capitals."""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.upper(), addr)


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def test_answers_find_their_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams, "FLOWS", 2)

    async def main() -> None:
        async with asyncio.timeout(20):  # a datagram that is lost is waited for in vain
            await ask()

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        pod, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        inside = pod.get_extra_info("sockname")
        dialled: list[socket.socket] = []

        async def dial() -> socket.socket:
            dialled.append(udp())
            dialled[-1].connect(inside)
            return dialled[-1]

        with udp() as free:
            port = free.getsockname()[1]
        relay = DatagramRelay(dial)
        await relay.here("127.0.0.1", port)
        askers = [udp(), udp(), udp()]
        for turn in range(2):
            for number, asker in enumerate(askers[:2]):
                await loop.sock_sendto(asker, b"from %d %d" % (number, turn), ("127.0.0.1", port))
        for number, asker in enumerate(askers[:2]):
            said = {await loop.sock_recv(asker, 99) for _ in range(2)}
            assert said == {b"FROM %d 0" % number, b"FROM %d 1" % number}
        await loop.sock_sendto(askers[2], b"one too many", ("127.0.0.1", port))
        await loop.sock_sendto(askers[0], b"still", ("127.0.0.1", port))
        assert await loop.sock_recv(askers[0], 99) == b"STILL" and len(dialled) == 2
        await relay.close()
        pod.close()
        for asker in askers:
            asker.close()
        await asyncio.sleep(0)

    asyncio.run(main())
