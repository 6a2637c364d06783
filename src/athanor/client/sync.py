"""Carries requests over HTTP(S) with blocking calls: for one-shot commands.

Standard library only: importing the asynchronous client takes longer than most commands.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from athanor.client.target import Target, context, keep_alive, unreachable
from athanor.wire.calls import Call
from athanor.wire.request import Request, Response, folded
from athanor.wire.status import ApiError, from_response

T = TypeVar("T")
_CHUNK = 1 << 16
_LOST = (OSError, http.client.HTTPException)


class SyncStream:
    """An answer in chunks, as they come. `close` may be called from another thread."""

    def __init__(
        self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, server: str
    ) -> None:
        self.status = answer.status
        self.headers = folded(answer.getheaders())
        self._connection = connection
        self._socket = connection.sock
        self._answer = answer
        self._server = server
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        """The chunks. Raises ApiError(ServiceUnavailable) when the connection breaks."""
        while not self._closed:
            try:
                chunk = self._answer.read1(_CHUNK)
            except (*_LOST, ValueError, AttributeError) as error:
                if self._closed:
                    return
                raise ApiError(
                    "ServiceUnavailable", f"the stream from {self._server} broke: {error}"
                ) from error
            if not chunk:
                return
            yield chunk

    def close(self) -> None:
        """End the stream; a read in another thread ends with it."""
        self._closed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # the other side was faster
            pass
        finally:
            self._connection.close()


class SyncHttp:
    """A blocking transport with one connection, kept open; streams have their own.

    `timeout` (seconds) bounds each wait for the server; streams wait as long as it takes.
    """

    def __init__(self, target: Target, *, timeout: float = 60.0) -> None:
        self._target = target
        self._address = urlsplit(target.server)
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self.told: Callable[[str], None] = lambda line: None
        """Hears of every request: method, address, status, time."""

    def __call__(self, call: Call[T]) -> T:
        """Send one call. Raises ApiError."""
        return call.read(self.send(call.request))

    def send(self, request: Request) -> Response:
        """The whole answer; failures are Responses too. Raises ApiError(ServiceUnavailable)."""
        with self._lock:
            reused = self._connection is not None
            try:
                return self._exchange(request)
            except _LOST as error:
                self._drop()
                if not reused or not _unanswered(error):
                    raise unreachable(self._target, error) from error
            try:
                # the server had closed the idle connection before it saw this request
                return self._exchange(request)
            except _LOST as error:
                self._drop()
                raise unreachable(self._target, error) from error

    def stream(self, request: Request) -> SyncStream:
        """An answer in chunks. Raises ApiError when the server refuses or is not there."""
        connection = self._connect()
        try:
            answer = self._ask(connection, request)
            if answer.status >= 400:
                body = answer.read()
                connection.close()
                raise from_response(answer.status, body)
            connection.sock.settimeout(None)
            keep_alive(connection.sock)
        except _LOST as error:
            connection.close()
            raise unreachable(self._target, error) from error
        return SyncStream(connection, answer, self._target.server)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, request: Request) -> Response:
        if self._connection is None:
            self._connection = self._connect()
        answer = self._ask(self._connection, request)
        body = answer.read()
        headers = folded(answer.getheaders())
        if answer.will_close:
            self._drop()
        return Response(
            status=answer.status,
            body=body,
            content_type=headers.get("content-type", ""),
            headers=headers,
        )

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme != "https":
            return http.client.HTTPConnection(host, port or 80, timeout=self._timeout)
        if self._tls is None:
            self._tls = context(self._target)
        return _TlsConnection(
            host, port or 443, self._target.server_name or host,
            timeout=self._timeout, context=self._tls,
        )  # fmt: skip

    def _ask(
        self, connection: http.client.HTTPConnection, request: Request
    ) -> http.client.HTTPResponse:
        path = self._address.path.rstrip("/") + request.path
        if request.query:
            path += "?" + urlencode(request.query)
        headers = self._target.headers(request)
        began = time.perf_counter()
        connection.request(request.method, path, body=request.body or None, headers=headers)
        answer = connection.getresponse()
        took = (time.perf_counter() - began) * 1000
        self.told(f"{request.method} {self._target.server}{path} {answer.status} in {took:.0f} ms")
        return answer


class _TlsConnection(http.client.HTTPSConnection):
    """Connects to one name and checks the certificate for another (tls-server-name)."""

    def __init__(
        self, host: str, port: int, name: str, *, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._settings = context or ssl.create_default_context()
        self._name = name

    def connect(self) -> None:
        """Open the socket, then speak TLS on it."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._settings.wrap_socket(self.sock, server_hostname=self._name)


def _unanswered(error: Exception) -> bool:
    """Whether the server closed the connection without a byte of an answer."""
    return isinstance(
        error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    )
