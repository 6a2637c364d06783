"""A server and certificates for the tests of serving and of the clients."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from athanor.client.target import Target
from athanor.kit.clock import SystemClock
from athanor.kit.http import Exchange, HttpServer, TooLarge, server_tls
from athanor.local.pki import Pki

Handler = Callable[[Exchange], Awaitable[None]]


class World:
    """Keys in a folder, and how to reach what is served with them."""

    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder / "pki", SystemClock().now())
        self.shown = self.pki.server()
        self.me = self.pki.client("me", ("a", "b"))

    def tls(self) -> ssl.SSLContext:
        return server_tls(
            str(self.shown.certificate), str(self.shown.key), str(self.shown.authority)
        )

    def target(self, port: int, *, known: bool = True) -> Target:
        return Target(
            server=f"https://127.0.0.1:{port}",
            ca=self.pki.authority.read_text(),
            certificate=self.me.certificate.read_text() if known else "",
            key=self.me.key.read_text() if known else "",
        )

    @asynccontextmanager
    async def serving(self, handler: Handler) -> AsyncIterator[int]:
        server = HttpServer(handler)
        port = await server.start("127.0.0.1", 0, self.tls())
        try:
            yield port
        finally:
            await server.close()


class Line:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, world: World, port: int) -> Line:
        settings = ssl.create_default_context(cafile=str(world.pki.authority))
        settings.load_cert_chain(world.me.certificate, world.me.key)
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=settings))

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in head[1:] if line)
        return int(head[0].split()[1]), {name.lower(): value for name, _, value in pairs}

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(await self.reader.readline(), 16):
                parts.append(await self.reader.readexactly(size))
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
            return status, b"".join(parts)
        return status, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def ended(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


async def echo(exchange: Exchange) -> None:
    """A handler that says what it was asked, and by whom."""
    try:
        body = await exchange.body(1000)
    except TooLarge as error:
        await exchange.respond(413, str(error).encode(), "text/plain", {})
        return
    said = f"{exchange.method} {exchange.path} {list(exchange.query)} {body!r}"
    peer = exchange.peer
    headers = {"X-Peer": f"{peer.name}:{','.join(peer.organizations)}" if peer else "nobody"}
    await exchange.respond(200, said.encode(), "text/plain", headers)
