"""Port-forward: SPDY (alone, or kubectl's in a WebSocket), and other clients' channel protocol."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable

from athanor.kit.http import WebSocket
from athanor.wire import spdy

TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNELS = "v4.channel.k8s.io"
PROTOCOLS = (TUNNEL, CHANNELS)
_CHUNK = 1 << 16

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Stream]]
"""Connect to a port of the pod's loopback. Raises OSError."""


async def tunnel(socket: WebSocket, dial: Dial) -> None:
    """Serve SPDY streams until the client goes."""
    await _Tunnel(socket, dial).run()


class _Pair:
    """The two streams of one forwarded connection, as they come."""

    def __init__(self) -> None:
        self.error = 0
        self.data = 0
        self.port = 0
        self.input: asyncio.Queue[bytes | None] = asyncio.Queue(64)


class _Tunnel:
    def __init__(self, socket: WebSocket, dial: Dial) -> None:
        self._socket = socket
        self._dial = dial
        self._session = spdy.Session()
        self._pairs: dict[str, _Pair] = {}
        self._by_stream: dict[int, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            while (data := await self._socket.receive()) is not None:
                for event in self._session.feed(data):
                    if not await self._take(event):
                        return
        except spdy.BadFrame:
            return
        finally:
            for task in self._tasks:
                task.cancel()

    async def _take(self, event: spdy.Event) -> bool:
        match event:
            case spdy.Opened():
                await self._opened(event)
            case spdy.Data():
                pair = self._by_stream.get(event.stream)
                if pair is not None and event.stream == pair.data:
                    if event.data:
                        await pair.input.put(event.data)
                    if event.fin:
                        await pair.input.put(None)
            case spdy.Reset():
                pair = self._by_stream.pop(event.stream, None)
                if pair is not None and event.stream == pair.data:
                    await pair.input.put(None)
            case spdy.Ping():
                await self._socket.send(event.raw)
            case spdy.GoAway():
                return False
        return True

    async def _opened(self, event: spdy.Opened) -> None:
        await self._socket.send(self._session.reply(event.stream))
        name = event.headers.get("requestid", "") or event.headers.get("port", "")
        pair = self._pairs.setdefault(name, _Pair())
        self._by_stream[event.stream] = pair
        if event.headers.get("streamtype") == "error":
            pair.error = event.stream
        else:
            pair.data = event.stream
            pair.port = int(event.headers.get("port", "0"))
        if pair.error and pair.data:
            self._pairs.pop(name, None)
            task = asyncio.ensure_future(self._carry(pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, pair: _Pair) -> None:
        try:
            reader, writer = await self._dial(pair.port)
        except OSError as error:
            said = f"an error occurred forwarding to port {pair.port}: {error}".encode()
            await self._socket.send(self._session.data(pair.error, said, fin=True))
            await self._socket.send(self._session.data(pair.data, b"", fin=True))
            return
        feeding = asyncio.ensure_future(_feed(pair.input, writer))
        try:
            while data := await reader.read(_CHUNK):
                await self._socket.send(self._session.data(pair.data, data))
        except OSError:
            pass  # the pod's side reset the connection: for the client it ends
        finally:
            feeding.cancel()
            writer.close()
        await self._socket.send(self._session.data(pair.error, b"", fin=True))
        await self._socket.send(self._session.data(pair.data, b"", fin=True))


async def _feed(queue: asyncio.Queue[bytes | None], writer: asyncio.StreamWriter) -> None:
    while (data := await queue.get()) is not None:
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def channels(socket: WebSocket, ports: list[int], dial: Dial) -> None:
    """Two channels a port: data and error, each begun with the port (v4.channel.k8s.io)."""
    links: dict[int, Stream] = {}
    tasks = []

    async def outward(channel: int, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await socket.send(bytes([channel]) + data)
        ended.add(channel)
        if ended == links.keys():  # as a kubelet: nothing is left to say
            await socket.close()

    ended: set[int] = set()
    try:
        for index, port in enumerate(ports):
            head = struct.pack("<H", port)
            for channel in (2 * index, 2 * index + 1):
                await socket.send(bytes([channel]) + head)
            try:
                links[2 * index] = await dial(port)
            except OSError as error:
                await socket.send(bytes([2 * index + 1]) + str(error).encode())
                continue
            tasks.append(asyncio.ensure_future(outward(2 * index, links[2 * index][0])))
        while (data := await socket.receive()) is not None:
            if data and data[0] in links:
                writer = links[data[0]][1]
                writer.write(data[1:])
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
    finally:
        for task in tasks:
            task.cancel()
        for _, writer in links.values():
            writer.close()
