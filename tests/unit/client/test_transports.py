"""The three transports answer alike; what goes wrong on the way has words."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from athanor.client.http import Http
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.client.sync import SyncHttp
from athanor.client.target import Target, keep_alive
from athanor.kit.http import Exchange
from athanor.wire import calls
from athanor.wire.request import Answer, Forward, Request, Response, Stream, User
from athanor.wire.status import ApiError
from tests.unit.kit.serving import World


def _get(path: str) -> Request:
    return Request(method="GET", path=path, query=(("a", "b c"), ("a", "d")))


async def _serve(exchange: Exchange) -> None:
    """What the transports are asked for below."""
    if exchange.path == "/missing":
        error = ApiError("NotFound", 'pods "x" not found')
        said = error.response()
        await exchange.respond(said.status, said.body, said.content_type, said.headers)
    elif exchange.path == "/stream":

        async def chunks() -> AsyncIterator[bytes]:
            yield b"one\n"
            yield b"two\n"

        await exchange.stream(200, chunks(), "application/json", {})
    elif exchange.path == "/forever":

        async def forever() -> AsyncIterator[bytes]:
            yield b"begun\n"
            await asyncio.Event().wait()

        await exchange.stream(200, forever(), "application/json", {})
    else:
        peer = exchange.peer
        said_ = f"{exchange.method} {list(exchange.query)} {await exchange.body(99)!r} "
        said_ += f"{exchange.headers.get('authorization')} {peer.name if peer else None}"
        await exchange.respond(200, said_.encode(), "text/plain", {"X-Y": "z"})


EXPECTED = b"GET [('a', 'b c'), ('a', 'd')] b'' None me"


def test_http(world: World) -> None:
    async def main() -> None:
        async with world.serving(_serve) as port:
            transport = Http(world.target(port))
            answer = await transport.send(_get("/"))
            assert (answer.status, answer.body) == (200, EXPECTED)
            assert (answer.content_type, answer.headers["x-y"]) == ("text/plain", "z")
            assert (await transport.send(_get("/missing"))).status == 404
            stream = await transport.stream(_get("/stream"))
            assert b"".join([chunk async for chunk in stream.chunks]) == b"one\ntwo\n"
            with pytest.raises(ApiError, match='pods "x" not found') as missing:
                await transport.stream(_get("/missing"))
            assert missing.value.reason == "NotFound"
            with pytest.raises(ApiError, match="not found"):
                await Client(transport)(calls.raw("GET", "/missing"))
            stream = await transport.stream(_get("/forever"))
            assert await anext(stream.chunks) == b"begun\n"
            await transport.close()
            token = Http(Target(server=f"https://127.0.0.1:{port}", token="t", insecure=True))
            assert (await token.send(_get("/"))).body.endswith(b"Bearer t None")
            await token.close()

    asyncio.run(main())


class _Elsewhere:
    """The server runs on an event loop in another thread, as for a one-shot command."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> _Elsewhere:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self._world.serving(_serve) as self.port:
            self._ready.set()
            await self._over.wait()


def test_sync(world: World) -> None:
    with _Elsewhere(world) as server:
        transport = SyncHttp(world.target(server.port))
        answer = transport.send(_get("/"))
        assert (answer.status, answer.body, answer.headers["x-y"]) == (200, EXPECTED, "z")
        post = calls.raw("POST", "/", body={"a": 1}).request
        assert b"POST [] b'{\"a\":1}'" in transport.send(post).body
        with pytest.raises(ApiError, match='pods "x" not found'):
            transport(calls.raw("GET", "/missing"))
        stream = transport.stream(_get("/stream"))
        assert b"".join(stream) == b"one\ntwo\n"
        stream.close()
        with pytest.raises(ApiError, match="not found"):
            transport.stream(_get("/missing"))
        transport.close()


def test_a_sync_stream_can_be_closed_while_another_thread_reads(world: World) -> None:
    with _Elsewhere(world) as server:
        transport = SyncHttp(world.target(server.port))
        stream = transport.stream(_get("/forever"))
        seen: list[bytes] = []
        begun = threading.Event()

        def read() -> None:
            for chunk in stream:
                seen.append(chunk)
                begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        begun.wait()
        assert transport.send(_get("/")).status == 200
        stream.close()
        reader.join()
        assert seen == [b"begun\n"]
        transport.close()


def test_the_kernel_sees_to_it_that_streams_from_machines_that_are_gone_break(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []

    def kept(one: socket.socket) -> None:
        keep_alive(one)
        made.append(one)

    monkeypatch.setattr("athanor.client.http.keep_alive", kept)
    monkeypatch.setattr("athanor.client.sync.keep_alive", kept)

    async def main() -> None:
        async with world.serving(_serve) as port:
            transport = Http(world.target(port))
            forever = await transport.stream(_get("/forever"))
            assert await anext(forever.chunks) == b"begun\n"
            stream = await asyncio.to_thread(SyncHttp(world.target(port)).stream, _get("/forever"))
            for one in made:
                assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
            assert len(made) == 2
            stream.close()
            await transport.close()

    asyncio.run(main())


def test_sync_finds_its_way_back_after_a_restart(world: World) -> None:
    transport: SyncHttp | None = None
    with _Elsewhere(world) as server:
        transport = SyncHttp(world.target(server.port))
        assert transport.send(_get("/")).status == 200
        port = server.port
    with pytest.raises(ApiError, match=f"no connection to https://127.0.0.1:{port}") as gone:
        transport.send(_get("/"))
    assert gone.value.reason == "ServiceUnavailable"
    transport.close()


def test_nobody_there_and_nobody_trusted(world: World) -> None:
    async def main() -> None:
        async with world.serving(_serve) as port:
            stranger = Target(server=f"https://127.0.0.1:{port}")
            nobody = Target(server="https://127.0.0.1:1")
            for target, why in ((stranger, "is not trusted"), (nobody, "nothing listens there")):
                transport = Http(target)
                with pytest.raises(ApiError, match=why):
                    await transport.send(_get("/"))
                with pytest.raises(ApiError, match=why):
                    await transport.stream(_get("/"))
                await transport.close()
                for ask in (SyncHttp(target).send, SyncHttp(target).stream):
                    with pytest.raises(ApiError, match=why):
                        await asyncio.to_thread(ask, _get("/"))
            broken = Target(server=f"https://127.0.0.1:{port}", certificate="x", key="y")
            with pytest.raises(ApiError, match="cannot be used"):
                await Http(broken).send(_get("/"))
            await asyncio.sleep(0.05)  # the server hears that its handshakes have failed

    asyncio.run(main())


async def _handle(request: Request) -> Answer:
    if request.path == "/missing":
        raise ApiError("NotFound", "no")
    if request.path == "/stream":

        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return Stream(chunks=chunks())
    if request.path == "/away":
        return Forward(url="https://node:10250/logs?tail=1", headers={"x-user": "u"})
    return Response(body=f"{request.peer.name if request.peer else None}".encode())


def test_in_process() -> None:
    async def backend(request: Request) -> Answer:
        said = f"{request.path} {list(request.query)} {request.headers['x-user']}"
        return Response(body=said.encode())

    async def main() -> None:
        transport = InProcess(_handle, user=User(name="me"), backends={"node:10250": backend})
        assert (await transport.send(_get("/"))).body == b"me"
        assert (await transport.send(_get("/missing"))).status == 404
        assert (await transport.send(_get("/stream"))).body == b"onetwo"
        assert (await transport.send(_get("/away"))).body == b"/logs [('tail', '1')] u"
        stream = await transport.stream(_get("/"))
        assert [chunk async for chunk in stream.chunks] == [b"me"]
        with pytest.raises(ApiError):
            await transport.stream(_get("/missing"))
        lonely = InProcess(_handle)
        assert (await lonely.send(_get("/away"))).status == 503
        await transport.close()

    asyncio.run(main())


def test_tokens_are_read_from_their_file_each_time(tmp_path: Any) -> None:
    file = tmp_path / "token"
    target = Target(server="https://h", token_file=str(file))
    with pytest.raises(ApiError, match="cannot be read"):
        target.headers(_get("/"))
    for token in ("one", "two"):
        file.write_text(token + "\n")
        assert target.headers(_get("/"))["authorization"] == f"Bearer {token}"
    own = Request(method="GET", path="/", headers={"authorization": "Bearer mine"})
    assert target.headers(own)["authorization"] == "Bearer mine"


def test_one_shot_commands_import_no_event_loop() -> None:
    code = (
        "import sys, athanor.client.sync, athanor.client.kubeconfig;"
        "print([m for m in ('aiohttp', 'asyncio', 'cryptography') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert said.stdout.strip() == b"[]"
