"""Connections are used again while they can be; a request is sent again only where that is safe."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from athanor.client import connections
from athanor.client.answers import Reading
from athanor.client.http import Http
from athanor.client.target import Target
from athanor.wire.request import Request
from athanor.wire.status import ApiError

Play = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def _server(play: Play) -> AsyncIterator[str]:
    """A server that plays the given part; its connections are numbered from 1."""
    count = 0

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await play(count, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base/"


def _ask(method: str = "GET", path: str = "/", body: bytes = b"") -> Request:
    return Request(method=method, path=path, body=body)


async def _heads(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def test_one_connection_carries_one_request_after_the_other() -> None:
    seen: list[tuple[int, str]] = []

    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append((number, (await _heads(reader)).splitlines()[0]))
            writer.write(OK)

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server))
            for path in ("/a", "/b c\r\nX: y"):
                assert (await http.send(_ask(path=path))).body == b"ok"
            both = await asyncio.gather(http.send(_ask()), http.send(_ask()))
            assert [answer.status for answer in both] == [200, 200]
            await http.close()

    asyncio.run(main())
    assert seen[:2] == [(1, "GET /base/a HTTP/1.1"), (1, "GET /base/b%20c%0D%0AX:%20y HTTP/1.1")]
    assert sorted(number for number, _ in seen[2:]) == [1, 2]


def test_no_more_connections_than_allowed() -> None:
    numbers: list[int] = []

    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _heads(reader):
            numbers.append(number)
            await asyncio.sleep(0)
            writer.write(OK)

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server), connections=2)
            await asyncio.gather(*(http.send(_ask()) for _ in range(9)))
            await http.close()

    asyncio.run(main())
    assert len(numbers) == 9
    assert set(numbers) == {1, 2}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_the_server_ends_an_idle_connection_as_the_next_request_comes(method: str) -> None:
    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _heads(reader)
        writer.write(OK)
        if number == 1:
            await _heads(reader)  # and nothing is said to it
            return
        await reader.read()

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server))
            assert (await http.send(_ask(method))).status == 200
            if method == "PATCH":  # who knows whether it was done
                with pytest.raises(ApiError, match="closed the connection"):
                    await http.send(_ask(method))
            else:
                assert (await http.send(_ask(method))).status == 200
            await http.close()

    asyncio.run(main())


def test_idle_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _heads(reader)
        writer.write(OK)
        assert await reader.read() == b""
        ended.set()

    async def main() -> None:
        monkeypatch.setattr(connections, "IDLE", 0.01)
        async with _server(play) as server:
            http = Http(Target(server=server))
            await http.send(_ask())
            await ended.wait()
            await http.close()

    asyncio.run(main())


def test_who_does_not_wait_for_the_answer_leaves_no_connection_behind() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _heads(reader)
        if number > 1:
            writer.write(OK)
        else:
            asked.set()
        assert await reader.read() == b""
        left.set()

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server))
            hasty = asyncio.create_task(http.send(_ask()))
            await asked.wait()
            hasty.cancel()
            await left.wait()
            assert (await http.send(_ask())).body == b"ok"
            await http.close()

    asyncio.run(main())


def test_nothing_of_an_answer_stays() -> None:
    async def play(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _heads(reader)
        writer.write(OK)
        await reader.read()

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server))
            gc.collect(0)
            gc.disable()
            try:
                assert (await http.send(_ask())).body == b"ok"
                made = gc.get_objects(generation=0)
                assert not [one for one in made if isinstance(one, Reading)]
            finally:
                gc.enable()
            await http.close()

    asyncio.run(main())


def test_no_answer_in_time() -> None:
    async def play(_: int, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await reader.read()

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server), timeout=0.02)
            with pytest.raises(ApiError, match="no answer in time"):
                await http.send(_ask())
            await http.close()

    asyncio.run(main())


def test_who_waits_for_room_or_comes_after_others_is_late_as_well() -> None:
    numbers: list[int] = []

    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while "/never" not in await _heads(reader):
            numbers.append(number)
            writer.write(OK)
        await reader.read()

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server), connections=1, timeout=0.5)
            await http.send(_ask())
            late = [http.send(_ask(path="/never")), http.send(_ask(path="/never"))]
            for problem in await asyncio.gather(*late, return_exceptions=True):
                assert isinstance(problem, ApiError) and "no answer in time" in problem.message
            await http.send(_ask())
            await http.close()

    asyncio.run(main())
    assert numbers[0] == 1 and numbers[1] > 1


def test_answers_are_late_on_another_loop_as_well() -> None:
    async def main() -> None:
        with pytest.raises(ApiError, match="no answer in time"):
            await http.send(_ask())

    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = Http(Target(server=f"http://127.0.0.1:{silent.getsockname()[1]}"), timeout=0.1)
        asyncio.run(main())
        asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "closed the connection"),
        (OK[:-1], "closed the connection"),
        (b"220 mail\r\n\r\n", "not HTTP/1.1"),
    ],
)
def test_a_server_that_does_not_answer(said: bytes, why: str) -> None:
    async def play(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _heads(reader)
        writer.write(said)

    async def main() -> None:
        async with _server(play) as server:
            http = Http(Target(server=server))
            with pytest.raises(ApiError, match=why) as problem:
                await http.send(_ask())
            assert problem.value.reason == "ServiceUnavailable"
            await http.close()

    asyncio.run(main())


def test_a_header_cannot_begin_another() -> None:
    async def main() -> None:
        http = Http(Target(server="http://127.0.0.1:1"))
        with pytest.raises(ValueError, match="line break"):
            await http.send(Request(method="GET", path="/", headers={"a": "b\r\nc: d"}))

    asyncio.run(main())
