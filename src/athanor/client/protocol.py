"""The seam: a Transport carries a Request to an API server and brings its answer back."""

from __future__ import annotations

from typing import Protocol, TypeVar

from athanor.wire.calls import Call
from athanor.wire.request import Request, Response, Stream

T = TypeVar("T")


class Transport(Protocol):
    """Carries requests. Raises ApiError(ServiceUnavailable) when no server answers."""

    async def send(self, request: Request) -> Response:
        """The whole answer; failures are Responses too."""

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks (watch, log). Raises ApiError when the server refuses."""

    async def close(self) -> None:
        """Give connections back."""


class Client:
    """What controllers and the SDK hold: `await client(calls.get(Pod, "a", "default"))`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def __call__(self, call: Call[T]) -> T:
        """Send one call. Raises ApiError."""
        return call.read(await self.transport.send(call.request))
