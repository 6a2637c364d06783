"""Connections to one server, kept open: a request out, its whole answer in, then the next one.

A framework does the same for three times the CPU time; of what a controller spends on a write that
was the larger part.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from math import inf
from string import punctuation
from typing import cast
from urllib.parse import quote, urlencode, urlsplit

from athanor.client.answers import Garbled, Reading
from athanor.client.target import Target
from athanor.wire.request import Request, Response

IDLE = 15.0
"""Seconds after which a connection that nobody uses is closed: soon the server would do it."""
_REPEATED = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""What may be sent again although the server may have done it (RFC 9110, 9.2.2)."""
_BODIES = frozenset(("POST", "PUT", "PATCH"))
_CLOSED = "the server closed the connection"


class Connections:
    """At most `limit` at a time; who comes later waits.

    One timer, at the first answer that would be late, does for all: most come long before, and a
    timer for each costs a tenth of what a request does.
    """

    def __init__(
        self, target: Target, settings: Callable[[], ssl.SSLContext | None], limit: int,
        timeout: float,
    ) -> None:  # fmt: skip
        """`settings` are asked for TLS at the first connection; `timeout` is in seconds."""
        self._target = target
        self._address = urlsplit(target.server)
        self._settings = settings
        self._room = asyncio.Semaphore(limit)
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        self._tidying: asyncio.TimerHandle | None = None
        self._timeout = timeout
        self._next_late = inf
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, request: Request) -> Response:
        """The whole answer. Raises OSError when there is none, TimeoutError when none in time."""
        data, now = self._written(request), asyncio.get_running_loop().time()
        ends = now + self._timeout
        if self._next_late < now:  # its loop has ended before
            self._timer, self._next_late = None, inf
        async with asyncio.timeout_at(ends if self._room.locked() else None):
            await self._room.acquire()
        try:
            if self._idle:
                known = self._idle.pop()
                try:
                    return await self._over(known, request.method, data, ends)
                except ConnectionError:
                    # perhaps the server closed the idle connection before it saw this request
                    if known.begun or request.method not in _REPEATED:
                        raise
            async with asyncio.timeout_at(ends):
                made = await self._connect()
            return await self._over(made, request.method, data, ends)
        finally:
            self._room.release()

    async def close(self) -> None:
        """Close what is open; who waits for an answer there gets ConnectionError."""
        for timer in (self._tidying, self._timer):
            if timer is not None:
                timer.cancel()
        self._tidying = self._timer = None
        self._next_late = inf
        self._idle.clear()
        for one in list(self._open):
            one.abort()
        await asyncio.sleep(0)

    async def _over(
        self, connection: _Connection, method: str, data: bytes, ends: float
    ) -> Response:
        if ends < self._next_late:
            self._look_at(ends)
        answer = await connection.ask(method, data, ends)
        if connection.keeps:
            loop = asyncio.get_running_loop()
            connection.since = loop.time()
            self._idle.append(connection)
            if self._tidying is None:
                self._tidying = loop.call_later(IDLE, self._tidy)
        else:
            connection.close()
        return answer

    def _late(self) -> None:
        """End the wait for answers that are late, and look again when the next one would be."""
        self._next_late = inf
        now = asyncio.get_running_loop().time()
        due = [ends for one in self._open if (ends := one.late(now)) is not None]
        if due:
            self._look_at(min(due))

    def _look_at(self, ends: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_late = ends
        self._timer = asyncio.get_running_loop().call_at(ends, self._late)

    def _tidy(self) -> None:
        """Close those that were not needed lately."""
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].since <= loop.time() - IDLE:
            self._idle.popleft().close()
        self._tidying = loop.call_later(IDLE, self._tidy) if self._idle else None

    async def _connect(self) -> _Connection:
        settings, host = self._settings(), self._address.hostname or ""
        name = (self._target.server_name or host) if settings is not None else None
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self._open.add, self._lost),
            host, self._address.port or (80 if settings is None else 443),
            ssl=settings, server_hostname=name,
        )  # fmt: skip
        return made

    def _lost(self, connection: _Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _written(self, request: Request) -> bytes:
        """The request as it is sent."""
        target = self._address.path.rstrip("/") + request.path
        if request.query:
            target += "?" + urlencode(request.query)
        said = {"host": self._address.netloc, **self._target.headers(request)}
        if request.body or request.method in _BODIES:
            said["content-length"] = str(len(request.body))
        lines = "".join([f"{name}: {value}\r\n" for name, value in said.items()])
        if lines.count("\n") != len(said) or lines.count("\r") != len(said):
            raise ValueError("a header of a request has a line break in it")
        if not (target.isascii() and target.isprintable()) or " " in target:
            target = quote(target, safe=punctuation)  # nothing in it ends the line
        head = f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n"
        return head.encode() + request.body


class _Connection(asyncio.Protocol):
    """One request at a time. `since`: when it was used last, in the loop's time; `begun`: something
    of the last answer came; `keeps`: another request may follow.

    Nothing else of an answer is kept: a list can be larger than all that is made of it.
    """

    def __init__(
        self, made: Callable[[_Connection], None], lost: Callable[[_Connection], None]
    ) -> None:
        self.since = 0.0
        self.begun = self.keeps = False
        self._made, self._lost = made, lost
        self._transport: asyncio.Transport | None = None
        self._reading: Reading | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._ends = 0.0

    async def ask(self, method: str, data: bytes, ends: float) -> Response:
        """The whole answer, which is late at `ends` (`late`). Raises OSError; whoever does not wait
        for it ends the connection.
        """
        self.begun = self.keeps = False
        self._ends = ends
        if self._transport is None:
            raise ConnectionResetError(_CLOSED)
        reading = self._reading = Reading(method)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        try:
            answer = await self._answer
        except BaseException:
            self.abort()
            raise
        finally:
            self.begun = reading.begun
            self._answer = self._reading = None
        transport = self._transport
        self.keeps = reading.keeps and transport is not None and not transport.is_closing()
        return answer

    def late(self, now: float) -> float | None:
        """When the answer that is waited for will be late, if one is; a late one is given up."""
        if self._answer is None or self._answer.done():
            return None
        if now < self._ends:
            return self._ends
        self._answer.set_exception(TimeoutError())
        return None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._made(self)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._answer is None or self._answer.done() or self._reading is None:
            self.abort()  # an answer that nobody asked for would be taken for the next one
            return
        try:
            answer = self._reading.feed(data)
        except Garbled as error:
            self._answer.set_exception(error)
            return
        if answer is not None:
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._lost(self)
        if self._answer is None or self._answer.done() or self._reading is None:
            return
        answer = self._reading.end() if error is None else None
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(error or ConnectionResetError(_CLOSED))

    def close(self) -> None:
        """Take leave of the server."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()
