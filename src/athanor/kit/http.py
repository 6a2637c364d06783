"""How anything of ours is served over HTTP(S), and how a server passes a request on.

A handler gets an `Exchange` and calls one of `respond`, `stream`, `forward` on it. Knows nothing of
Kubernetes: the API server, the gateway and the aggregated API each put their protocol on top.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web, web_protocol
from multidict import CIMultiDict
from yarl import URL

GZIP_FROM = 128 * 1024
"""Bytes from which an answer is compressed for those who can read it (as kube-apiserver does)."""
STALL = 30.0
"""Seconds that a reader may leave a stream's buffer full before its connection is cut."""
_HOP = frozenset(
    ("authorization", "connection", "content-length", "host", "keep-alive", "proxy-authenticate",
     "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
_WEBSOCKET = frozenset(
    ("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
     "sec-websocket-protocol", "sec-websocket-accept")
)  # fmt: skip
_LOST = (aiohttp.ClientError, OSError, asyncio.TimeoutError)

Handler = Callable[["Exchange"], Awaitable[None]]


class Peer(NamedTuple):
    """The subject of a verified client certificate: common name and organizations."""

    name: str
    organizations: tuple[str, ...]


class TooLarge(Exception):
    """A body is longer than it may be; the message has the limit in bytes."""


class Unreachable(Exception):
    """Whom a request was to be passed on to does not answer."""


class Exchange:
    """One request and the means to answer it, once."""

    __slots__ = ("_answer", "_lost", "_request", "headers", "method", "path", "query")

    def __init__(self, request: web.BaseRequest, lost: Lost) -> None:
        self._request = request
        self._lost = lost
        self._answer: web.StreamResponse | None = None
        self.method = request.method
        path, _, query = request.raw_path.partition("?")
        self.path = path
        self.query = parse_qsl(query, keep_blank_values=True) if query else []
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        self.headers = headers

    @property
    def remote(self) -> str:
        """The other side's address."""
        return self._request.remote or ""

    @property
    def peer(self) -> Peer | None:
        """Who the client's certificate says it is, if it showed one."""
        transport = self._request.transport
        certificate = None if transport is None else transport.get_extra_info("peercert")
        return _subject(certificate["subject"]) if certificate else None

    @property
    def upgrade(self) -> bool:
        """Whether the client wants to leave HTTP (WebSocket and others)."""
        return "upgrade" in self.headers.get("connection", "").lower()

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge."""
        request = self._request
        if not request.body_exists:
            return b""
        if (request.content_length or 0) > limit:
            raise TooLarge(f"limit is {limit}")
        transport = request.transport
        if transport is not None and self.headers.get("expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        first = await request.content.readany()
        if request.content.at_eof():
            if len(first) > limit:
                raise TooLarge(f"limit is {limit}")
            return first
        parts, size = [first], len(first)
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLarge(f"limit is {limit}")
        return b"".join(parts)

    async def respond(
        self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]
    ) -> None:
        """A whole answer, compressed when it is long and the client can read that."""
        said = CIMultiDict(headers)
        said["Content-Type"] = content_type
        said["Server"] = "athanor"
        if len(body) > GZIP_FROM and "gzip" in self.headers.get("accept-encoding", ""):
            body = await asyncio.to_thread(_gzip, body)
            said["Content-Encoding"] = "gzip"
            said["Vary"] = "Accept-Encoding"
        self._answer = web.Response(status=status, body=body, headers=said)

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
        request = self._request
        answer = web.StreamResponse(status=status, headers=CIMultiDict(headers))
        answer.content_type, _, charset = content_type.partition(";")
        if charset:
            answer.headers["Content-Type"] = content_type
        answer.headers["Server"] = "athanor"
        answer.enable_chunked_encoding()
        self._answer = answer
        await answer.prepare(request)
        request.writer.send_headers()
        try:
            async with self._lost.watching(request):
                await _pump(request, chunks)
            await answer.write_eof()
        except (ConnectionError, Gone):
            # the client has left, which is how most watches end
            return
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()

    async def forward(
        self, onward: Onward, url: str, body: bytes, headers: Mapping[str, str], ca: str = ""
    ) -> None:
        """Let another server answer, WebSockets included. Raises Unreachable."""
        passed = CIMultiDict(
            (name, value)
            for name, value in self.headers.items()
            if name not in _HOP and name not in _WEBSOCKET
        )
        passed.update(headers)
        if self.upgrade:
            self._answer = await _bridge(self._request, onward, url, passed, ca)
            return
        try:
            answer = await onward.session().request(
                self.method, URL(url, encoded=True), data=body or None, headers=passed,
                ssl=onward.tls(ca), allow_redirects=False,
            )  # fmt: skip
        except _LOST as error:
            raise Unreachable(f"{_origin(url)} does not answer: {error}") from error
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
        kind = kept.pop("Content-Type", "application/octet-stream")
        try:
            await self.stream(answer.status, _body(answer), kind, kept)
        finally:
            answer.close()

    async def websocket(self, protocols: Sequence[str]) -> WebSocket | None:
        """Become a WebSocket that speaks the first of `protocols` which the client offers.

        None when it offers none of them; the answer is then still to be given.
        """
        offered = [p.strip() for p in self.headers.get("sec-websocket-protocol", "").split(",")]
        chosen = next((p for p in protocols if p in offered), None)
        if chosen is None or self.headers.get("upgrade", "").lower() != "websocket":
            return None
        answer = web.WebSocketResponse(
            protocols=(chosen,), max_msg_size=0, autoping=True, compress=False
        )
        await answer.prepare(self._request)
        self._answer = answer
        return WebSocket(answer, chosen)

    def answered(self) -> web.StreamResponse:
        """What was answered, for the server."""
        if self._answer is None:
            return web.Response(status=500, text="the request was not answered")
        return self._answer


class WebSocket:
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


class Gone(Exception):
    """The client has closed its connection, or has stopped reading."""


class Lost:
    """Which tasks to wake when their connection is lost."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[Any]] = {}

    def watching(self, request: web.BaseRequest) -> _Watching:
        """A context that ends with Gone as soon as the client has left."""
        return _Watching(self._tasks, request.protocol)

    def connection(self, handler: object) -> None:
        """A connection is gone."""
        task = self._tasks.get(handler)
        if task is not None:
            task.cancel(_GONE)

    def end(self) -> None:
        """The server closes: every stream ends as if its chunks had."""
        for task in self._tasks.values():
            task.cancel(_END)


_GONE = "client gone"
_END = "server closing"
_OURS = ((_GONE,), (_END,))


class _Watching:
    def __init__(self, tasks: dict[object, asyncio.Task[Any]], handler: object) -> None:
        self._tasks = tasks
        self._handler = handler

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[self._handler] = task

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        task = self._tasks.pop(self._handler)
        if not isinstance(error, asyncio.CancelledError) or error.args not in _OURS:
            return False
        task.uncancel()
        if error.args == (_GONE,):
            raise Gone from error
        return True


class _Server(web.Server):
    """aiohttp's low-level server, telling `lost` of connections that end."""

    def __init__(self, handler: Handler, lost: Lost) -> None:
        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            exchange = Exchange(request, lost)
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


class HttpServer:
    """A listening server."""

    def __init__(self, handler: Handler) -> None:
        self._lost = Lost()
        self._server = _Server(handler, self._lost)
        self._sockets: list[asyncio.Server] = []

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises OSError that says why not."""
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(self._server, host, port, ssl=tls, backlog=1024)
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
            self._sockets.append(await loop.create_server(self._server, sock=sock, ssl=tls))

    async def close(self, grace: float = 1.0) -> None:
        """Stop listening, let answers finish for `grace` seconds, then cut connections."""
        if not self._sockets:
            return
        for listening in self._sockets:
            listening.close()
        self._lost.end()
        await self._server.shutdown(grace)
        for listening in self._sockets:
            await listening.wait_closed()
        self._sockets.clear()


class Onward:
    """Connections to the servers that requests are passed on to, as our own identity."""

    def __init__(self, ca: str = "", certificate: str = "", key: str = "") -> None:
        """`ca` is PEM text, `certificate` and `key` are file names."""
        self._ca = ca
        self._identity = (certificate, key)
        self._session: aiohttp.ClientSession | None = None
        self._tls: dict[str, ssl.SSLContext] = {}

    def session(self) -> aiohttp.ClientSession:
        """The pool of connections."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
            )  # fmt: skip
        return self._session

    def tls(self, ca: str) -> ssl.SSLContext:
        """Trust in one authority (PEM text; the usual one when empty), and our certificate."""
        ca = ca or self._ca
        settings = self._tls.get(ca)
        if settings is None:
            settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if ca:
                settings.load_verify_locations(cadata=ca)
            certificate, key = self._identity
            if certificate:
                settings.load_cert_chain(certificate, key or None)
            self._tls[ca] = settings
        return settings

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


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


async def _bridge(
    request: web.BaseRequest, onward: Onward, url: str, headers: CIMultiDict[str], ca: str
) -> web.StreamResponse:
    """Join the client's WebSocket and one to the other server."""
    if request.headers.get("upgrade", "").lower() != "websocket":
        raise Unreachable("only WebSocket upgrades are passed on (v5.channel.k8s.io)")
    offered = request.headers.get("sec-websocket-protocol", "")
    protocols = tuple(part.strip() for part in offered.split(",") if part.strip())
    try:
        far = await onward.session().ws_connect(
            URL(url, encoded=True), protocols=protocols, headers=headers, ssl=onward.tls(ca),
            max_msg_size=0, autoping=True,
        )  # fmt: skip
    except aiohttp.WSServerHandshakeError as error:
        return web.Response(status=error.status, text=error.message)
    except _LOST as error:
        raise Unreachable(f"{_origin(url)} does not answer: {error}") from error
    near = web.WebSocketResponse(
        protocols=(far.protocol,) if far.protocol else (), max_msg_size=0, autoping=True
    )
    await near.prepare(request)
    ways = [asyncio.ensure_future(_copy(near, far)), asyncio.ensure_future(_copy(far, near))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await far.close(code=near.close_code or 1000)
        await near.close(code=far.close_code or 1000)
    return near


async def _copy(source: Any, sink: Any) -> None:
    """Pass messages one way until that side closes."""
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)


async def _body(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except _LOST:
        # the other server broke off: the client sees its stream end
        return


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def _origin(url: str) -> str:
    return str(URL(url, encoded=True).origin())


@lru_cache(maxsize=1024)
def _subject(subject: tuple[tuple[tuple[str, str], ...], ...]) -> Peer:
    pairs = [pair for part in subject for pair in part]
    return Peer(
        next((value for name, value in pairs if name == "commonName"), ""),
        tuple(value for name, value in pairs if name == "organizationName"),
    )
