"""Passing a request on to another server as our own identity, WebSockets included (aiohttp)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from athanor.kit.exchange import Body, Exchange, TooLarge, Unreachable

_HOP = frozenset(
    ("authorization", "connection", "content-length", "host", "keep-alive", "proxy-authenticate",
     "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
_WEBSOCKET = frozenset(
    ("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
     "sec-websocket-protocol", "sec-websocket-accept")
)  # fmt: skip
_LOST = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class Onward:
    """Connections to the servers that requests are passed on to."""

    def __init__(self, ca: str = "", certificate: str = "", key: str = "", unix: str = "") -> None:
        """`ca` is PEM text, `certificate` and `key` are file names; `unix` is a socket file that
        all requests go through.
        """
        self._unix = unix
        self._ca = ca
        self._identity = (certificate, key)
        self._session: aiohttp.ClientSession | None = None
        self._tls: dict[str, ssl.SSLContext] = {}

    async def pass_on(
        self, exchange: Exchange, url: str, body: Body, headers: Mapping[str, str], ca: str
    ) -> None:
        """Let another server answer an exchange. Raises Unreachable; TooLarge, as the body's pieces
        do.

        The client's own credentials go no further; `headers` say who it is. Of upgrades only
        WebSockets are passed on; whoever asks for another is answered as without.
        """
        passed = CIMultiDict(
            (name, value)
            for name, value in exchange.headers.items()
            if name not in _HOP
            and name not in _WEBSOCKET
            and not name.startswith(("x-remote-", "impersonate-"))
        )
        passed.update(headers)
        if not isinstance(body, bytes) and exchange.length is not None:
            passed["Content-Length"] = str(exchange.length)
        if exchange.headers.get("upgrade", "").lower() == "websocket":
            await self._bridge(exchange, url, passed, ca)
            return
        try:
            answer = await self._pool().request(
                exchange.method, URL(url, encoded=True), data=body or None, headers=passed,
                ssl=self._trust(ca), allow_redirects=False,
            )  # fmt: skip
        except _LOST as error:
            if isinstance(error.__cause__, TooLarge):
                raise error.__cause__ from None
            raise Unreachable(f"{_origin(url)} does not answer: {error}") from error
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
        kind = kept.pop("Content-Type", "application/octet-stream")
        try:
            await exchange.stream(answer.status, _body(answer), kind, kept)
        finally:
            answer.close()

    async def fetch(self, url: str, headers: Mapping[str, str]) -> bytes:
        """The body of a successful GET. Raises Unreachable for everything else."""
        try:
            async with self._pool().get(URL(url, encoded=True), headers=headers) as answer:
                if answer.status != 200:
                    raise Unreachable(f"{url} answers {answer.status}")
                return await answer.read()
        except _LOST as error:
            raise Unreachable(f"{_origin(url)} does not answer: {error}") from error

    def renew(self) -> None:
        """Show from now on what is in the files of our certificate and key."""
        self._tls.clear()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _bridge(
        self, exchange: Exchange, url: str, headers: CIMultiDict[str], ca: str
    ) -> None:
        """Join the client's WebSocket and one to the other server."""
        offered = exchange.headers.get("sec-websocket-protocol", "")
        protocols = tuple(part.strip() for part in offered.split(",") if part.strip())
        try:
            far = await self._pool().ws_connect(
                URL(url, encoded=True), protocols=protocols, headers=headers,
                ssl=self._trust(ca), max_msg_size=0, autoping=True,
            )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            await exchange.respond(error.status, error.message.encode(), "text/plain", {})
            return
        except _LOST as error:
            raise Unreachable(f"{_origin(url)} does not answer: {error}") from error
        try:
            await exchange.join(far)
        finally:
            await far.close()

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(self._unix) if self._unix else None,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
            )  # fmt: skip
        return self._session

    def _trust(self, ca: str) -> ssl.SSLContext:
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


async def _body(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except _LOST as error:
        # the client must not take this for the end: its stream breaks off too
        raise ConnectionResetError(f"the other server broke off: {error}") from error


def _origin(url: str) -> str:
    return str(URL(url, encoded=True).origin())
