"""Carries an operation's steps out on the running event loop; each stream has its own task.

The twin without an event loop is `drive`; both run the same operations.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from athanor.client.protocol import Transport
from athanor.kit.clock import Clock
from athanor.sdk.steps import Arrival, Close, Emit, Op, Open, Receive, Sleep, Step
from athanor.wire.calls import Call
from athanor.wire.request import Stream
from athanor.wire.status import ApiError

T = TypeVar("T")

_BACKLOG = 256
"""Arrivals that may wait unread; a faster sender waits."""


class AsyncDriver:
    """Carries steps out on the running event loop; each open stream has a task of its own."""

    def __init__(self, transport: Transport, clock: Clock | None = None) -> None:
        self.transport = transport
        self._clock = clock
        self._handles = itertools.count(1)

    async def run(self, op: Op[T]) -> T:
        """The operation's value; what it emits is dropped. Raises ApiError."""
        done: list[T] = []
        async for _ in self._steps(op, done):
            pass
        return done[0]

    def iterate(self, op: Op[Any]) -> AsyncIterator[Any]:
        """The values the operation emits. Raises ApiError."""
        return self._steps(op, [])

    async def close(self) -> None:
        """Give connections back."""
        await self.transport.close()

    async def _steps(self, op: Op[T], done: list[T]) -> AsyncIterator[Any]:
        mailbox: asyncio.Queue[Arrival] = asyncio.Queue(_BACKLOG)
        tasks: dict[int, asyncio.Task[None]] = {}
        reply: Any = None
        error: ApiError | None = None
        try:
            while True:
                try:
                    step = op.throw(error) if error else op.send(reply)
                except StopIteration as end:
                    done.append(end.value)
                    return
                reply, error = None, None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    reply = await self._one(step, tasks, mailbox)
                except ApiError as failed:
                    error = failed
        finally:
            op.close()
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _one(
        self, step: Step, tasks: dict[int, asyncio.Task[None]], mailbox: asyncio.Queue[Arrival]
    ) -> Any:
        if isinstance(step, Call):
            return step.read(await self.transport.send(step.request))
        if isinstance(step, Open):
            handle = next(self._handles)
            stream = await self.transport.stream(step.request)
            tasks[handle] = asyncio.create_task(_apump(handle, stream, mailbox))
            return handle
        if isinstance(step, Receive):
            return await _atake(mailbox, tasks, step.timeout)
        if isinstance(step, Sleep):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Close):
            if (closing := tasks.pop(step.handle, None)) is not None:
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
            return None
        clock = self._clock
        return clock.monotonic() if clock else asyncio.get_running_loop().time()


class BriefDriver:
    """Opens a transport for each operation and closes it after: none is left to be closed."""

    def __init__(self, opened: Callable[[], Transport]) -> None:
        self.opened = opened

    async def run(self, op: Op[T]) -> T:
        """The operation's value; what it emits is dropped. Raises ApiError."""
        driver = AsyncDriver(self.opened())
        try:
            return await driver.run(op)
        finally:
            await driver.close()

    async def iterate(self, op: Op[object]) -> AsyncIterator[object]:
        """The values the operation emits. Raises ApiError."""
        driver = AsyncDriver(self.opened())
        try:
            async for value in driver.iterate(op):
                yield value
        finally:
            await driver.close()


async def _apump(handle: int, stream: Stream, mailbox: asyncio.Queue[Arrival]) -> None:
    error: ApiError | None = None
    try:
        async for chunk in stream.chunks:
            await mailbox.put(Arrival(handle, chunk))
    except ApiError as failed:
        error = failed
    finally:
        closing = getattr(stream.chunks, "aclose", None)
        if closing is not None:
            with contextlib.suppress(RuntimeError):
                await closing()
    await mailbox.put(Arrival(handle, None, error))


async def _atake(
    mailbox: asyncio.Queue[Arrival], tasks: dict[int, asyncio.Task[None]], seconds: float | None
) -> Arrival | None:
    while True:
        try:
            arrival = await asyncio.wait_for(mailbox.get(), seconds)
        except TimeoutError:
            return None
        if arrival.handle not in tasks:
            continue  # closed meanwhile
        if arrival.chunk is None:
            tasks.pop(arrival.handle)
        return arrival
