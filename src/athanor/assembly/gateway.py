"""The gateway: what it is made of, and how it is served beside the controllers of a laptop.

There it has an identity and a port of its own, on loopback; its secret and its port stay the same
over restarts, so that open pages stay good. On a cluster it is `cluster_gateway`'s.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from athanor.api.gateway import ROOT
from athanor.api.workspaces import Workspace
from athanor.assembly.aggregated import FRONT, GATEWAY, HOME, announce
from athanor.assembly.layout import DataDir
from athanor.client import identity
from athanor.client.http import Http
from athanor.client.kubeconfig import reader
from athanor.client.portforward import PortForward
from athanor.client.protocol import Client
from athanor.client.target import Target
from athanor.features.workspaces.build import Gateway
from athanor.gateway.activity import EVERY, Activities
from athanor.gateway.archive import ROOM, Archive
from athanor.gateway.bundles import Bundles
from athanor.gateway.door import Door
from athanor.gateway.proxy import Proxy
from athanor.gateway.reports import Reports
from athanor.gateway.spaces import Spaces
from athanor.gateway.unused import Unused
from athanor.kit.clock import Clock
from athanor.kit.exchange import Exchange, Peer
from athanor.kit.http import HttpServer
from athanor.local.pki import write_private
from athanor.local.shown import Shown
from athanor.runtime.cache import Cache
from athanor.runtime.informer import Informer

Up = Callable[[], Mapping[str, Workspace]]
"""The workspaces that run, by uid."""


class Place(Struct, frozen=True, kw_only=True):
    """What a gateway knows from elsewhere: its secret, its folders, the bytes that logs may take
    there, who the API server is.
    """

    secret: str
    archive: Path
    bundles: Path
    scratch: Path  # the file that names the gateway's folder for sockets
    front: Callable[[Peer], bool]
    room: int = ROOM


class Parts(Struct, frozen=True):
    """A gateway at work: its answers, and where they are known to be."""

    client: Client
    proxy: Proxy
    answer: Callable[[Exchange], Awaitable[None]]


@asynccontextmanager
async def working(who: Callable[[], Target], clock: Clock, place: Place) -> AsyncIterator[Parts]:
    """Everything but the port, until left. `who` it is, is asked again and again."""
    target = who()
    transport = Http(target)
    client, cache = Client(transport), Cache[Workspace]()
    with scratch(place.scratch) as folder:
        forward = PortForward(target)
        proxy = Proxy(client, forward, clock, place.secret, cache.get, folder)
        activities = Activities(client, clock, place.secret, proxy.road)
        proxy.notes = activities
        archive, bundles = Archive(place.archive), Bundles(place.bundles)
        door = Door(archive, bundles, Reports(client), Spaces(client), clock, place.front)

        async def answer(exchange: Exchange) -> None:
            await (door if exchange.path.startswith(ROOT) else proxy).serve(exchange)

        def up() -> Mapping[str, Workspace]:
            return {w.metadata.uid: w for w in cache if w.status.phase in ("Running", "Idle")}

        informer = Informer(client, Workspace, cache, lambda change: None, random.random)
        unused = Unused(client, bundles, archive, clock)
        jobs = (
            informer.run(), _roads(proxy, up), activities.run(up), archive.run(place.room),
            unused.run(), identity.keep(who, transport, forward),
        )  # fmt: skip
        tasks = [asyncio.ensure_future(job) for job in jobs]
        try:
            yield Parts(client, proxy, answer)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await proxy.close()
            await transport.close()


@contextmanager
def scratch(note: Path) -> Iterator[Path]:
    """A folder with a path short enough for sockets.

    `note` says where it is, so that the next to start removes what one that was killed left.
    """
    if note.exists():
        shutil.rmtree(note.read_text(encoding="utf-8"), ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix="athanor-gateway-") as folder:
            write_private(note, folder.encode())
            yield Path(folder)
    finally:
        note.unlink(missing_ok=True)


@asynccontextmanager
async def serving(data: DataDir, clock: Clock) -> AsyncIterator[Gateway]:
    """Serve until left; what it gives tells the controllers where workspaces are reached."""
    place = Place(
        secret=_secret(data), archive=data.archive, bundles=data.bundles,
        scratch=data.run / "gateway.folder", front=_is_front,
    )  # fmt: skip
    async with working(reader([data.kubeconfig("gateway")]), clock, place) as parts:
        server, shown = HttpServer(parts.answer), Shown(data.pki, clock)
        port = await _listen(server, data, shown)
        parts.proxy.url = f"https://127.0.0.1:{port}"
        tell = partial(announce, parts.client, GATEWAY, HOME, port)
        renewing = asyncio.ensure_future(shown.run(tell))
        try:
            await tell(shown.authority)
            yield Gateway(url=parts.proxy.url, secret=place.secret)
        finally:
            renewing.cancel()
            await server.close(0.2)


def _is_front(peer: Peer) -> bool:
    return peer.name == FRONT


async def _roads(proxy: Proxy, up: Up) -> None:
    while True:
        await proxy.ready(up())
        await asyncio.sleep(EVERY / 2)


def _secret(data: DataDir) -> str:
    path = data.pki / "gateway.secret"
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode())
    return path.read_text(encoding="ascii")


async def _listen(server: HttpServer, data: DataDir, shown: Shown) -> int:
    """Take the port of last time, or a free one."""
    file = data.run / "gateway.port"
    last = file.read_text(encoding="ascii") if file.exists() else "0"
    try:
        port = await server.start("127.0.0.1", int(last), shown.tls)
    except OSError:
        port = await server.start("127.0.0.1", 0, shown.tls)
    write_private(file, str(port).encode())
    return port
