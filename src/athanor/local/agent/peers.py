"""Ranks on other nodes of a cluster, whose names pods shall resolve without a DNS server.

Endpoints say which rank has which address; a node may read them but not follow them. So they are
read again and again: soon after something changed, ever more rarely while nothing does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from athanor.api.meta import JSON
from athanor.api.registry import by_kind
from athanor.client.protocol import Client
from athanor.local.agent.plan import names
from athanor.wire import calls
from athanor.wire.status import ApiError

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker

SOON, RARELY = 0.5, 20.0
"""Seconds between two readings: the first ones, and those of a gang that has long not changed."""


class Peers:
    """What Endpoints say of the gangs on this node. `changed` is told their namespaces."""

    def __init__(
        self, client: Client, workers: dict[str, Worker], changed: Callable[[str], None]
    ) -> None:
        self._client = client
        self._workers = workers
        self._changed = changed
        self._found: dict[tuple[str, str], JSON] = {}
        self._pauses: dict[tuple[str, str], float] = {}
        self._due: dict[tuple[str, str], float] = {}
        self._here: dict[tuple[str, str], set[str]] = {}

    def lines(self, namespace: str, subdomain: str) -> str:
        """Lines of hosts files for the ranks of a gang that are elsewhere."""
        found = self._found.get((namespace, subdomain))
        return names.elsewhere(found, self._here[namespace, subdomain]) if found else ""

    async def run(self) -> None:
        """Read until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SOON)
            self._look(loop.time())
            for group in [g for g, due in self._due.items() if due <= loop.time()]:
                changed = await self._read(*group)
                pause = SOON if changed else min(RARELY, 2 * self._pauses[group])
                self._pauses[group], self._due[group] = pause, loop.time() + pause

    def _look(self, now: float) -> None:
        """Which gangs are here; one with other ranks than before is read at once."""
        here: dict[tuple[str, str], set[str]] = {}
        for worker in self._workers.values():
            if worker.finished or not (subdomain := worker.pod["spec"].get("subdomain")):
                continue
            group = (worker.pod["metadata"]["namespace"], subdomain)
            here.setdefault(group, set()).add(names.hostname(worker.pod))
        for group, ranks in here.items():
            if ranks != self._here.get(group):
                self._pauses[group], self._due[group] = SOON, now
        for group in self._here.keys() - here.keys():
            for known in (self._found, self._pauses, self._due):
                known.pop(group, None)
        self._here = here

    async def _read(self, namespace: str, subdomain: str) -> bool:
        """Whether the gang's Endpoints are others than before."""
        resource = by_kind("v1", "Endpoints")
        assert resource is not None
        try:
            found = await self._client(calls.raw("GET", resource.path(namespace, subdomain)))
        except ApiError:  # not there yet, or the server does not answer: the next time, then
            return False
        if found.get("subsets") == self._found.get((namespace, subdomain), {}).get("subsets"):
            return False
        self._found[namespace, subdomain] = found
        self._changed(namespace)
        return True
