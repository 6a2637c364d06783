"""`athanor controllers`: every controller of ours against a cluster; of several one leads.

Answers `/livez`, `/readyz` and `/metrics`. Nodes' health is Kubernetes' own business there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from functools import partial

from msgspec import Struct

from athanor.assembly.cluster_gateway import shared_secret
from athanor.assembly.cluster_visibility import Place, serve
from athanor.assembly.controllers import all_controllers
from athanor.assembly.install.parts import LEASE
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.client.target import Target
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.plan import Planner
from athanor.features.workspaces.build import Gateway
from athanor.kit import memory
from athanor.kit.clock import Clock, SystemClock
from athanor.kit.exchange import Exchange
from athanor.kit.http import HttpServer
from athanor.kit.telemetry import CONTENT_TYPE, Gauge, Registry
from athanor.runtime.lease import RETRY, Elector
from athanor.runtime.manager import Manager
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

LAPTOP_ONLY = frozenset({"nodes", "single-pods"})
"""Controllers for what a cluster has its own: kube-controller-manager and kube-scheduler."""
_NO_SECRET = (
    "nobody looks after workspaces before this process is restarted, and `athanor install` has "
    "made anew what is missing: %s"
)
_TEXT = "text/plain; charset=utf-8"


class Seat(Struct, frozen=True, kw_only=True):
    """Who this replica is: its identity, where its lease lies, where it answers (host:port).

    `image` is where pods of jobs find our helpers, `gateway` where browsers reach workspaces,
    `visible` where the leader answers `visibility.athanor.dev` (None: nowhere).
    """

    identity: str
    namespace: str
    listen: str = ""
    image: str = "host"
    gateway: str = ""
    visible: Place | None = None


class Replica:
    """One of several processes; works while it holds the lease."""

    def __init__(self, client: Client, seat: Seat, clock: Clock) -> None:
        self._client = client
        self._seat = seat
        self._clock = clock
        self.elector = Elector(
            client, seat.namespace, LEASE, seat.identity, clock, caution=2 * RETRY
        )
        self._manager: Manager | None = None
        self.metrics = Registry()
        self.metrics.add(
            Gauge("athanor_leader", "1 while this replica holds the lease", self._leads)
        )
        self._meters = Meters(time.perf_counter)
        self._meters.join(self.metrics)

    def _leads(self) -> dict[tuple[str, ...], float]:
        return {(): float(self.elector.leading)}

    @property
    def ready(self) -> bool:
        """Whether it works, or stands by for the lease."""
        return self._manager is None or self._manager.ready

    async def run(self) -> None:
        """Lead whenever possible, until cancelled."""
        try:
            while True:
                await self.elector.lead(self._work)
                memory.unsettle()  # else the caches of each term would stay beside the next one's
        finally:
            await asyncio.shield(self.elector.release())

    async def _work(self) -> None:
        log.info("%s leads", self._seat.identity)
        planner = Planner(meters=self._meters, home=self._seat.namespace)
        where = await self._gateway()
        every = all_controllers(planner=planner, where=where, image=self._seat.image, stamped=False)
        left = LAPTOP_ONLY if where is not None else {*LAPTOP_ONLY, "workspaces"}
        controllers = [c for c in every if c.name not in left]
        self._manager = Manager(self.elector.client, controllers, self._clock, random.random)
        beside = [asyncio.ensure_future(_settle(self._manager))]
        if self._seat.visible is not None:
            answers = serve(self._client, planner, self._clock, self._seat.visible)
            beside.append(asyncio.ensure_future(answers))
        try:
            await self._manager.run()
        finally:
            self._manager = None
            self._meters.resign()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _gateway(self) -> Gateway | None:
        """Where workspaces are reached, and what only they and the gateway know, from the first on:
        it may get an address later. None where the secret is not there; all else goes on.
        """
        try:
            secret = await shared_secret(self._client, self._seat.namespace)
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            log.error(_NO_SECRET, error.message)
            return None
        return Gateway(url=self._seat.gateway, secret=secret)

    def told(self) -> bytes:
        """Its metrics, and while it leads those of its controllers, in Prometheus' text format."""
        loops = self._manager.metrics() if self._manager is not None else ""
        return self.metrics.text() + loops.encode()

    async def answer(self, exchange: Exchange) -> None:
        """What probes and Prometheus ask."""
        respond = partial(exchange.respond, content_type=_TEXT, headers={})
        if exchange.path == "/metrics":
            await exchange.respond(200, self.told(), content_type=CONTENT_TYPE, headers={})
        elif exchange.path == "/livez" or (exchange.path == "/readyz" and self.ready):
            await respond(200, b"ok")
        elif exchange.path == "/readyz":
            await respond(503, b"the caches are not filled yet")
        else:
            await respond(404, b"there are /livez, /readyz and /metrics")


async def _settle(manager: Manager) -> None:
    await manager.filled()
    memory.settle()


async def lead(target: Target, seat: Seat, clock: Clock | None = None) -> None:
    """Serve and stand for election until SIGTERM or SIGINT; then give the lease back.

    Raises what ended the work otherwise.
    """
    transport = Http(target)
    replica = Replica(Client(transport), seat, clock or SystemClock())
    server = HttpServer(replica.answer)
    try:
        if seat.listen:
            host, _, port = seat.listen.rpartition(":")
            log.info("listens on port %d", await server.start(host.strip("[]"), int(port), None))
        task = asyncio.ensure_future(replica.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
    finally:
        await server.close()
        await transport.close()
