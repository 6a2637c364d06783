"""Keeps the hosts files of the node's pods current, in place, a moment after something changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from athanor.api.meta import JSON
from athanor.local.agent.plan import names

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker

_REST = 0.05  # seconds in which changes gather


class Directory:
    """Who has which address. `services` gives the Services as they are now."""

    def __init__(
        self, workers: dict[str, Worker], services: Callable[[], list[JSON]], gateway: str
    ) -> None:
        self._workers = workers
        self._services = services
        self._gateway = gateway
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    def touch(self, namespace: str) -> None:
        """Something that has a name changed there."""
        self._changed.add(namespace)
        self._wake.set()

    async def run(self) -> None:
        """Rewrite what changed, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_REST)
            self._wake.clear()
            changed, self._changed = self._changed, set()
            for namespace in changed:
                self.refresh(namespace)
                await asyncio.sleep(0)

    def text(self, worker: Worker) -> str:
        """A pod's hosts file."""
        namespace = worker.pod["metadata"]["namespace"]
        return self._text(worker, self._live(namespace))

    def refresh(self, namespace: str) -> None:
        """Rewrite the hosts files of a namespace's pods where they differ."""
        live = self._live(namespace)
        for worker in live:
            path = worker.preparation.folder / "hosts"
            text = self._text(worker, live)
            if path.exists() and path.read_text() != text:
                with path.open("r+") as file:  # in place: the pod has this very file mounted
                    file.write(text)
                    file.truncate()

    def _live(self, namespace: str) -> list[Worker]:
        return [
            worker
            for worker in self._workers.values()
            if worker.pod["metadata"]["namespace"] == namespace
            and worker.preparation.address
            and not worker.finished
        ]

    def _text(self, worker: Worker, live: list[Worker]) -> str:
        peers = [(other.pod, other.preparation.address) for other in live if other is not worker]
        return names.hosts(
            worker.pod, worker.preparation.address, self._gateway, peers, self._services()
        )
