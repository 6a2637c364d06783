"""Keeps the hosts files of the node's pods current, in place, a moment after something changed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from athanor.api.meta import JSON
from athanor.local.agent.plan import names

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker

_HOSTS = Path("/etc/hosts")  # the machine's own: for pods in its network
_REST = 0.05  # seconds in which changes gather
_SHARE = 10  # at most this part of the time goes into hosts files: 500 pods have 500 of them


class Directory:
    """Who has which address. `services` gives the Services as they are now, `elsewhere` the lines
    of a gang's ranks on other nodes, by namespace and subdomain.
    """

    def __init__(
        self, workers: dict[str, Worker], services: Callable[[], list[JSON]],
        elsewhere: Callable[[str, str], str], gateway: str,
    ) -> None:  # fmt: skip
        self._workers = workers
        self._services = services
        self._elsewhere = elsewhere
        self._gateway = gateway
        self._changed: set[str] = set()
        self._shared: dict[str, str] = {}
        self._wake = asyncio.Event()

    def touch(self, namespace: str) -> None:
        """Something that has a name changed there."""
        self._changed.add(namespace)
        self._wake.set()

    async def run(self) -> None:
        """Rewrite what changed, until cancelled."""
        loop = asyncio.get_running_loop()
        spent = 0.0
        while True:
            await self._wake.wait()
            await asyncio.sleep(max(_REST, _SHARE * spent))
            self._wake.clear()
            changed, self._changed = self._changed, set()
            begun = loop.time()
            for namespace in changed:
                self.refresh(namespace)
                await asyncio.sleep(0)
            spent = loop.time() - begun

    def text(self, worker: Worker) -> str:
        """A pod's hosts file."""
        namespace = worker.pod["metadata"]["namespace"]
        pods = self._live(namespace)
        services = names.services(self._services(), namespace, pods)
        subdomain = worker.pod["spec"].get("subdomain") or ""
        return self._text(worker, self._group(namespace, subdomain, pods) + services)

    def refresh(self, namespace: str) -> None:
        """Rewrite the hosts files of a namespace's pods where they differ."""
        pods = self._live(namespace)
        services = names.services(self._services(), namespace, pods)
        groups: dict[str, str] = {}
        for worker in list(self._workers.values()):
            pod = worker.pod
            if pod["metadata"]["namespace"] != namespace or worker.finished:
                continue
            subdomain = pod["spec"].get("subdomain") or ""
            if subdomain not in groups:
                groups[subdomain] = self._group(namespace, subdomain, pods)
            shared = groups[subdomain] + services
            if self._shared.get(worker.uid) != shared:
                self._write(worker, shared)

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._shared.pop(uid, None)

    def _write(self, worker: Worker, shared: str) -> None:
        path = worker.preparation.folder / "hosts"
        if path.exists():
            text = self._text(worker, shared)
            with path.open("r+") as file:  # in place: the pod has this very file mounted
                file.write(text)
                file.truncate()
            self._shared[worker.uid] = shared

    def _group(self, namespace: str, subdomain: str, pods: list[tuple[JSON, str]]) -> str:
        return names.group(subdomain, pods) + self._elsewhere(namespace, subdomain)

    def _live(self, namespace: str) -> list[tuple[JSON, str]]:
        return [
            (worker.pod, worker.preparation.reached_at)
            for worker in self._workers.values()
            if worker.pod["metadata"]["namespace"] == namespace
            and worker.node.apart  # others cannot have a hosts file of their own
            and not worker.finished
        ]

    def _text(self, worker: Worker, shared: str) -> str:
        made = worker.preparation
        if made.address:
            return names.hosts(worker.pod, made.address, self._gateway, shared)
        known = _HOSTS.read_text(encoding="utf-8", errors="replace") if _HOSTS.exists() else ""
        return names.hosts(
            worker.pod, made.reached_at, "", shared + known, machine=socket.gethostname()
        )
