"""What is spoken with whoever runs a command or forwards a port: WebSocket, or SPDY.

API servers before 1.36 speak SPDY with nodes, whatever their client speaks; every API server passes
on the SPDY of older clients. Exec and attach see one kind of socket: a stream of SPDY is a channel
of the WebSocket protocol (`channels`), the end of stdin is v5's message that closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping

from athanor.kit.crilog import TRUE
from athanor.kit.exchange import Gone, Raw
from athanor.kit.http import Exchange, WebSocket
from athanor.local.agent.kubelet import channels, forward
from athanor.wire import spdy

UPGRADE = "SPDY/3.1"
COMMAND = "v4.channel.k8s.io"
FORWARD = "portforward.k8s.io"
_VERSION = "x-stream-protocol-version"
_PATIENCE = 30.0
"""Seconds for a client to open its streams, as with a kubelet."""
_GOODBYE = 10.0
"""Seconds for a client to close after the last word: closing first could cost it what it reads."""
_CHANNELS = {
    "stdin": channels.STDIN, "stdout": channels.STDOUT, "stderr": channels.STDERR,
    "error": channels.ERROR, "resize": channels.RESIZE,
}  # fmt: skip


async def command(exchange: Exchange, query: Mapping[str, str]) -> WebSocket | None:
    """The socket of an exec or attach; None when its client speaks neither protocol.

    Raises Gone when it does not open the streams that its query tells of.
    """
    socket = await exchange.websocket(channels.PROTOCOLS)
    if socket is not None:
        return socket
    raw = await _raw(exchange, COMMAND)
    if raw is None:
        return None
    streams = Streams(raw)
    try:
        async with asyncio.timeout(_PATIENCE):
            await streams.opened(_wanted(query))
    except TimeoutError:
        raise Gone from None
    finally:
        if not streams.complete:
            await raw.close()
    return streams


async def forwarding(exchange: Exchange) -> WebSocket | None:
    """The socket of a port-forward; None when its client speaks neither protocol."""
    return await exchange.websocket(forward.PROTOCOLS) or await _raw(exchange, FORWARD)


async def _raw(exchange: Exchange, protocol: str) -> Raw | None:
    offered = [word.strip() for word in exchange.headers.get(_VERSION, "").split(",")]
    if protocol not in offered:
        return None
    return await exchange.raw(UPGRADE, {"X-Stream-Protocol-Version": protocol})


def asks(query: Mapping[str, str], *names: str) -> bool:
    """Whether a query asks for a stream, in a client's word or an API server's."""
    return any(query.get(name) in TRUE for name in names)


def _wanted(query: Mapping[str, str]) -> set[int]:
    """The channels that a client opens."""
    tty = asks(query, "tty")
    named = {
        "error": True, "stdin": asks(query, "stdin", "input"),
        "stdout": asks(query, "stdout", "output"),
        "stderr": asks(query, "stderr", "error") and not tty, "resize": tty,
    }  # fmt: skip
    return {_CHANNELS[name] for name, wanted in named.items() if wanted}


class Streams:
    """The streams of a command, as the socket that `command.execute` joins with a process."""

    protocol = COMMAND

    def __init__(self, raw: Raw) -> None:
        self.complete = False
        self._raw = raw
        self._session = spdy.Session()
        self._stream: dict[int, int] = {}
        self._channel: dict[int, int] = {}
        self._inbox: deque[bytes] = deque()

    async def opened(self, wanted: set[int]) -> None:
        """Wait until the client has opened these channels. Raises Gone."""
        while not wanted <= self._stream.keys():
            if not await self._feed():
                raise Gone
        self.complete = True

    async def receive(self) -> bytes | None:
        """The next message; None when the client has closed."""
        while not self._inbox:
            if not await self._feed():
                return None
        return self._inbox.popleft()

    async def send(self, data: bytes) -> None:
        """Send one message; one on a channel that the client did not open is dropped."""
        await self._send(data[0], data[1:], fin=data[0] == channels.ERROR)

    async def close(self) -> None:
        """End what is open, and let the client close."""
        for channel in (channels.STDOUT, channels.STDERR):
            await self._send(channel, b"", fin=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                while await self.receive() is not None:
                    pass
        await self._raw.close()

    async def _send(self, channel: int, data: bytes, *, fin: bool) -> None:
        stream = self._stream.get(channel)
        if stream is not None:
            await self._raw.send(self._session.data(stream, data, fin=fin))

    async def _feed(self) -> bool:
        """Take what comes next; whether more may come."""
        data = await self._raw.receive()
        if data is None:
            return False
        try:
            events = self._session.feed(data)
        except spdy.BadFrame:
            return False
        for event in events:
            if isinstance(event, spdy.GoAway):
                return False
            await self._take(event)
        return True

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._raw.send(self._session.reply(event.stream))
                channel = _CHANNELS.get(event.headers.get("streamtype", ""))
                if channel is not None:
                    self._stream[channel] = event.stream
                    self._channel[event.stream] = channel
            case spdy.Data():
                self._heard(event)
            case spdy.Reset():
                self._stream.pop(self._channel.pop(event.stream, -1), None)
            case spdy.Ping():
                await self._raw.send(event.raw)

    def _heard(self, event: spdy.Data) -> None:
        channel = self._channel.get(event.stream)
        if channel is None:
            return
        if event.data:
            self._inbox.append(channels.message(channel, event.data))
        if event.fin and channel == channels.STDIN:
            self._inbox.append(channels.message(channels.CLOSE, bytes([channels.STDIN])))
