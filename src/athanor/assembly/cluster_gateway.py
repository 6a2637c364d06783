"""`athanor gateway`: the gateway as a cluster's Deployment runs it, one replica with a volume.

The API server passes requests for `gateway.athanor.dev` on to it, with the certificate that the
cluster's own configuration names (`extension-apiserver-authentication`); the gateway's certificate
is signed by an authority of its own, which it writes into the APIService. That is there only while
the gateway is: namespaces are not deleted while a group does not answer. What its workspaces'
programs ask for is made from a Secret that the controllers read, too.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import random
import secrets
import shutil
import signal
from pathlib import Path

from msgspec import Struct

from athanor.api.core import Secret
from athanor.api.registry import of
from athanor.assembly.aggregated import GATEWAY, REMIND, announce, withdraw
from athanor.assembly.front import Known, front
from athanor.assembly.gateway import Place, working
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.client.target import Target
from athanor.gateway import archive, bundles, collect
from athanor.gateway.collect import Collector
from athanor.kit.clock import SystemClock
from athanor.kit.http import HttpServer
from athanor.local.shown import Shown
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

KEY = "secret"


class Seat(Struct, frozen=True, kw_only=True):
    """Where it is: its namespace, where it listens (host:port), its folder, its address for
    browsers ("" when there is none: then workspaces are not opened through it), the APIService's
    port.
    """

    namespace: str
    listen: str
    data: Path
    url: str = ""
    port: int = 443


async def shared_secret(client: Client, namespace: str) -> str:
    """What gateway and controllers share; made by whoever comes first. Raises ApiError."""
    resource = of(Secret)
    path = resource.path(namespace, GATEWAY.name)
    while True:
        found = await client(calls.raw("GET", path))
        held = (found.get("data") or {}).get(KEY)
        if held:
            return base64.b64decode(held).decode()
        made = base64.b64encode(secrets.token_hex(32).encode()).decode()
        guard = {"resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            body = {"metadata": guard, "data": {KEY: made}}
            await client(calls.patch(resource, GATEWAY.name, namespace, body))
        except ApiError as error:
            if error.reason != "Conflict":
                raise


async def serve(target: Target, seat: Seat) -> None:
    """Serve until SIGTERM or SIGINT. Raises ApiError when the cluster lets it not."""
    clock, transport = SystemClock(), Http(target)
    client = Client(transport)
    try:
        first = await front(client)
        secret = await shared_secret(client, seat.namespace)
    finally:
        await transport.close()
    logs = Http(target, connections=1 + collect.AT_ONCE + collect.FOLLOWED)
    known = Known(Client(logs), first)
    seat.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    trusted = seat.data / "front.crt"
    trusted.write_text(first.authority)
    name = f"{GATEWAY.name}.{seat.namespace}.svc"
    shown = Shown(seat.data / "pki", clock, hosts=[name], name=GATEWAY.name, trusts=str(trusted))
    place = Place(
        secret=secret, archive=seat.data / "archive", bundles=seat.data / "bundles",
        scratch=seat.data / "folder", front=known.knows, room=room(seat.data),
    )  # fmt: skip
    async with working(lambda: target, clock, place) as parts:
        parts.proxy.url = seat.url
        server = HttpServer(parts.answer)
        host, _, port = seat.listen.rpartition(":")
        log.info("listens on port %d", await server.start(host.strip("[]"), int(port), shown.tls))

        async def tell(authority: bytes) -> None:
            await known.look(shown.tls)
            await announce(parts.client, GATEWAY, seat.namespace, seat.port, authority)

        await tell(shown.authority)
        renewing = asyncio.ensure_future(shown.run(tell, REMIND))
        collector = asyncio.ensure_future(
            Collector(Client(logs), place.archive, random.random).run()
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, collector.cancel)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await collector
        finally:
            renewing.cancel()
            await withdraw(parts.client, GATEWAY, shown.authority)
            await server.close(1.0)
            await logs.close()


def room(volume: Path) -> int:
    """Bytes that logs may take: what uploaded code leaves of a small volume."""
    rest = 1 - bundles.ALL
    return min(archive.ROOM, int(shutil.disk_usage(volume).total * rest))
