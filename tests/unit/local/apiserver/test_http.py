"""The listening server around `handle`: limits, faults, ids, passing on."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from athanor.kit.http import Onward
from athanor.local.apiserver.http import ApiHttp, Limits
from athanor.wire.request import Answer, Forward, Request, Response
from tests.unit.kit.serving import Line, World, world

__all__ = ["world"]

Handle = Callable[[Request], Awaitable[Answer]]


@asynccontextmanager
async def _serving(
    world: World, handle: Handle, limits: Limits | None = None
) -> AsyncIterator[tuple[ApiHttp, int]]:
    onward = Onward(world.pki.authority.read_text())
    server = ApiHttp(handle, limits=limits, onward=onward)
    port = await server.start("127.0.0.1", 0, world.tls())
    try:
        yield server, port
    finally:
        await server.close()


async def _ask(line: Line, request: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    line.send(f"{request} HTTP/1.1\r\nHost: h\r\n{length}\r\n".encode() + body)
    status, headers = await line.head()
    return status, headers, await line.reader.readexactly(int(headers["content-length"]))


def test_a_request_arrives_whole(world: World) -> None:
    async def main() -> None:
        seen: list[Request] = []

        async def handle(request: Request) -> Answer:
            seen.append(request)
            return Response(status=201, body=b"{}", headers={"Warning": "299 - a\nb"})

        async with _serving(world, handle) as (_, port):
            line = await Line.open(world, port)
            status, headers, _ = await _ask(line, "POST /api/v1/pods?dryRun=All", b"hi")
            assert status == 201
            assert headers["warning"] == "299 - a b"
            assert headers["cache-control"] == "no-cache, private"
            (request,) = seen
            assert (request.method, request.path, request.body) == ("POST", "/api/v1/pods", b"hi")
            assert request.param("dryRun") == "All"
            assert request.peer is not None
            assert (request.peer.name, request.peer.groups) == ("me", ("a", "b"))
            assert request.remote == "127.0.0.1"
            assert headers["audit-id"] == request.headers["audit-id"]
            await line.close()

    asyncio.run(main())


def test_a_body_that_is_too_long(world: World) -> None:
    async def main() -> None:
        async def handle(request: Request) -> Answer:
            return Response()

        async with _serving(world, handle) as (_, port):
            line = await Line.open(world, port)
            status, _, body = await _ask(line, "POST /x", b"x" * (3 * 1024 * 1024 + 1))
            said = json.loads(body)
            assert (status, said["reason"]) == (413, "RequestEntityTooLarge")
            assert said["message"] == "Request entity too large: limit is 3145728"
            await line.close()

    asyncio.run(main())


def test_a_fault_is_an_answer_without_a_traceback(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async def handle(request: Request) -> Answer:
            raise KeyError("inside")

        async with _serving(world, handle) as (_, port):
            line = await Line.open(world, port)
            status, headers, body = await _ask(line, "GET /x")
            said = json.loads(body)
            assert (status, said["reason"]) == (500, "InternalError")
            assert headers["audit-id"] in said["message"]
            assert "inside" not in said["message"]
            assert headers["audit-id"] in caplog.text
            await line.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("held", "refused", "passed"),
    [
        ("GET /a", "GET /b", "POST /b"),
        ("POST /a", "PATCH /b", "GET /b"),
        ("GET /a?watch=1", "", "GET /b"),
        ("GET /api/v1/namespaces/n/pods/p/exec", "", "GET /b"),
        ("GET /api/v1/namespaces/n/pods/p/log?follow=true", "", "GET /b"),
    ],
)
def test_requests_at_the_same_time_are_limited(
    world: World, held: str, refused: str, passed: str
) -> None:
    async def main() -> None:
        inside, go = asyncio.Event(), asyncio.Event()

        async def handle(request: Request) -> Answer:
            if request.path != "/b":
                inside.set()
                await go.wait()
            return Response(body=b"ok")

        async with _serving(world, handle, Limits(reads=1, writes=1, queue=0)) as (server, port):
            first, second = await Line.open(world, port), await Line.open(world, port)
            first.send(f"{held} HTTP/1.1\r\nHost: h\r\n\r\n")
            await inside.wait()
            assert sum(server.in_flight().values()) == 1
            if refused:
                status, headers, body = await _ask(second, refused)
                assert (status, headers["retry-after"]) == (429, "1")
                assert json.loads(body)["reason"] == "TooManyRequests"
            assert (await _ask(second, passed))[0] == 200
            go.set()
            assert (await first.answer())[0] == 200
            assert sum(server.in_flight().values()) == 0
            await first.close()
            await second.close()

    asyncio.run(main())


def test_passing_on_to_nobody(world: World) -> None:
    async def main() -> None:
        async def handle(request: Request) -> Answer:
            return Forward(url="https://127.0.0.1:1/containerLogs/a/b/c")

        async with _serving(world, handle) as (_, port):
            line = await Line.open(world, port)
            status, _, body = await _ask(line, "GET /x")
            assert (status, json.loads(body)["reason"]) == (503, "ServiceUnavailable")
            await line.close()

    asyncio.run(main())


def test_a_flood_of_one_user_starves_nobody(world: World) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handle(request: Request) -> Answer:
            if request.headers.get("authorization"):
                await go.wait()
            return Response(body=b"ok")

        async with _serving(world, handle, Limits(reads=4, writes=4, queue=1)) as (server, port):
            flood = []
            for _ in range(4):
                settings = ssl.create_default_context(cafile=str(world.pki.authority))
                line = Line(*await asyncio.open_connection("127.0.0.1", port, ssl=settings))
                line.send("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n")
                flood.append(line)
            answers = [asyncio.ensure_future(line.answer()) for line in flood]
            refused, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            assert [answer.result()[0] for answer in refused] == [429]
            assert sum(server.in_queue().values()) == 1
            person = await Line.open(world, port)
            assert (await _ask(person, "GET /b"))[0] == 200
            go.set()
            assert sorted([(await answer)[0] for answer in answers]) == [200, 200, 200, 429]
            for line in (person, *flood):
                await line.close()

    asyncio.run(main())
