"""Serves `handle` over HTTP(S): turns, request ids, errors, metrics, passing on to others."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from msgspec import Struct

from athanor.kit.http import Exchange, HttpServer, Onward, Peer, TooLarge, Unreachable
from athanor.local.apiserver.turns import Turns
from athanor.wire.request import Answer, Forward, Request, Response, Stream, User
from athanor.wire.status import ApiError

BODY = 3 * 1024 * 1024
"""Largest request body, in bytes (as kube-apiserver)."""
_LONG = frozenset(("exec", "attach", "portforward", "proxy"))
_READS = frozenset(("GET", "HEAD", "OPTIONS"))
_log = logging.getLogger(__name__)

Handle = Callable[[Request], Awaitable[Answer]]


class Limits(Struct, frozen=True, kw_only=True):
    """Requests answered at the same time (kube-apiserver's defaults); watches do not count.

    `queue`: how many more of one user wait for their turn.
    """

    reads: int = 400
    writes: int = 200
    queue: int = 500


class ApiHttp:
    """The listening API server."""

    def __init__(
        self, handle: Handle, *, limits: Limits | None = None, onward: Onward | None = None
    ) -> None:
        self._handle = handle
        limits = limits or Limits()
        self._reads = Turns(limits.reads, limits.reads // 2, limits.queue)
        self._writes = Turns(limits.writes, limits.writes // 2, limits.queue)
        self._onward = onward or Onward()
        self._server = HttpServer(self._serve)
        self._prefix, self._numbers = secrets.token_hex(6), itertools.count(1)
        self.long_running = 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; returns the port. Raises OSError that says why not."""
        return await self._server.start(host, port, tls)

    async def adopt(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Serve sockets that listen already."""
        await self._server.adopt(sockets, tls)

    async def close(self, grace: float = 1.0) -> None:
        """Stop listening and end all connections."""
        await self._server.close(grace)
        await self._onward.close()

    def in_flight(self) -> dict[tuple[str, ...], float]:
        """Requests being answered, by kind, for metrics."""
        return {
            ("readOnly",): self._reads.taken,
            ("mutating",): self._writes.taken,
            ("longRunning",): self.long_running,
        }

    def in_queue(self) -> dict[tuple[str, ...], float]:
        """Requests that wait for their turn, by kind, for metrics."""
        return {("readOnly",): self._reads.waiting, ("mutating",): self._writes.waiting}

    async def _serve(self, exchange: Exchange) -> None:
        if _long_running(exchange):
            self.long_running += 1
            try:
                await self._answer(exchange)
            finally:
                self.long_running -= 1
            return None
        turns = self._reads if exchange.method in _READS else self._writes
        flow = _flow(exchange)
        if not turns.take(flow) and not await turns.wait(flow):
            return await _busy(exchange)
        try:
            await self._answer(exchange)
        finally:
            turns.leave(flow)
        return None

    async def _answer(self, exchange: Exchange) -> None:
        ident = f"{self._prefix}-{next(self._numbers):x}"
        try:
            body = await exchange.body(BODY)
            request = _request(exchange, body, ident)
            answer = await self._handle(request)
        except TooLarge as error:
            too_large = ApiError("RequestEntityTooLarge", f"Request entity too large: {error}")
            answer = too_large.response()
        except ApiError as error:
            answer = error.response()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            _log.exception("request %s (%s %s) failed", ident, exchange.method, exchange.path)
            answer = _internal(ident).response()
        await self._send(exchange, answer, ident, body if isinstance(answer, Forward) else b"")

    async def _send(self, exchange: Exchange, answer: Answer, ident: str, body: bytes) -> None:
        if isinstance(answer, Response):
            headers = {"Audit-Id": ident, "Cache-Control": "no-cache, private", **answer.headers}
            await exchange.respond(answer.status, answer.body, answer.content_type, headers)
        elif isinstance(answer, Stream):
            headers = {"Audit-Id": ident, "Cache-Control": "no-cache, private", **answer.headers}
            await exchange.stream(answer.status, answer.chunks, answer.content_type, headers)
        else:
            try:
                await exchange.forward(self._onward, answer.url, body, answer.headers, answer.ca)
            except Unreachable as error:
                failed = ApiError("ServiceUnavailable", str(error)).response()
                await self._send(exchange, failed, ident, b"")


def _request(exchange: Exchange, body: bytes, ident: str) -> Request:
    headers = exchange.headers
    headers["audit-id"] = ident
    return Request(
        method=exchange.method,
        path=exchange.path,
        query=exchange.query,
        headers=headers,
        body=body,
        peer=_user(exchange.peer),
        remote=exchange.remote,
    )


@lru_cache(maxsize=1024)
def _user(peer: Peer | None) -> User | None:
    return None if peer is None else User(name=peer.name, groups=peer.organizations)


def _flow(exchange: Exchange) -> str:
    """Whose request this is, as far as can be told before anything is checked."""
    peer = exchange.peer
    if peer is not None:
        return peer.name
    return exchange.headers.get("authorization") or exchange.remote


def _long_running(exchange: Exchange) -> bool:
    """Watches, followed logs, and what is passed on for as long as somebody types."""
    for name, value in exchange.query:
        if name in ("watch", "follow") and value.lower() in ("1", "true"):
            return True
    if "/pods/" not in exchange.path and "/proxy" not in exchange.path:
        return False
    return not _LONG.isdisjoint(exchange.path.split("/")[5:])


async def _busy(exchange: Exchange) -> None:
    """Too much at once: come back in a second."""
    error = ApiError("TooManyRequests", "Too many requests, please try again later.", retry_after=1)
    answer = error.response()
    await exchange.respond(answer.status, answer.body, answer.content_type, answer.headers)


def _internal(ident: str) -> ApiError:
    return ApiError(
        "InternalError",
        f"this is a fault of the server, not of the request; its log has more under {ident}",
    )
