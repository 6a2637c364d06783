"""`visibility.athanor.dev`: the door in the scheduler's process, and how the API server finds it.

An APIService says where; the API server authenticates and authorizes each request and passes it on
with a client certificate of its own. Nobody else is answered here. On a cluster it is
`cluster_visibility`'s. Questions that plan again are
answered in a thread, one at a time, so that the scheduler goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from athanor.assembly.aggregated import FRONT, HOME, VISIBILITY, announce
from athanor.assembly.layout import DataDir
from athanor.client.protocol import Client
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.visibility import ROOT, Visibility
from athanor.kit.clock import Clock
from athanor.kit.exchange import Peer
from athanor.kit.http import Exchange, HttpServer
from athanor.kit.telemetry import CONTENT_TYPE
from athanor.local.shown import Shown
from athanor.wire.request import Request, Response
from athanor.wire.status import ApiError

_LONG = ("/changes", "/start", "/latest")


class Door:
    """Answers what the API server passes on, from a planner's memory."""

    def __init__(self, planner: Planner, front: Callable[[Peer], bool]) -> None:
        self._front = front
        self._visibility = Visibility(planner)
        self._metrics = planner.meters.registry()
        self._one = asyncio.Lock()

    async def handle(self, request: Request) -> Response:
        """Answer a request that has been authorized."""
        if request.path.rstrip("/") == f"{ROOT}/metrics":  # cluster-wide, as RBAC sees it
            return Response(body=self._metrics.text(), content_type=CONTENT_TYPE)
        if not request.path.rstrip("/").endswith(_LONG):
            return self._visibility.answer(request)
        async with self._one:
            return await asyncio.to_thread(self._visibility.answer, request)

    async def serve(self, exchange: Exchange) -> None:
        """Answer over HTTP; only the API server is let in."""
        peer = exchange.peer
        if peer is None or not self._front(peer):
            text = "visibility is reached through the API server"
            answer = ApiError("Unauthorized", text).response()
        else:
            request = Request(method=exchange.method, path=exchange.path, query=exchange.query)
            answer = await self.handle(request)
        await exchange.respond(
            answer.status, answer.body, answer.content_type, dict(answer.headers)
        )


@asynccontextmanager
async def door(
    client: Client, planner: Planner, data: DataDir, clock: Clock
) -> AsyncIterator[None]:
    """Serve on a free port of loopback, and tell the API server."""
    shown = Shown(data.pki, clock, name=VISIBILITY.name)
    server = HttpServer(Door(planner, lambda peer: peer.name == FRONT).serve)
    port = await server.start("127.0.0.1", 0, shown.tls)
    tell = partial(announce, client, VISIBILITY, HOME, port)
    renewing = asyncio.ensure_future(shown.run(tell))
    try:
        await tell(shown.authority)
        yield
    finally:
        renewing.cancel()
        await server.close(0.2)
