"""Carries requests over HTTP(S) on an event loop, with many connections.

Whole answers come over `connections`; streams, which are few and last, over aiohttp. For one-shot
commands `athanor.client.sync` is lighter: it imports no event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import cached_property
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from athanor.client.connections import Connections
from athanor.client.target import Target, context, identify, keep_alive, unreachable
from athanor.wire.request import Request, Response, Stream, folded
from athanor.wire.status import ApiError, from_response

_LOST = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class Http:
    """A Transport. `timeout` (seconds) bounds whole answers and the start of streams."""

    def __init__(self, target: Target, *, connections: int = 100, timeout: float = 60.0) -> None:
        self._target = target
        self._connections = connections
        self._timeout = timeout
        self._plain = Connections(target, lambda: self._tls, connections, timeout)
        self._session: aiohttp.ClientSession | None = None

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        return context(self._target)

    async def send(self, request: Request) -> Response:
        """The whole answer; failures are Responses too. Raises ApiError(ServiceUnavailable)."""
        try:
            return await self._plain.ask(request)
        except OSError as error:  # a timeout is one too
            raise unreachable(self._target, error) from error

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks. Raises ApiError when the server refuses or is not there."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._start(request)
                if answer.status >= 400:
                    body = await answer.read()
                    raise from_response(answer.status, body)
                connection = answer.connection  # None when the answer has come whole
                if connection is not None and connection.transport is not None:
                    keep_alive(connection.transport.get_extra_info("socket"))
        except _LOST as error:
            raise unreachable(self._target, _cause(error)) from error
        return Stream(
            chunks=self._chunks(answer),
            status=answer.status,
            content_type=answer.headers.get("Content-Type", ""),
            headers=folded(answer.headers.items()),
        )

    def show(self, target: Target) -> None:
        """Make new connections with the certificate of `target`. Raises ApiError."""
        if self._tls is not None and target.certificate:
            identify(self._tls, target)

    async def close(self) -> None:
        """Close all connections."""
        await self._plain.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _start(self, request: Request) -> aiohttp.client._RequestContextManager:
        if self._session is None:
            self._session = self._open()
        url = self._target.server.rstrip("/") + request.path
        if request.query:
            url += "?" + urlencode(request.query)
        return self._session.request(
            request.method,
            URL(url, encoded=True),
            headers=self._target.headers(request),
            data=request.body or None,
            allow_redirects=False,
            server_hostname=self._target.server_name or None,
        )

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=True if self._tls is None else self._tls, limit=self._connections, ttl_dns_cache=300
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=1 << 18,
            trust_env=False,
        )

    async def _chunks(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.content.iter_any():
                yield chunk
        except _LOST as error:
            raise ApiError(
                "ServiceUnavailable", f"the stream from {self._target.server} broke: {error}"
            ) from error
        finally:
            connection = answer.connection  # None when the answer has come whole
            if connection is not None and connection.transport is not None:
                connection.transport.abort()  # a server that hangs would not let TLS take leave
            answer.close()


def _cause(error: BaseException) -> Exception:
    """The error of the operating system or of TLS inside one of aiohttp's."""
    for inner in (
        getattr(error, "certificate_error", None),
        getattr(error, "os_error", None),
        error.__cause__,
    ):
        if isinstance(inner, OSError):
            return inner
    return error if isinstance(error, Exception) else Exception(str(error))
