"""A data file that an early version wrote: opened, brought up to date, nothing of it lost."""

from __future__ import annotations

import asyncio
import lzma
from pathlib import Path
from typing import Any

from athanor.api import crd
from athanor.assembly import bootstrap
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.kit.times import rfc3339
from athanor.local.apiserver.auth import bootstrap as roles
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire import calls
from athanor.wire.request import User

FIRST = Path(__file__).parents[1] / "store" / "first.db.xz"
"""Written by the first server that ran whole: 13 objects of ten kinds beside the server's own."""
ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))


async def _started(path: Path) -> tuple[ApiServer, Client]:
    """What a server does with its data when it starts."""
    clock, ids = FixedClock(1_795_000_000.0), SeededIds(11)
    store = Store.open(path)
    auth = Auth(store, clock, b"k" * 32)
    server = ApiServer(store, clock=clock, ids=ids, authenticator=auth, authorizer=auth)
    server.follow(auth)
    await roles.reconcile(store, rfc3339(clock.now()), ids.uid, auth.changed)
    await server.crds.install()
    client = Client(InProcess(server.handle, user=ADMIN))
    await bootstrap.ensure(client, bootstrap.manifests())
    return server, client


def test_an_early_data_file_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(lzma.decompress(FIRST.read_bytes()))
    core, ours = "/api/v1/namespaces/team", "/apis/athanor.dev/v1alpha1/namespaces/team"

    async def main() -> None:
        store = Store.open(path)
        before = {row.key: row for resource in store.counts() for row in store.rows(resource)}
        await store.close()
        server, client = await _started(path)

        async def get(where: str) -> Any:
            return await client(calls.raw("GET", where))

        assert (await get(f"{core}/secrets/key"))["data"] == {"k": "dg=="}
        assert (await get("/apis/example.org/v1/namespaces/team/cups/blue"))["spec"] == {"size": 2}
        assert (await get(f"{core}/resourcequotas/most"))["status"]["used"] == {"pods": "1"}
        for kind in ("gangs/old", "trainingjobs/train"):
            found = await get(f"{ours}/{kind}")
            found["metadata"]["labels"] = {"seen": "yes"}
            assert (await client(calls.raw("PUT", f"{ours}/{kind}", body=found)))["metadata"]
        for wanted in crd.manifests():
            name = wanted["metadata"]["name"]
            where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            assert (await get(where))["spec"]["versions"][0]["schema"] == (
                wanted["spec"]["versions"][0]["schema"]
            )
        gone = [key for key in before if server.core.store.get(key) is None]
        assert gone == []
        await server.close()
        await server.core.store.close()
        again, _ = await _started(path)
        assert again.core.store.found.upgraded_from == 0
        await again.close()
        await again.core.store.close()

    asyncio.run(main())
