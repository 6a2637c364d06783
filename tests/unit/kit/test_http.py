"""Serving: the short way and the long one, streams, limits, upgrades, passing on."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from athanor.kit import exchange as exchanges
from athanor.kit import plain
from athanor.kit.http import Exchange, HttpServer, Onward, TooLarge, Unreachable
from athanor.kit.plain import parse
from athanor.testing import virtual
from tests.unit.kit.serving import Line, World


async def _echo(exchange: Exchange) -> None:
    try:
        body = await exchange.body(1000)
    except TooLarge as error:
        await exchange.respond(413, str(error).encode(), "text/plain", {})
        return
    said = f"{exchange.method} {exchange.path} {list(exchange.query)} {body!r}"
    peer = exchange.peer
    headers = {"X-Peer": f"{peer.name}:{','.join(peer.organizations)}" if peer else "nobody"}
    await exchange.respond(200, said.encode(), "text/plain", headers)


def test_requests_on_one_connection_in_any_pieces(world: World) -> None:
    async def main() -> None:
        async with world.serving(_echo) as port:
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
        async with world.serving(_echo) as port:
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
        async with world.serving(_echo) as port:
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
        async with world.serving(_echo) as port:
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
        async with world.serving(_echo) as port:
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
                await HttpServer(_echo).start("127.0.0.1", port, None)
        with pytest.raises(OSError, match="is not an address of this machine"):
            await HttpServer(_echo).start("192.0.2.1", 0, None)

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


def _onward(world: World) -> Onward:
    return Onward(world.pki.authority.read_text(), str(world.me.certificate), str(world.me.key))


@pytest.mark.parametrize("chunked", [False, True])
def test_long_bodies_are_passed_on_as_they_come(world: World, *, chunked: bool) -> None:
    """Whoever answers has the first half before the client sends the second."""

    async def main() -> None:
        half, begun = b"x" * (5 << 20), asyncio.Event()
        limit = 2 * len(half)

        async def far(exchange: Exchange) -> None:
            size = 0
            async for piece in exchange.pieces(limit):
                begun.set()
                size += len(piece)
            said = f"{size} {exchange.headers.get('content-length', 'in chunks')}"
            await exchange.respond(200, said.encode(), "text/plain", {})

        onward = _onward(world)
        async with world.serving(far) as beyond:

            async def near(exchange: Exchange) -> None:
                url = f"https://127.0.0.1:{beyond}/"
                try:
                    await exchange.forward(onward, url, exchange.pieces(limit), {})
                except TooLarge as error:
                    await exchange.respond(413, str(error).encode(), "text/plain", {})

            async with world.serving(near) as port:
                line = await Line.open(world, port)
                said = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {limit}"
                line.send(f"PUT / HTTP/1.1\r\nHost: h\r\n{said}\r\n\r\n")
                head, tail = (b"%x\r\n" % len(half), b"\r\n") if chunked else (b"", b"")
                line.send(head + half + tail)
                async with asyncio.timeout(60):
                    await begun.wait()
                line.send(head + half + tail + (b"0\r\n\r\n" if chunked else b""))
                wanted = f"{limit} in chunks" if chunked else f"{limit} {limit}"
                assert await line.answer() == (200, wanted.encode())
                await line.close()
                line = await Line.open(world, port)
                line.send(f"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {limit + 1}\r\n\r\nx")
                assert (await line.answer())[0] == 413
                await line.close()
        await onward.close()

    asyncio.run(main())


def test_a_body_in_pieces_is_not_sent_a_second_time(world: World) -> None:
    async def main() -> None:
        async def far(exchange: Exchange) -> None:
            if exchange.path == "/":
                await exchange.respond(200, b"", "text/plain", {})
            elif exchange.transport is not None:
                exchange.transport.abort()

        onward = _onward(world)
        async with world.serving(far) as beyond:

            async def near(exchange: Exchange) -> None:
                url = f"https://127.0.0.1:{beyond}{exchange.path}"
                try:
                    await exchange.forward(onward, url, exchange.pieces(100), {})
                except Unreachable as error:
                    await exchange.respond(503, str(error).encode(), "text/plain", {})

            async with world.serving(near) as port:
                line = await Line.open(world, port)
                for path, status in (("/", 200), ("/cut", 503)):
                    line.send(f"PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
                    async with asyncio.timeout(60):
                        assert (await line.answer())[0] == status
                await line.close()
        await onward.close()

    asyncio.run(main())


def test_requests_are_passed_on_as_ourselves(world: World) -> None:
    async def main() -> None:
        seen: list[dict[str, str]] = []

        async def far(exchange: Exchange) -> None:
            seen.append(exchange.headers)
            await _echo(exchange)

        onward = _onward(world)
        async with world.serving(far) as beyond:

            async def near(exchange: Exchange) -> None:
                url = f"https://127.0.0.1:{beyond}/there?q=1"
                body = await exchange.body(100)
                try:
                    await exchange.forward(onward, url, body, {"X-Remote-User": "u"})
                except Unreachable as error:
                    await exchange.respond(503, str(error).encode(), "text/plain", {})

            async with world.serving(near) as port:
                line = await Line.open(world, port)
                ask = (
                    "POST /here HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\n"
                    "X-Kept: yes\r\nContent-Length: 2\r\n\r\nhi"
                )
                line.send(ask)
                assert await line.answer() == (200, b"POST /there [('q', '1')] b'hi'")
                assert seen[0]["x-remote-user"] == "u"
                assert seen[0]["x-kept"] == "yes"
                assert "authorization" not in seen[0]
                await line.close()
                beyond = 1
                line = await Line.open(world, port)
                line.send(ask)
                status, body = await line.answer()
                assert status == 503
                assert b"https://127.0.0.1:1 does not answer" in body
                await line.close()
        await onward.close()

    asyncio.run(main())


@pytest.mark.parametrize("way", ["short", "long"])
def test_an_answer_that_breaks_off_beyond_breaks_off_here(world: World, way: str) -> None:
    async def main() -> None:
        async def torn() -> AsyncIterator[bytes]:
            yield b"one"
            raise ConnectionResetError

        async def far(exchange: Exchange) -> None:
            await exchange.stream(200, torn(), "text/plain", {})

        onward = _onward(world)
        async with world.serving(far) as beyond:

            async def near(exchange: Exchange) -> None:
                await exchange.forward(onward, f"https://127.0.0.1:{beyond}/", b"", {})

            async with world.serving(near) as port:
                line = await Line.open(world, port)
                extra = "Expect: 100-continue\r\n" if way == "long" else ""
                line.send(f"GET / HTTP/1.1\r\nHost: h\r\n{extra}\r\n")
                assert (await line.head())[0] == 200
                assert await line.reader.read() == b"3\r\none\r\n", "no last chunk"
                await line.close()
        await onward.close()

    asyncio.run(main())


def test_websockets_are_passed_on_both_ways(world: World) -> None:
    async def main() -> None:
        async def far(exchange: Exchange) -> None:
            socket_ = await exchange.websocket(["v5.channel.k8s.io"])
            if socket_ is None:
                await exchange.respond(400, b"no common protocol", "text/plain", {})
                return
            while (message := await socket_.receive()) is not None:
                await socket_.send(message.upper())
            await socket_.close()

        onward = _onward(world)
        async with world.serving(far) as beyond:

            async def near(exchange: Exchange) -> None:
                await exchange.forward(onward, f"https://127.0.0.1:{beyond}/exec", b"", {})

            async with world.serving(near) as port, aiohttp.ClientSession() as session:
                url, tls = f"https://127.0.0.1:{port}/x", onward._trust("")
                async with session.ws_connect(
                    url, protocols=("v5.channel.k8s.io",), ssl=tls
                ) as socket_:
                    assert socket_.protocol == "v5.channel.k8s.io"
                    await socket_.send_bytes(b"\x00ls\n")
                    assert (await socket_.receive()).data == b"\x00LS\n"
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(url, protocols=("other",), ssl=tls)
                assert refused.value.status == 400
        await onward.close()

    asyncio.run(main())


def test_only_websockets_are_joined() -> None:
    class Bare(exchanges.Exchange):
        async def body(self, limit: int) -> bytes:
            return b""

        async def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            raise AssertionError

        async def stream(self, *_: object) -> None:  # type: ignore[override]
            raise AssertionError

    async def main() -> None:
        exchange = Bare("GET", "/", {"connection": "Upgrade", "upgrade": "SPDY/3.1"}, None)
        assert (exchange.remote, exchange.peer) == ("", None)
        assert await exchange.websocket(["x"]) is None
        with pytest.raises(Unreachable):
            await exchange.join(object())
        onward = Onward()
        with pytest.raises(Unreachable, match="does not answer"):
            await exchange.forward(onward, "https://127.0.0.1:1/", b"", {})
        await onward.close()

    asyncio.run(main())
