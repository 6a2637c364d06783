"""Carries an operation's steps out with blocking calls; each open stream has its own thread.

The twin for an event loop is `drive_async`; both run the same operations. Imports no asyncio: a
one-shot command has no time for it.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any, Protocol, TypeVar

from athanor.kit.clock import Clock, SystemClock
from athanor.sdk.steps import Arrival, Close, Emit, Op, Open, Receive, Sleep, Step
from athanor.wire.calls import Call
from athanor.wire.request import Request, Response
from athanor.wire.status import ApiError

T = TypeVar("T")

_BACKLOG = 256
"""Arrivals that may wait unread; a faster sender waits."""


class SyncStream(Protocol):
    """An answer that comes in chunks, without an event loop."""

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, as they come."""

    def close(self) -> None:
        """End the stream; an iteration in another thread stops."""


class SyncTransport(Protocol):
    """Carries requests without an event loop; see `athanor.client.protocol.Transport`."""

    def send(self, request: Request) -> Response:
        """The whole answer; failures are Responses too."""

    def stream(self, request: Request) -> SyncStream:
        """An answer in chunks. Raises ApiError when the server refuses."""

    def close(self) -> None:
        """Give connections back."""


class SyncDriver:
    """Carries steps out with blocking calls; each open stream has a thread of its own."""

    def __init__(self, transport: SyncTransport, clock: Clock | None = None) -> None:
        self.transport = transport
        self._clock = clock or SystemClock()
        self._handles = itertools.count(1)

    def run(self, op: Op[T]) -> T:
        """The operation's value; what it emits is dropped. Raises ApiError."""
        steps = self._steps(op)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                value: T = end.value
                return value

    def iterate(self, op: Op[Any]) -> Iterator[Any]:
        """The values the operation emits. Raises ApiError."""
        return self._steps(op)

    def close(self) -> None:
        """Give connections back."""
        self.transport.close()

    def _steps(self, op: Op[T]) -> Generator[Any, None, T]:
        mailbox: queue.Queue[Arrival] = queue.Queue(_BACKLOG)
        streams: dict[int, SyncStream] = {}
        reply: Any = None
        error: ApiError | None = None
        try:
            while True:
                try:
                    step = op.throw(error) if error else op.send(reply)
                except StopIteration as end:
                    value: T = end.value
                    return value
                reply, error = None, None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    reply = self._one(step, streams, mailbox)
                except ApiError as failed:
                    error = failed
        finally:
            op.close()
            for stream in streams.values():
                stream.close()

    def _one(
        self, step: Step, streams: dict[int, SyncStream], mailbox: queue.Queue[Arrival]
    ) -> Any:
        if isinstance(step, Call):
            return step.read(self.transport.send(step.request))
        if isinstance(step, Open):
            handle = next(self._handles)
            streams[handle] = stream = self.transport.stream(step.request)
            threading.Thread(target=_pump, args=(handle, stream, mailbox), daemon=True).start()
            return handle
        if isinstance(step, Receive):
            return _take(mailbox, streams, step.timeout)
        if isinstance(step, Sleep):
            return time.sleep(step.seconds)
        if isinstance(step, Close):
            if (closing := streams.pop(step.handle, None)) is not None:
                closing.close()
            return None
        return self._clock.monotonic()


def _pump(handle: int, stream: SyncStream, mailbox: queue.Queue[Arrival]) -> None:
    error: ApiError | None = None
    try:
        for chunk in stream:
            mailbox.put(Arrival(handle, chunk))
    except ApiError as failed:
        error = failed
    except (OSError, ValueError, AttributeError) as failed:  # closed under the reader
        error = ApiError("ServiceUnavailable", f"the stream broke: {failed}")
    mailbox.put(Arrival(handle, None, error))


def _take(
    mailbox: queue.Queue[Arrival], streams: dict[int, SyncStream], timeout: float | None
) -> Arrival | None:
    while True:
        try:
            arrival = mailbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if arrival.handle not in streams:
            continue  # closed meanwhile
        if arrival.chunk is None:
            streams.pop(arrival.handle).close()
        return arrival
