"""Serving: the short way and the long one, streams, limits, upgrades."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import pytest

from athanor.kit import exchange as exchanges
from athanor.kit import plain
from athanor.kit.http import Exchange, HttpServer
from athanor.kit.plain import parse
from athanor.testing import virtual
from tests.unit.kit.serving import Line, World, echo


def test_requests_on_one_connection_in_any_pieces(world: World) -> None:
    async def main() -> None:
        async with world.serving(echo) as port:
            line = await Line.open(world, port)
            line.send("GET /a%20b?x=1&x=2&y= HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await line.answer() == (
                200, b"GET /a%20b [('x', '1'), ('x', '2'), ('y', '')] b''",
            )  # fmt: skip
            whole = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
            for piece in (whole[:9], whole[9:40], whole[40:-2], whole[-2:]):
                line.send(piece)
                await line.writer.drain()
                await asyncio.sleep(0.002)
            assert await line.answer() == (200, b"POST /p [] b'hello'")
            line.send(whole + whole + b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert (await line.answer())[1].endswith(b"b'hello'")
            assert (await line.answer())[1].endswith(b"b'hello'")
            assert (await line.answer())[1] == b"GET /last [] b''"
            assert await line.ended()
            await line.close()

    asyncio.run(main())


def test_the_client_certificate_says_who_asks(world: World) -> None:
    async def main() -> None:
        async with world.serving(echo) as port:
            line = await Line.open(world, port)
            line.send("GET / HTTP/1.1\r\n\r\n")
            _, headers = await line.head()
            assert headers["x-peer"] == "me:a,b"
            assert headers["server"] == "athanor"
            assert "date" in headers
            await line.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "request_",
    [
        "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_unusual_bodies_are_read_too(world: World, request_: str) -> None:
    async def main() -> None:
        async with world.serving(echo) as port:
            line = await Line.open(world, port)
            line.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await line.answer())[0] == 200
            line.send(request_)
            status, body = await line.answer()
            if status == 100:
                status, body = await line.answer()
            assert (status, body) == (200, b"POST /c [] b'hello'")
            line.send("GET /then HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await line.answer() == (200, b"GET /then [] b''")
            await line.close()

    asyncio.run(main())


def test_bodies_have_a_limit_whichever_way_they_come(world: World) -> None:
    async def main() -> None:
        async with world.serving(echo) as port:
            for length in (1001, 5 << 20):
                line = await Line.open(world, port)
                line.send(f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
                line.send(b"x" * min(length, 1 << 16))
                assert await line.answer() == (413, b"limit is 1000")
                await line.close()
            line = await Line.open(world, port)
            line.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            line.send(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
            assert (await line.answer())[0] == 413
            await line.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "junk",
    [
        "nonsense\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n", "GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\n" + "A: " + "x" * 200_000 + "\r\n\r\n",
    ],
)  # fmt: skip
def test_junk_is_refused_and_the_server_lives(world: World, junk: str) -> None:
    async def main() -> None:
        async with world.serving(echo) as port:
            line = await Line.open(world, port)
            line.send(junk)
            try:
                status, _ = await line.head()
            except (asyncio.IncompleteReadError, ConnectionError):
                status = 400
            assert 400 <= status < 500
            await line.close()
            again = await Line.open(world, port)
            again.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await again.answer())[0] == 200
            await again.close()

    asyncio.run(main())


def test_heads_that_are_not_for_the_short_way() -> None:
    plain = parse(b"GET /x?y HTTP/1.1\r\nHost: a\r\nAccept: b\r\naccept: c")
    assert plain is not None
    assert plain.headers == {"host": "a", "accept": "b, c"}
    for line in (
        b"Upgrade: websocket", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
        b" folded: x", b"A B: c", b"A: b\nC: d", b"Content-Length: 1_0", b"Content-Length: +1",
    ):  # fmt: skip
        assert parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + line) is None
    assert parse(b"GET http://h/ HTTP/1.1\r\nHost: a") is None
    assert parse(b"BREW / HTTP/1.1") is None


def test_long_answers_are_compressed_for_those_who_ask(world: World) -> None:
    async def main() -> None:
        async def long(exchange: Exchange) -> None:
            size = int(exchange.path.strip("/"))
            await exchange.respond(200, b"x" * size, "text/plain", {})

        async with world.serving(long) as port:
            line = await Line.open(world, port)
            ask = "GET /{} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {}\r\n\r\n"
            line.send(ask.format(200_000, "gzip, deflate"))
            status, headers = await line.head()
            assert headers["content-encoding"] == "gzip"
            packed = await line.reader.readexactly(int(headers["content-length"]))
            assert gzip.decompress(packed) == b"x" * 200_000
            for size, accept in ((200_000, "identity"), (1000, "gzip"), (3_000_000, "br")):
                line.send(ask.format(size, accept))
                assert await line.answer() == (200, b"x" * size)
            line.send("HEAD /77 HTTP/1.1\r\nHost: h\r\n\r\n")
            status, headers = await line.head()
            assert (status, headers["content-length"]) == (200, "77")
            await line.close()

    asyncio.run(main())


def test_a_handler_that_fails_costs_one_answer(world: World) -> None:
    async def main() -> None:
        async def fail(exchange: Exchange) -> None:
            raise ValueError("no")

        async with world.serving(fail) as port:
            line = await Line.open(world, port)
            line.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await line.answer())[0] == 500
            assert await line.ended()
            await line.close()

    asyncio.run(main())


async def _numbers(ended: asyncio.Event) -> AsyncIterator[bytes]:
    try:
        for number in range(1000):
            yield b"%d\n" % number
            yield b""
            await asyncio.sleep(0.001 if number else 0)
    finally:
        ended.set()


@pytest.mark.parametrize("how", ["client leaves", "server closes", "to the end"])
@pytest.mark.parametrize("way", ["short", "long"])
def test_streams(world: World, how: str, way: str) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def few() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        async def handler(exchange: Exchange) -> None:
            chunks = few() if how == "to the end" else _numbers(ended)
            await exchange.stream(200, chunks, "application/json", {"X-A": "b"})

        server = HttpServer(handler)
        port = await server.start("127.0.0.1", 0, world.tls())
        line = await Line.open(world, port)
        extra = "Expect: 100-continue\r\n" if way == "long" else ""
        line.send(f"GET / HTTP/1.1\r\nHost: h\r\n{extra}\r\n")
        if how == "to the end":
            assert await line.answer() == (200, b"onetwo")
        else:
            status, headers = await line.head()
            assert (status, headers["x-a"]) == (200, "b")
            assert await line.reader.readexactly(7) == b"2\r\n0\n\r\n"
        if how == "client leaves":
            await line.close()
            await asyncio.wait_for(ended.wait(), 5)
        elif how == "server closes":
            await server.close()
            assert (await line.reader.read()).endswith(b"0\r\n\r\n")
            assert ended.is_set()
        await line.close()
        await server.close()

    asyncio.run(main())


def test_a_client_that_stops_reading_is_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("athanor.kit.plain.STALL", 0.05)

    async def main() -> None:
        ended, sent = asyncio.Event(), 0

        async def flood() -> AsyncIterator[bytes]:
            nonlocal sent
            try:
                while True:
                    sent += 1 << 16
                    yield b"x" * (1 << 16)
            finally:
                ended.set()

        async def handler(exchange: Exchange) -> None:
            await exchange.stream(200, flood(), "text/plain", {})

        async with world.serving(handler) as port:
            line = await Line.open(world, port)
            line.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await line.head()
            line.writer.transport.pause_reading()
            await asyncio.wait_for(ended.wait(), 10)
            assert sent < 64 << 20
            await line.close()

    asyncio.run(main())


def test_closing_lets_a_begun_answer_finish(world: World) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def slow(exchange: Exchange) -> None:
            begun.set()
            await asyncio.sleep(0.05)
            await exchange.respond(200, b"done", "text/plain", {})

        server = HttpServer(slow)
        port = await server.start("127.0.0.1", 0, world.tls())
        line, idle = await Line.open(world, port), await Line.open(world, port)
        line.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await begun.wait()
        closing = asyncio.ensure_future(server.close(5))
        assert await line.answer() == (200, b"done")
        await closing
        assert await idle.ended()
        await line.close()
        await idle.close()

    asyncio.run(main())


def test_a_taken_port_is_said(world: World) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=f"127.0.0.1:{port} is taken by another program"):
                await HttpServer(echo).start("127.0.0.1", port, None)
        with pytest.raises(OSError, match="is not an address of this machine"):
            await HttpServer(echo).start("192.0.2.1", 0, None)

    asyncio.run(main())


class Wire(asyncio.Transport):
    """A connection to nobody, in virtual time."""

    def __init__(self, connections: plain.Connections) -> None:
        super().__init__()
        self.open, self.said = True, b""
        self.end = connections()
        self.end.connection_made(self)
        assert isinstance(self.end, asyncio.Protocol)
        self.hear = self.end.data_received

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += bytes(data)

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self.open = False
        self.end.connection_lost(None)


def test_who_only_holds_connections_open_has_none_for_long() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.path == "/long":
            await asyncio.sleep(3600)
        await exchange.respond(200, b"ok", "text/plain", {})

    async def main() -> None:
        every = plain.Connections(handler, exchanges.Lost(), asyncio.Protocol)
        silent, head, body, idle, busy, slow = wires = [Wire(every) for _ in range(6)]
        body.hear(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")
        idle.hear(b"GET / HTTP/1.1\r\n\r\n")
        busy.hear(b"GET /long HTTP/1.1\r\n\r\n")
        slow.hear(b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n")
        for letter in b"GET / HTTP/1.1\r\nHost: 0123456789abcdef01":
            if head.open:
                head.hear(bytes((letter,)))
            slow.hear(b"x")
            await asyncio.sleep(30)
        assert [wire.open for wire in wires] == [False, False, False, False, True, True]
        assert idle.said.endswith(b"ok") and slow.said.endswith(b"ok") and not body.said
        await asyncio.sleep(3600)
        assert busy.said.endswith(b"ok") and not busy.open

    virtual.run(main)
