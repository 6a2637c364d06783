"""Both drivers carry the same operations out, streams and errors included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from athanor.sdk.drive import SyncDriver
from athanor.sdk.drive_async import AsyncDriver
from athanor.sdk.steps import Op, ask, close, emit, now, open_, receive, sleep
from athanor.wire import calls
from athanor.wire.request import Request, Response, Stream
from athanor.wire.status import ApiError

PARTS = [b"one", b"two", b"three"]


class Chunks:
    def __iter__(self) -> Iterator[bytes]:
        return iter(PARTS)

    def close(self) -> None:
        """Nothing is held."""


class Blocking:
    def send(self, request: Request) -> Response:
        if request.path == "/missing":
            return ApiError("NotFound", "nothing there").response()
        return Response(body=b'{"path":"' + request.path.encode() + b'"}')

    def stream(self, request: Request) -> Chunks:
        if request.path == "/refused":
            raise ApiError("BadRequest", "not yet")
        return Chunks()

    def close(self) -> None:
        """Nothing is held."""


class Awaited:
    async def send(self, request: Request) -> Response:
        return Blocking().send(request)

    async def stream(self, request: Request) -> Stream:
        Blocking().stream(request)

        async def chunks() -> AsyncIterator[bytes]:
            for part in PARTS:
                yield part

        return Stream(chunks=chunks())

    async def close(self) -> None:
        """Nothing is held."""


def story() -> Op[str]:
    """One of everything."""
    answer = yield from ask(calls.raw("GET", "/a"))
    before = yield from now()
    yield from sleep(0)
    assert (yield from now()) >= before
    try:
        yield from ask(calls.raw("GET", "/missing"))
    except ApiError as error:
        yield from emit(error.reason)
    try:
        yield from open_(Request(method="GET", path="/refused"))
    except ApiError as error:
        yield from emit(error.reason)
    handle = yield from open_(Request(method="GET", path="/s"))
    while True:
        arrival = yield from receive(5)
        assert arrival is not None
        assert arrival.handle == handle
        if arrival.chunk is None:
            break
        yield from emit(arrival.chunk)
    assert (yield from receive(0.01)) is None
    other = yield from open_(Request(method="GET", path="/s"))
    assert other != handle
    yield from close(other)
    return str(answer["path"])


EMITTED = ["NotFound", "BadRequest", *PARTS]


def test_the_blocking_driver() -> None:
    driver = SyncDriver(Blocking())
    assert driver.run(story()) == "/a"
    assert list(driver.iterate(story())) == EMITTED


def test_the_driver_of_an_event_loop() -> None:
    async def main() -> None:
        driver = AsyncDriver(Awaited())
        assert await driver.run(story()) == "/a"
        assert [value async for value in driver.iterate(story())] == EMITTED

    asyncio.run(main())


def test_an_error_nobody_expects_ends_the_operation() -> None:
    def one() -> Op[None]:
        yield from ask(calls.raw("GET", "/missing"))

    with pytest.raises(ApiError, match="nothing there"):
        SyncDriver(Blocking()).run(one())
