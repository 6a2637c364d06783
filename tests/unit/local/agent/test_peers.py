"""Ranks on other nodes: what is read, how often, and what pods' hosts files say of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from athanor.api.meta import JSON
from athanor.client.protocol import Client
from athanor.local.agent.peers import RARELY, Peers
from athanor.local.agent.worker import Worker
from athanor.testing import virtual
from athanor.wire.status import ApiError


def rank(number: int) -> Worker:
    pod = {"metadata": {"namespace": "d", "name": f"g-{number}"},
           "spec": {"subdomain": "g", "hostname": f"g-{number}"}}  # fmt: skip
    return cast(Worker, SimpleNamespace(pod=pod, finished=False))


def endpoints(**addresses: str) -> JSON:
    found = [{"hostname": name.replace("_", "-"), "ip": ip} for name, ip in addresses.items()]
    return {"metadata": {"namespace": "d", "name": "g"}, "subsets": [{"notReadyAddresses": found}]}


class Server:
    """Answers with the Endpoints there are, and counts."""

    def __init__(self) -> None:
        self.there: JSON | None = None
        self.asked = 0

    async def __call__(self, call: Any) -> JSON:
        self.asked += 1
        if self.there is None:
            raise ApiError("NotFound", "no Endpoints yet")
        return self.there


def test_ranks_elsewhere_are_named_until_they_move() -> None:
    async def main() -> None:
        server, workers, told = Server(), {"u": rank(0)}, list[str]()
        peers = Peers(cast(Client, server), workers, told.append)
        task = asyncio.ensure_future(peers.run())
        await asyncio.sleep(2)
        assert peers.lines("d", "g") == ""
        server.there = endpoints(g_0="10.0.0.1", g_1="10.0.0.2")
        await asyncio.sleep(5)
        line = "10.0.0.2\tg-1.g.d.svc.cluster.local g-1.g.d.svc g-1.g.d g-1.g g-1\n"
        assert peers.lines("d", "g") == line and told == ["d"]
        server.there = endpoints(g_0="10.0.0.1", g_1="10.0.0.3")
        await asyncio.sleep(RARELY)
        assert peers.lines("d", "g").startswith("10.0.0.3\t") and told == ["d", "d"]
        asked = server.asked
        await asyncio.sleep(10 * RARELY)
        assert server.asked - asked <= 16, "one that does not change is read rarely"
        workers.clear()
        await asyncio.sleep(1)
        asked = server.asked
        await asyncio.sleep(2 * RARELY)
        assert server.asked == asked and peers.lines("d", "g") == ""
        task.cancel()

    virtual.run(main)
