"""Passing on: requests, bodies as they come, WebSockets; answers that break off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from athanor.kit import exchange as exchanges
from athanor.kit.http import Exchange, Onward, TooLarge, Unreachable
from tests.unit.kit.serving import Line, World, echo


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
            await echo(exchange)

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
