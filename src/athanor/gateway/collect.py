"""Collects the logs of gangs' pods on a cluster, as each of them ends, into the archive.

A pod that has finished, or is being deleted, is read to its end through the API server, as `kubectl
logs -f` would. A pod that is gone before anybody saw it end, or whose node no longer answers, has
left nothing: its kubelet had the only copy.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from athanor.api import gateway, labels
from athanor.api.core import Pod
from athanor.api.gateway import MARK
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.runtime.following import Following
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Logs that are read at the same time."""
MOST = 50 << 20
"""Bytes of one container's log: what a kubelet keeps of it."""


class Collector:
    """Follows pods of gangs and reads those that end."""

    def __init__(self, client: Client, root: Path, dice: Callable[[], float]) -> None:
        self._client = client
        self._root = root
        self._coming = root.with_name("coming")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._following: Following[JSON] = Following(
            client, of(Pod), self, labels=labels.GANG, dice=dice
        )
        self.filled = self._following.filled

    async def run(self) -> None:
        """Work until cancelled."""
        shutil.rmtree(self._coming, ignore_errors=True)
        try:
            await self._following.run()
        finally:
            for task in self._reading.values():
                task.cancel()

    def read(self, body: msgspec.Raw) -> JSON | None:
        """A pod as it is; nothing is kept of it."""
        found: JSON = msgspec.json.decode(body)
        return found

    def replace(self, values: list[JSON], revision: str) -> None:
        """All pods there are."""
        for pod in values:
            self._look(pod)

    def change(self, value: JSON, deleted: bool) -> str:
        """A pod that came, changed or went."""
        if not deleted:
            self._look(value)
        return str(value["metadata"]["resourceVersion"])

    def reached(self, revision: str) -> None:
        """Nothing is kept, so nothing is out of date."""

    def _look(self, pod: JSON) -> None:
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        uid = pod["metadata"]["uid"]
        if uid in self._reading or not (over or pod["metadata"].get("deletionTimestamp")):
            return
        target = self._root / gateway.folder_of(gateway.mark(pod))
        if target.exists():
            return
        task = asyncio.ensure_future(self._keep(pod, target))
        self._reading[uid] = task
        task.add_done_callback(lambda _: self._reading.pop(uid, None))

    async def _keep(self, pod: JSON, target: Path) -> None:
        meta = pod["metadata"]
        coming = self._coming / meta["uid"]
        title = f"{meta['namespace']}/{meta['name']}"
        try:
            async with self._turns:
                if not await self._is_there(pod):
                    return
                sizes = [
                    await self._copy(pod, c["name"], coming) for c in pod["spec"]["containers"]
                ]
            if not any(sizes):
                return
            (coming / MARK).write_bytes(msgspec.json.encode(gateway.mark(pod)))
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(coming, target)
        except OSError as error:
            log.warning("the logs of %s are not kept: %s", title, error)
        finally:
            shutil.rmtree(coming, ignore_errors=True)

    async def _is_there(self, pod: JSON) -> bool:
        """Whether its name is still its own: the next attempt's pod has the same."""
        meta = pod["metadata"]
        try:
            now = await self._client(calls.get(Pod, meta["name"], meta["namespace"]))
        except ApiError:
            return False
        return now.metadata.uid == str(meta["uid"])

    async def _copy(self, pod: JSON, container: str, folder: Path) -> int:
        """Write what a container wrote; how many bytes."""
        meta = pod["metadata"]
        request = calls.log(meta["name"], meta["namespace"], container=container, follow=True)
        rest, size = b"", 0
        try:
            stream = await self._client.transport.stream(request)
        except ApiError as error:  # it never started, or its node is away
            log.info("pod %s/%s: %s", meta["namespace"], meta["name"], error.message)
            return 0
        path = folder / container / "0.log"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as file:
            try:
                async for chunk in stream.chunks:
                    *lines, rest = (rest + chunk).split(b"\n")
                    size += file.write(b"".join(map(_cri, lines)))
                    if size > MOST:
                        break
            except ApiError as error:
                log.info("pod %s/%s: %s", meta["namespace"], meta["name"], error.message)
            size += file.write(_cri(rest) if rest else b"")
        return size


def _cri(line: bytes) -> bytes:
    """`TIME TEXT` as a runtime writes it."""
    stamp, _, text = line.partition(b" ")
    return stamp + b" stdout F " + text + b"\n"
