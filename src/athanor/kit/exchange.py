"""One HTTP request and the means to answer it, whichever way it came in.

`athanor.kit.plain` makes these of ordinary requests, `athanor.kit.http` of all others (WebSockets,
chunked bodies); handlers cannot tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

GZIP_FROM = 128 * 1024
"""Bytes from which an answer is compressed for those who can read it (as kube-apiserver does)."""
STALL = 30.0
"""Seconds that a reader may leave a full buffer full before its connection is cut."""
SERVER = "athanor"
"""What answers say in the Server header."""

Body = bytes | AsyncIterator[bytes]
"""A body as a whole, or in the pieces in which it comes."""
_PIECE = 1 << 16

Handler = Callable[["Exchange"], Awaitable[None]]


class Peer(NamedTuple):
    """The subject of a verified client certificate: common name and organizations."""

    name: str
    organizations: tuple[str, ...]


class TooLarge(Exception):
    """A body is longer than it may be; the message has the limit in bytes."""


class Unreachable(Exception):
    """Whom a request was to be passed on to does not answer."""


class Gone(Exception):
    """The client has closed its connection, or has stopped reading."""


class WebSocket(Protocol):
    """A WebSocket with a client, as messages of bytes."""

    protocol: str

    async def receive(self) -> bytes | None:
        """The next message; None when the client has closed."""

    async def send(self, data: bytes) -> None:
        """Send one message; one to a client that has gone is dropped."""

    async def close(self) -> None:
        """Say goodbye."""


class Raw:
    """A connection that has left HTTP, as pieces of bytes in any cuts (see `WebSocket`)."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: str
    ) -> None:
        self._reader, self._writer, self.protocol = reader, writer, protocol

    async def receive(self) -> bytes | None:
        """What came next; None when the client has closed."""
        try:
            return await self._reader.read(_PIECE) or None
        except ConnectionError:
            return None

    async def send(self, data: bytes) -> None:
        """Send bytes; those to a client that has gone are dropped."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """End the connection after what was sent."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Onwards(Protocol):
    """Who passes requests on: `athanor.kit.onward.Onward`."""

    async def pass_on(
        self, exchange: Exchange, url: str, body: Body, headers: Mapping[str, str], ca: str
    ) -> None:
        """Let another server answer an exchange. Raises Unreachable."""


class Exchange(ABC):
    """A request: method, path (as sent, escapes and all), query, headers in lower case."""

    __slots__ = ("headers", "method", "path", "query", "transport")

    def __init__(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        transport: asyncio.BaseTransport | None,
    ) -> None:
        self.method = method
        path, _, query = target.partition("?")
        self.path = path
        self.query: Sequence[tuple[str, str]] = (
            parse_qsl(query, keep_blank_values=True) if query else ()
        )
        self.headers = headers
        self.transport = transport

    @property
    def remote(self) -> str:
        """The other side's address."""
        return remote_of(self.transport)

    @property
    def peer(self) -> Peer | None:
        """Who the client's certificate says it is, if it showed one."""
        return peer_of(self.transport)

    @property
    def upgrade(self) -> bool:
        """Whether the client wants to leave HTTP (WebSocket and others)."""
        return "upgrade" in self.headers.get("connection", "").lower()

    @abstractmethod
    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge."""

    @property
    def length(self) -> int | None:
        """Bytes of the body; None when that is known only at its end."""
        if "transfer-encoding" in self.headers:
            return None
        return int(self.headers.get("content-length", "0"))

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes: a long one is never held as a whole. Raises TooLarge."""
        yield await self.body(limit)

    @abstractmethod
    async def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer; `headers` are complete but for the length."""

    @abstractmethod
    async def stream(
        self,
        status: int,
        chunks: AsyncIterator[bytes],
        content_type: str,
        headers: Mapping[str, str],
    ) -> None:
        """An answer in chunks, each sent at once.

        Ends when the chunks end, the client goes, or the client stops reading for `STALL` seconds.
        """

    async def respond(
        self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]
    ) -> None:
        """A whole answer, compressed when it is long and the client can read that."""
        said = {"Content-Type": content_type, "Server": SERVER, **headers}
        if len(body) > GZIP_FROM and "gzip" in self.headers.get("accept-encoding", ""):
            body = await asyncio.to_thread(_gzip, body)
            said["Content-Encoding"] = "gzip"
            said["Vary"] = "Accept-Encoding"
        await self.reply(status, body, said)

    async def forward(
        self, onward: Onwards, url: str, body: Body, headers: Mapping[str, str], ca: str = ""
    ) -> None:
        """Let another server answer, WebSockets included. Raises Unreachable."""
        await onward.pass_on(self, url, body, headers, ca)

    async def websocket(self, protocols: Sequence[str]) -> WebSocket | None:
        """Become a WebSocket that speaks the first of `protocols` which the client offers.

        None when it offers none of them; the answer is then still to be given.
        """
        return None

    async def raw(self, protocol: str, headers: Mapping[str, str]) -> Raw | None:
        """Leave HTTP for a protocol, saying so with these headers, too.

        None when the client does not ask for that one; the answer is then still to be given.
        """
        return None

    async def join(self, far: object) -> None:
        """Become a WebSocket and copy messages from and to `far`, another one, until one closes.

        Raises Unreachable when this connection cannot become one.
        """
        raise Unreachable("this connection cannot become a WebSocket")


def remote_of(transport: asyncio.BaseTransport | None) -> str:
    """The other side's address, or an empty text."""
    name = None if transport is None else transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""


def peer_of(transport: asyncio.BaseTransport | None) -> Peer | None:
    """Who the certificate of the other side says it is, if it showed one."""
    certificate = None if transport is None else transport.get_extra_info("peercert")
    return _subject(certificate["subject"]) if certificate else None


async def finish(chunks: AsyncIterator[bytes]) -> None:
    """End a stream's source, whatever kind of iterator it is."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


class Lost:
    """Which tasks to wake when their connection is lost."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[Any]] = {}

    def watching(self, connection: object) -> Watching:
        """A context that ends with Gone as soon as the client has left."""
        return Watching(self._tasks, connection)

    def connection(self, connection: object) -> None:
        """A connection is gone."""
        task = self._tasks.get(connection)
        if task is not None:
            task.cancel(_GONE)

    def end(self) -> None:
        """The server closes: every stream ends as if its chunks had."""
        for task in self._tasks.values():
            task.cancel(_END)


_GONE = "client gone"
_END = "server closing"
_OURS = ((_GONE,), (_END,))


class Watching:
    """See `Lost.watching`. Ends silently when the server closes."""

    def __init__(self, tasks: dict[object, asyncio.Task[Any]], connection: object) -> None:
        self._tasks = tasks
        self._connection = connection

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[self._connection] = task

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        task = self._tasks.pop(self._connection)
        if not isinstance(error, asyncio.CancelledError) or error.args not in _OURS:
            return False
        task.uncancel()
        if error.args == (_GONE,):
            raise Gone from error
        return True


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


@lru_cache(maxsize=1024)
def _subject(subject: tuple[tuple[tuple[str, str], ...], ...]) -> Peer:
    pairs = [pair for part in subject for pair in part]
    return Peer(
        next((value for name, value in pairs if name == "commonName"), ""),
        tuple(value for name, value in pairs if name == "organizationName"),
    )
