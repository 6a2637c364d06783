"""How anything of ours is served over HTTP(S).

A handler gets an `Exchange` and calls `respond`, `stream`, `forward` or `websocket` on it. Knows
nothing of Kubernetes: the API server, the agent and the gateway each put their protocol on top.
Ordinary requests take the short way (`athanor.kit.plain`), all others are served by aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
from aiohttp import web, web_protocol
from multidict import CIMultiDict

from athanor.kit.exchange import (
    SERVER,
    STALL,
    Exchange,
    Gone,
    Handler,
    Lost,
    Peer,
    TooLarge,
    Unreachable,
    WebSocket,
    finish,
)
from athanor.kit.onward import Onward
from athanor.kit.plain import Connections

__all__ = [
    "Exchange", "HttpServer", "Onward", "Peer", "TooLarge", "Unreachable", "WebSocket",
    "server_tls",
]  # fmt: skip


class HttpServer:
    """A listening server."""

    def __init__(self, handler: Handler) -> None:
        self._lost = Lost()
        self._server = _Server(handler, self._lost)
        self._plain = Connections(handler, self._lost, self._server)
        self._sockets: list[asyncio.Server] = []

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises OSError that says why not."""
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(self._plain, host, port, ssl=tls, backlog=1024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why = "is taken by another program; choose another port"
            elif error.errno == errno.EACCES:
                why = "needs rights that this user does not have; choose a port from 1024 on"
            elif error.errno == errno.EADDRNOTAVAIL:
                why = "is not an address of this machine"
            else:
                why = f"cannot be listened on: {error.strerror or error}"
            raise OSError(error.errno, f"{host}:{port} {why}") from error
        self._sockets.append(listening)
        return int(listening.sockets[0].getsockname()[1])

    async def adopt(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Serve sockets that listen already, for instance those of whoever started us."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            sock.setblocking(False)
            self._sockets.append(await loop.create_server(self._plain, sock=sock, ssl=tls))

    async def close(self, grace: float = 1.0) -> None:
        """Stop listening, let answers finish for `grace` seconds, then cut connections."""
        if not self._sockets:
            return
        for listening in self._sockets:
            listening.close()
        self._lost.end()
        await self._plain.close(grace)
        await self._server.shutdown(grace)
        for listening in self._sockets:
            await listening.wait_closed()
        self._sockets.clear()


def server_tls(certificate: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """TLS 1.3 with a certificate from files; `client_ca` (a file) vouches for clients' own."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.minimum_version = ssl.TLSVersion.TLSv1_3
    settings.load_cert_chain(certificate, key)
    settings.set_alpn_protocols(["http/1.1"])
    if client_ca:
        settings.load_verify_locations(client_ca)
        settings.verify_mode = ssl.CERT_OPTIONAL
    return settings


class _Server(web.Server):
    """aiohttp's low-level server, telling `lost` of connections that end."""

    def __init__(self, handler: Handler, lost: Lost) -> None:
        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            exchange = _Exchange(request, lost)
            await handler(exchange)
            return exchange.answered()

        super().__init__(
            serve, access_log=None, max_line_size=1 << 16, max_field_size=1 << 16,
            keepalive_timeout=300.0,
        )  # fmt: skip
        self._lost = lost

    def connection_lost(
        self, handler: web_protocol.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Called by aiohttp for each connection that ends."""
        super().connection_lost(handler, exc)
        self._lost.connection(handler)


class _Exchange(Exchange):
    """A request that aiohttp reads."""

    __slots__ = ("_answer", "_lost", "_request")

    def __init__(self, request: web.BaseRequest, lost: Lost) -> None:
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        super().__init__(request.method, request.raw_path, headers, request.transport)
        self._request = request
        self._lost = lost
        self._answer: web.StreamResponse | None = None

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge."""
        return b"".join([part async for part in self.pieces(limit)])

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes; see Exchange."""
        request = self._request
        if not request.body_exists:
            return
        if (request.content_length or 0) > limit:
            raise TooLarge(f"limit is {limit}")
        transport = request.transport
        if transport is not None and self.headers.get("expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > limit:
                raise TooLarge(f"limit is {limit}")
            yield part

    async def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer."""
        self._answer = web.Response(status=status, body=body, headers=headers)

    async def stream(
        self,
        status: int,
        chunks: AsyncIterator[bytes],
        content_type: str,
        headers: Mapping[str, str],
    ) -> None:
        """An answer in chunks; see Exchange."""
        request = self._request
        said = CIMultiDict({"Content-Type": content_type, "Server": SERVER, **headers})
        answer = web.StreamResponse(status=status, headers=said)
        answer.enable_chunked_encoding()
        self._answer = answer
        await answer.prepare(request)
        request.writer.send_headers()
        try:
            async with self._lost.watching(request.protocol):
                await _pump(request, chunks)
            await answer.write_eof()
        except (ConnectionError, Gone):
            # the client has left, which is how most watches end; or who we asked broke off
            if request.transport is not None:
                request.transport.close()
        finally:
            await finish(chunks)

    async def websocket(self, protocols: Sequence[str]) -> WebSocket | None:
        """Become a WebSocket; see Exchange."""
        offered = [p.strip() for p in self.headers.get("sec-websocket-protocol", "").split(",")]
        chosen = next((p for p in protocols if p in offered), None)
        if chosen is None or self.headers.get("upgrade", "").lower() != "websocket":
            return None
        return _WebSocket(await self._upgraded(chosen), chosen)

    async def join(self, far: object) -> None:
        """Become a WebSocket and copy messages both ways; see Exchange."""
        assert isinstance(far, aiohttp.ClientWebSocketResponse)
        near = await self._upgraded(far.protocol or "")
        ways = [asyncio.ensure_future(_copy(near, far)), asyncio.ensure_future(_copy(far, near))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await far.close(code=near.close_code or 1000)
            await near.close(code=far.close_code or 1000)

    async def _upgraded(self, protocol: str) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(
            protocols=(protocol,) if protocol else (), max_msg_size=0, autoping=True,
            compress=False,
        )  # fmt: skip
        self._answer = answer
        await answer.prepare(self._request)
        return answer

    def answered(self) -> web.StreamResponse:
        """What was answered, for the server."""
        if self._answer is None:
            return web.Response(status=500, text="the request was not answered")
        return self._answer


class _WebSocket:
    """A WebSocket with a client, as messages of bytes."""

    def __init__(self, answer: web.WebSocketResponse, protocol: str) -> None:
        self._answer = answer
        self.protocol = protocol

    async def receive(self) -> bytes | None:
        """The next message; None when the client has closed."""
        message = await self._answer.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data).encode()
        return None

    async def send(self, data: bytes) -> None:
        """Send one message; one to a client that has gone is dropped."""
        with contextlib.suppress(ConnectionError):
            await self._answer.send_bytes(data)

    async def close(self) -> None:
        """Say goodbye."""
        await self._answer.close()


async def _pump(request: web.BaseRequest, chunks: AsyncIterator[bytes]) -> None:
    """Write chunks as they come; a full buffer may stay full for `STALL` seconds."""
    writer = request.writer
    async for chunk in chunks:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise Gone
        if not chunk:
            continue
        transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if transport.get_write_buffer_size() > 1 << 16:
            try:
                async with asyncio.timeout(STALL):
                    await writer.drain()
            except TimeoutError:
                transport.abort()
                raise Gone from None


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _copy(source: _Socket, sink: _Socket) -> None:
    """Pass messages one way until that side closes."""
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
