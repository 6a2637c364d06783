"""`python -m athanor.assembly.server`: the API server as a process, over a data directory."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from athanor.assembly import bootstrap, identities
from athanor.assembly.layout import DataDir
from athanor.assembly.watchman import GIVE_UP
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.kit import http, loop, memory, ready
from athanor.kit.clock import Clock, SystemClock
from athanor.kit.ids import RandomIds
from athanor.kit.times import rfc3339
from athanor.local.apiserver.audit import Audit
from athanor.local.apiserver.auth import bootstrap as roles
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.handle import ApiServer
from athanor.local.apiserver.http import ApiHttp
from athanor.local.apiserver.observe import Observatory
from athanor.local.pki import Pki
from athanor.local.shown import EVERY, Shown
from athanor.local.store.model import StoreError
from athanor.local.store.store import Store
from athanor.wire.request import User

log = logging.getLogger(__name__)

MYSELF = User(name="system:apiserver", groups=("system:masters", "system:authenticated"))
ONWARD = ("kube-apiserver-kubelet-client", ("system:masters",))
"""Who we are to nodes and to aggregated servers: user and groups."""


class Server:
    """Everything that one API server is made of. `open` makes it, `close` ends it."""

    def __init__(self, data: DataDir, clock: Clock) -> None:
        """Raises StoreError when the data file cannot be used."""
        self.data = data
        self.clock = clock
        self.pki = Pki(data.pki, clock.now())
        self.store = Store.open(data.store)
        found = self.store.found
        level = logging.WARNING if found.unusual else logging.INFO
        log.log(level, "%s; the last change is revision %d", found, self.store.revision)
        self.auth = Auth(self.store, clock, self.pki.signing_key())
        self.audit = Audit(data.audit, clock)
        observatory = Observatory(self.store, self.audit)
        self.api = ApiServer(
            self.store, clock=clock, ids=RandomIds(),
            authenticator=self.auth, authorizer=self.auth, observatory=observatory,
        )  # fmt: skip
        self.api.core.authority = self.pki.authority.read_text()
        self.api.follow(self.auth)
        self.onward = self._onward()
        self.http = ApiHttp(self.api.handle, onward=self.onward)
        self._renewing: asyncio.Task[None] | None = None
        observatory.add_in_flight(self.http.in_flight, self.http.in_queue)

    async def open(self, sockets: Sequence[socket.socket], every: float = EVERY) -> None:
        """Bring the basic objects up to date, then serve; look at certificates `every` seconds."""
        ids = RandomIds()
        await roles.reconcile(self.store, rfc3339(self.clock.now()), ids.uid, self.auth.changed)
        await roles.gather(self.store, self.auth.rbac, self.auth.changed)
        await self.api.crds.install()
        await bootstrap.ensure(
            Client(InProcess(self.api.handle, user=MYSELF)), bootstrap.manifests()
        )
        shown = Shown(self.data.pki, self.clock, hosts=_listen(self.data))
        self._renewing = asyncio.ensure_future(shown.run(self._renew, every))
        await self.http.adopt(sockets, shown.tls)

    async def close(self) -> None:
        """End connections, finish what was accepted, close the store."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self.http.close()
        await self.store.close()
        self.audit.close()

    def _onward(self) -> http.Onward:
        me = self.pki.client(*ONWARD)
        return http.Onward(
            ca=self.pki.authority.read_text(), certificate=str(me.certificate), key=str(me.key)
        )

    async def _renew(self, _authority: bytes) -> None:
        """What clients show is renewed with what the server shows."""
        pki = Pki(self.data.pki, self.clock.now())
        pki.client(*ONWARD)
        self.onward.renew()
        identities.renew(self.data, pki)


def _listen(data: DataDir) -> list[str]:
    try:
        listen = json.loads(data.settings.read_text(encoding="utf-8")).get("listen", "")
    except (OSError, ValueError):
        return []
    return [listen] if listen and listen not in ("0.0.0.0", "::") else []


def adopted(numbers: str) -> list[socket.socket]:
    """The listening sockets that the watchman handed over, by descriptor."""
    return [socket.socket(fileno=int(number)) for number in numbers.split(",")]


async def serve(data: DataDir, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = Server(data, SystemClock())
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await server.open(sockets)
        memory.settle()
        ready.announce()
        await ended.wait()
    finally:
        await server.close()


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="athanor-server", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="the data directory")
    parser.add_argument("--sockets", required=True, help="descriptors of listening sockets")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        loop.run(serve(DataDir(options.data), adopted(options.sockets)))
    except StoreError as error:
        print(error, file=sys.stderr)
        return GIVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
