"""What an operation may ask its driver for, as values; an operation is a generator of these.

So no operation exists twice: `drive` carries the steps out with or without an event loop.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

from msgspec import Struct

from athanor.wire.calls import Call
from athanor.wire.request import Request
from athanor.wire.status import ApiError

T = TypeVar("T")


class Open(Struct, frozen=True):
    """Open a stream (a watch, a followed log). The reply is its handle, or an ApiError raised."""

    request: Request


class Receive(Struct, frozen=True):
    """The next `Arrival` on any open stream, or None after `timeout` seconds."""

    timeout: float | None = None


class Sleep(Struct, frozen=True):
    """Wait; what arrives meanwhile is kept."""

    seconds: float


class Close(Struct, frozen=True):
    """Close a stream; nothing more arrives on it."""

    handle: int


class Now(Struct, frozen=True):
    """Seconds on a clock that never goes back."""


class Emit(Struct, Generic[T], frozen=True):
    """Hand a value to whoever iterates over the operation."""

    value: T


class Arrival(Struct, frozen=True):
    """Bytes of a stream; `chunk` is None at its end, `error` set when it broke."""

    handle: int
    chunk: bytes | None
    error: ApiError | None = None


Step = Call[Any] | Open | Receive | Sleep | Close | Now | Emit[Any]

Op = Generator[Step, Any, T]
"""An operation that returns T (and may emit values on its way)."""


def ask(call: Call[T]) -> Op[T]:
    """Send one call: `thing = yield from ask(calls.get(…))`. Raises ApiError."""
    answer: T = yield call
    return answer


def open_(request: Request) -> Op[int]:
    """Open a stream and return its handle. Raises ApiError when the server refuses."""
    handle: int = yield Open(request)
    return handle


def receive(timeout: float | None = None) -> Op[Arrival | None]:
    """The next arrival on any open stream, or None after `timeout` seconds."""
    arrival: Arrival | None = yield Receive(timeout)
    return arrival


def sleep(seconds: float) -> Op[None]:
    """Wait; what arrives meanwhile is kept."""
    yield Sleep(seconds)


def close(handle: int) -> Op[None]:
    """Close a stream; nothing more arrives on it."""
    yield Close(handle)


def emit(value: object) -> Op[None]:
    """Hand a value to whoever iterates over the operation."""
    yield Emit(value)


def now() -> Op[float]:
    """Seconds on a clock that never goes back."""
    seconds: float = yield Now()
    return seconds
