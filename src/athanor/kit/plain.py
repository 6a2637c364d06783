"""Ordinary HTTP/1.1 requests without a framework: three times the requests a CPU-second.

Whole requests with a plain body are read and answered here, those that wish to leave HTTP included.
Everything else (WebSockets, chunked or very long bodies, `Expect`, HTTP/1.0, anything malformed) is
handed over with its connection to the fallback, which is a complete implementation; so nothing here
has to be lenient.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from functools import cached_property, lru_cache
from http import HTTPStatus

from athanor.kit.exchange import (
    SERVER,
    STALL,
    Exchange,
    Gone,
    Handler,
    Lost,
    Peer,
    Raw,
    TooLarge,
    finish,
    peer_of,
    remote_of,
)

HEAD = 64 * 1024
"""Longest request line with headers, in bytes."""
BODY = 4 * 1024 * 1024
"""Longest body read here, in bytes."""
IDLE, SLOW = 300.0, 60.0
"""Seconds that a connection stays open between requests, and that a head may take to come (the
first one from the connection on) or a body pause: who only holds connections open has none then.
"""
LOOK = 15.0
"""Seconds between two looks for such connections: one timer does for all."""
_SHORT = 2048
"""Longest headers that are remembered, in bytes."""
_BACKLOG = 1 << 20
_PIECE = 1 << 18
_GOODBYES = 20
"""Hundredths of a second that clients have to close their side of TLS when the server ends."""
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"/[!-~]*")
_ELSEWHERE = frozenset(("transfer-encoding", "expect", "content-encoding"))
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_log = logging.getLogger(__name__)


class Head:
    """A parsed request line and headers; None of `parse` means: not for us."""

    __slots__ = ("close", "headers", "length", "method", "target")

    def __init__(
        self, method: str, target: str, headers: dict[str, str], length: int, close: bool
    ) -> None:
        self.method = method
        self.target = target
        self.headers = dict(headers)
        self.length = length
        self.close = close


def parse(head: bytes) -> Head | None:
    """Read a request line and headers; None for what is unusual in any way."""
    line, _, block = head.partition(b"\r\n")
    first = line.decode("utf-8", "surrogateescape").split(" ")
    if len(first) != 3 or first[2] != "HTTP/1.1" or first[0] not in _METHODS:
        return None
    if _TARGET.fullmatch(first[1]) is None:
        return None
    found = _again(block) if len(block) <= _SHORT else _headers(block)
    return None if found is None else Head(first[0], first[1], *found)


_Headers = tuple[dict[str, str], int, bool]


def _headers(block: bytes) -> _Headers | None:
    """Headers, length of the body, and whether to close afterwards; None: not for us."""
    text = block.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n") if text else []
    breaks = len(lines) - 1 if lines else 0
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or _NAME.fullmatch(name) is None:
            return None
        name = name.lower()
        value = value.strip(" \t")
        if name in headers:
            if name in ("content-length", "host"):
                return None
            value = f"{headers[name]}, {value}"
        headers[name] = value
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or not _ELSEWHERE.isdisjoint(headers):
        return None
    if "websocket" in headers.get("upgrade", "").lower():
        return None
    return headers, int(length), "close" in headers.get("connection", "").lower()


_again = lru_cache(maxsize=1024)(_headers)
"""A connection says the same headers with every request: they are read once."""


class Connections:
    """All plain connections of a server, and what they share."""

    def __init__(
        self, handler: Handler, lost: Lost, fallback: Callable[[], asyncio.Protocol]
    ) -> None:
        self.handler = handler
        self.lost = lost
        self.fallback = fallback
        self.open: set[Connection] = set()
        self._date = (0, "")
        self._looking: asyncio.TimerHandle | None = None

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK, self._look)
        return Connection(self)

    def _look(self) -> None:
        """Close what nothing comes from."""
        loop = asyncio.get_running_loop()
        for connection in [one for one in self.open if one.is_late(loop.time())]:
            connection.abort()
        self._looking = loop.call_later(LOOK, self._look) if self.open else None

    def date(self) -> str:
        """The Date header's line, made once a second."""
        now = int(time.time())  # noqa: TID251 - a header of HTTP, nothing decides by it
        if self._date[0] != now:
            self._date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n")
        return self._date[1]

    async def close(self, grace: float) -> None:
        """Close idle connections now, busy ones when they have answered or `grace` is over."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for connection in list(self.open):
            connection.retire()
        busy = [connection.task for connection in self.open if connection.task is not None]
        if busy:
            await asyncio.wait(busy, timeout=grace)
        for connection in list(self.open):
            connection.cut()
        for _ in range(_GOODBYES):
            if not self.open:
                break
            await asyncio.sleep(0.01)
        for connection in list(self.open):
            connection.abort()
        for _ in range(_GOODBYES):
            await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One connection: reads a request, has it answered, reads the next."""

    def __init__(self, shared: Connections) -> None:
        self.shared = shared
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None
        self._buffer = b""
        self._paused = False
        self._retired = False
        self._room: asyncio.Future[None] | None = None
        self._patience = SLOW
        self._since = asyncio.get_running_loop().time()

    def is_late(self, now: float) -> bool:
        """Whether a request, or the rest of one, has been waited for too long."""
        return self.task is None and now - self._since > self._patience

    @cached_property
    def peer(self) -> Peer | None:
        """Who the client's certificate says it is: the same for all requests."""
        return peer_of(self.transport)

    @cached_property
    def remote(self) -> str:
        """The other side's address."""
        return remote_of(self.transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        self.shared.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self.shared.open.discard(self)
        self.transport = None
        self.resume_writing()
        self.shared.lost.connection(self)

    def pause_writing(self) -> None:
        """Called by the event loop: the client reads slower than we write."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._buffer = self._buffer + data if self._buffer else data
        if self.task is None:
            if self._patience == IDLE:  # a request begins
                self._wait(SLOW)
            self._next()
        elif len(self._buffer) > _BACKLOG and self.transport is not None and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _next(self) -> None:
        """Begin with the next request, if it is there as a whole."""
        transport, buffer = self.transport, self._buffer
        if transport is None or not buffer:
            return
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > HEAD:
                self._hand_over(transport)
            return
        head = parse(buffer[:end]) if end <= HEAD else None
        if head is None or head.length > BODY:
            self._hand_over(transport)
            return
        begin, last = end + 4, end + 4 + head.length
        if len(buffer) < last:
            self._wait(SLOW)  # a long body over a slow line may take its time, while it comes
            return
        self._buffer = buffer[last:]
        exchange = PlainExchange(head, buffer[begin:last], self)
        self.task = asyncio.get_running_loop().create_task(self._answer(exchange))

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """Let the fallback have this connection for the rest of its life."""
        self.shared.open.discard(self)
        protocol = self.shared.fallback()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._buffer)
        self._buffer = b""

    async def _answer(self, exchange: PlainExchange) -> None:
        try:
            await self.shared.handler(exchange)
        except (ConnectionError, Gone):
            exchange.last = True
        except Exception:
            _log.exception("%s %s failed", exchange.method, exchange.path)
            exchange.last = True
            if not exchange.begun:
                await exchange.reply(500, b"the request failed\n", {"Content-Type": "text/plain"})
        finally:
            self.task = None
        if exchange.last or not exchange.begun or self._retired:
            self.cut()
            return
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        self._wait(SLOW if self._buffer else IDLE)
        if self._buffer:
            self._next()

    def _wait(self, patience: float) -> None:
        self._patience = patience
        self._since = asyncio.get_running_loop().time()

    def leave(self, head: bytes, protocol: str) -> Raw:
        """Say that HTTP ends here, and hand out the connection. Raises Gone."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise Gone
        self.shared.open.discard(self)
        transport.write(head)
        reader = asyncio.StreamReader()
        streams = asyncio.StreamReaderProtocol(reader)
        transport.set_protocol(streams)
        streams.connection_made(transport)
        reader.feed_data(self._buffer)
        self._buffer = b""
        loop = asyncio.get_running_loop()
        return Raw(reader, asyncio.StreamWriter(transport, streams, reader, loop), protocol)

    async def drain(self) -> None:
        """Wait until the client has read most of what was written. Raises Gone after `STALL`."""
        while self._room is not None:
            try:
                async with asyncio.timeout(STALL):
                    await asyncio.shield(self._room)
            except TimeoutError:
                if self.transport is not None:
                    self.transport.abort()
                raise Gone from None
        if self.transport is None:
            raise Gone

    @property
    def full(self) -> bool:
        """Whether the client reads slower than we write."""
        return self._room is not None

    def retire(self) -> None:
        """Answer what was begun, nothing more."""
        self._retired = True
        if self.task is None:
            self.cut()

    def cut(self) -> None:
        """Close the connection, after what is written has been sent."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Close the connection without a word."""
        if self.transport is not None:
            self.transport.abort()


class PlainExchange(Exchange):
    """A request read as a whole."""

    __slots__ = ("_body", "_connection", "begun", "last")

    def __init__(self, head: Head, body: bytes, connection: Connection) -> None:
        super().__init__(head.method, head.target, head.headers, connection.transport)
        self._body = body
        self._connection = connection
        self.begun = False
        self.last = head.close

    @property
    def remote(self) -> str:
        """The other side's address."""
        return self._connection.remote

    @property
    def peer(self) -> Peer | None:
        """Who the client's certificate says it is, if it showed one."""
        return self._connection.peer

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge."""
        if len(self._body) > limit:
            raise TooLarge(f"limit is {limit}")
        return self._body

    async def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer."""
        head = self._head(status, headers) + f"Content-Length: {len(body)}\r\n\r\n"
        transport = self._transport()
        self.begun = True
        if self.method == "HEAD":
            body = b""
        if len(body) <= _PIECE:
            transport.write(head.encode("latin-1", "replace") + body)
        else:
            await self._long(transport, head.encode("latin-1", "replace"), body)
        if self._connection.full:
            await self._connection.drain()

    async def _long(self, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        """Piece by piece, so that the client reads while we encrypt, and others get their turn."""
        transport.write(head)
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            transport.write(view[start : start + _PIECE])
            await asyncio.sleep(0)
            if self._connection.full:
                await self._connection.drain()
            transport = self._transport()

    async def stream(
        self,
        status: int,
        chunks: AsyncIterator[bytes],
        content_type: str,
        headers: Mapping[str, str],
    ) -> None:
        """An answer in chunks; see Exchange."""
        said = {"Content-Type": content_type, "Server": SERVER, **headers}
        head = self._head(status, said) + "Transfer-Encoding: chunked\r\n\r\n"
        connection = self._connection
        self.begun = True
        try:
            self._transport().write(head.encode("latin-1", "replace"))
            async with connection.shared.lost.watching(connection):
                async for chunk in chunks:
                    if chunk:
                        self._transport().write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    if connection.full:
                        await connection.drain()
            self._transport().write(b"0\r\n\r\n")
        except Gone:
            # the client has left, which is how most watches end
            self.last = True
        finally:
            await finish(chunks)

    async def raw(self, protocol: str, headers: Mapping[str, str]) -> Raw | None:
        """Leave HTTP; see Exchange."""
        if self.headers.get("upgrade", "").lower() != protocol.lower():
            return None
        said = {"Connection": "Upgrade", "Upgrade": protocol, **headers}
        head = f"{self._head(101, said)}\r\n".encode("latin-1", "replace")
        self.begun = self.last = True
        return self._connection.leave(head, protocol)

    def _head(self, status: int, headers: Mapping[str, str]) -> str:
        said = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if said.count("\n") != len(headers) or said.count("\r") != len(headers):
            # nobody else's words begin a header of their own
            said = "".join([f"{n}: {' '.join(v.split())}\r\n" for n, v in headers.items()])
        begin = _LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
        end = "Connection: close\r\n" if self.last else ""
        return f"{begin}{said}{self._connection.shared.date()}{end}"

    def _transport(self) -> asyncio.Transport:
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            raise Gone
        return transport
