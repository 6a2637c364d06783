"""Exec and port-forward over SPDY, as API servers before 1.36 speak it with nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from athanor.kit.exchange import Gone
from athanor.kit.http import Exchange, WebSocket
from athanor.local.agent.kubelet import channels, command, forward, spoken
from athanor.wire import spdy
from tests.unit.kit.serving import Line, World, world

__all__ = ["world"]


class Client:
    """An API server's side of one upgraded connection."""

    def __init__(self, line: Line) -> None:
        self.line, self.session = line, spdy.Session()
        self.heard: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.rest: list[spdy.Event] = []

    @classmethod
    async def open(cls, world: World, port: int, target: str, *protocols: str) -> Client:
        line = await Line.open(world, port)
        said = "".join(f"X-Stream-Protocol-Version: {word}\r\n" for word in protocols)
        line.send(
            f"POST {target} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            f"{said}Content-Length: 0\r\n\r\n"
        )
        status, headers = await line.head()
        assert (status, headers["upgrade"]) == (101, "SPDY/3.1")
        assert headers["x-stream-protocol-version"] in protocols
        return cls(line)

    def start(self, streams: Sequence[Mapping[str, str]]) -> None:
        """Open streams 1, 3, 5, …"""
        for number, headers in enumerate(streams):
            self.line.send(self.session.open(2 * number + 1, headers))

    async def read(self, until: set[int]) -> None:
        """Until these streams have ended."""
        while not until <= self.ended:
            data = await self.line.reader.read(1 << 16)
            assert data, f"closed; heard {self.heard}"
            for event in self.session.feed(data):
                if not isinstance(event, spdy.Data):
                    self.rest.append(event)
                    continue
                self.heard[event.stream] = self.heard.get(event.stream, b"") + event.data
                self.ended |= {event.stream} if event.fin else set()


async def _shout(socket: WebSocket) -> None:
    """A command that says everything louder, and in the end how it went."""
    while (message := await socket.receive()) is not None:
        if message == bytes([channels.CLOSE, channels.STDIN]):
            break
        if message[0] == channels.RESIZE:
            size = str(channels.size(message[1:])).encode()
            await socket.send(channels.message(channels.STDERR, size))
            continue
        await socket.send(channels.message(channels.STDOUT, message[1:].upper()))
    await socket.send(channels.status(channels.exited(3)))
    await socket.close()


async def _command(exchange: Exchange) -> None:
    socket = await spoken.command(exchange, dict(exchange.query))
    if socket is None:
        await exchange.respond(400, b"no common protocol", "text/plain", {})
    else:
        await _shout(socket)


def _named(*types: str) -> list[dict[str, str]]:
    return [{"streamType": name} for name in types]


def test_a_command_runs_over_streams(world: World) -> None:
    async def main() -> None:
        async with world.serving(_command) as port:
            offered = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
            target = "/exec?command=x&input=1&output=1&error=1"
            client = await Client.open(world, port, target, *offered)
            client.start(_named("error", "stdin", "stdout", "stderr"))
            ping = bytes.fromhex("8003000600000004") + b"\0\0\0\1"
            client.line.send(client.session.data(3, b"hello ") + ping)
            client.line.send(client.session.data(3, b"you", fin=True))
            await client.read({1, 5, 7})
            assert (client.heard[5], client.heard[7]) == (b"HELLO YOU", b"")
            assert json.loads(client.heard[1])["message"].endswith("exit status 3")
            assert client.rest == [spdy.Ping(ping)]
            await client.line.close()

    asyncio.run(main())


def test_a_terminal_has_a_size_and_no_errors_of_its_own(world: World) -> None:
    async def main() -> None:
        async with world.serving(_command) as port:
            target = "/exec?command=x&input=1&output=1&error=1&tty=1"
            client = await Client.open(world, port, target, "v4.channel.k8s.io")
            client.start(_named("error", "stdin", "stdout", "resize"))
            client.line.send(client.session.data(7, b'{"Width":80,"Height":24}\n'))
            client.line.send(
                client.session.data(3, b"ls\n") + client.session.data(3, b"", fin=True)
            )
            await client.read({1, 5})
            assert client.heard[5] == b"LS\n"
            await client.line.close()

    asyncio.run(main())


def test_output_is_followed_while_nothing_is_said(world: World) -> None:
    async def log(stream: str) -> AsyncIterator[bytes]:
        yield f"to {stream}".encode()

    async def handler(exchange: Exchange) -> None:
        socket = await spoken.command(exchange, dict(exchange.query))
        assert socket is not None
        await command.attach(socket, None, log, False)
        await socket.close()
        closed.set()

    closed = asyncio.Event()

    async def main() -> None:
        async with world.serving(handler) as port:
            target = "/attach?input=1&output=1&error=1"
            client = await Client.open(world, port, target, "v4.channel.k8s.io")
            client.start(_named("error", "stdin", "stdout", "stderr"))
            await client.read({1, 5, 7})
            assert (client.heard[5], client.heard[7]) == (b"to stdout", b"to stderr")
            assert json.loads(client.heard[1])["status"] == "Success"
            await client.line.close()
            async with asyncio.timeout(30):
                await closed.wait()

    asyncio.run(main())


@pytest.mark.parametrize("junk", [b"\x80\x02" + b"\0" * 6, bytes.fromhex("8003000700000008") * 2])
def test_who_opens_no_streams_is_let_go(world: World, junk: bytes) -> None:
    gone = []

    async def handler(exchange: Exchange) -> None:
        with pytest.raises(Gone):
            await spoken.command(exchange, dict(exchange.query))
        gone.append(True)

    async def main() -> None:
        async with world.serving(handler) as port:
            client = await Client.open(world, port, "/exec?output=1", "v4.channel.k8s.io")
            client.line.send(junk)
            assert await client.line.ended()
            await client.line.close()

    asyncio.run(main())
    assert gone


def test_who_speaks_neither_protocol_is_answered(world: World) -> None:
    async def main() -> None:
        async with world.serving(_command) as port:
            line = await Line.open(world, port)
            for said in ("X-Stream-Protocol-Version: channel.k8s.io", "Accept: x"):
                line.send(f"POST /exec HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                          f"{said}\r\n\r\n")  # fmt: skip
                assert await line.answer() == (400, b"no common protocol")
            await line.close()

    asyncio.run(main())


def test_ports_are_forwarded_over_streams(world: World) -> None:
    async def main() -> None:
        async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read()).upper())
            writer.close()

        async def handler(exchange: Exchange) -> None:
            socket = await spoken.forwarding(exchange)
            assert socket is not None
            await forward.tunnel(socket, lambda port: asyncio.open_connection("127.0.0.1", port))
            await socket.close()

        there = await asyncio.start_server(shout, "127.0.0.1", 0)
        async with there, world.serving(handler) as port:
            client = await Client.open(world, port, "/portForward/ns/p", "portforward.k8s.io")
            at = {"port": str(there.sockets[0].getsockname()[1]), "requestID": "0"}
            client.start([{**at, "streamType": "error"}, {**at, "streamType": "data"}])
            client.line.send(client.session.data(3, b"hello", fin=True))
            await client.read({1, 3})
            assert (client.heard[1], client.heard[3]) == (b"", b"HELLO")
            await client.line.close()

    asyncio.run(main())
