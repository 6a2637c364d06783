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
from typing import BinaryIO

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
"""Logs of pods that have finished that are read at the same time."""
FOLLOWED = 512
"""Logs of pods that are on their way out that are followed at the same time: some take hours."""
MOST = 50 << 20
"""Bytes of one container's log: what a kubelet keeps of it."""
AGAIN = (2.0, 10.0, 60.0, 300.0, 1800.0, 3600.0)
"""Seconds after which a log that broke off is read again: the server or the kubelet restarts."""
PIECE = 1 << 16
"""Bytes of a line that are held; what is longer is written in pieces."""

_NOTHING = ("BadRequest", "NotFound")  # a kubelet's words for: there is nothing to read


class Collector:
    """Follows pods of gangs and reads those that end."""

    def __init__(self, client: Client, root: Path, dice: Callable[[], float]) -> None:
        self._client = client
        self._root = root
        self._coming = root.with_name("coming")
        self._turns, self._follows = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(FOLLOWED)
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
        turns = self._turns if over else self._follows
        task = asyncio.ensure_future(self._keep(pod, target, turns))
        self._reading[uid] = task
        task.add_done_callback(lambda _: self._reading.pop(uid, None))

    async def _keep(self, pod: JSON, target: Path, turns: asyncio.Semaphore) -> None:
        meta = pod["metadata"]
        coming = self._coming / meta["uid"]
        try:
            for pause in AGAIN:
                async with turns:
                    if not await self._is_there(pod) or await self._read(pod, coming):
                        break
                await asyncio.sleep(pause)
            if not any(path.stat().st_size for path in coming.glob("*/0.log")):
                return
            (coming / MARK).write_bytes(msgspec.json.encode(gateway.mark(pod)))
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(coming, target)
        except OSError as error:
            title = f"{meta['namespace']}/{meta['name']}"
            log.warning("the logs of %s are not kept: %s", title, error)
        finally:
            shutil.rmtree(coming, ignore_errors=True)

    async def _is_there(self, pod: JSON) -> bool:
        """Whether its name is still its own, as far as anybody knows: the next attempt's pod has
        the same.
        """
        meta = pod["metadata"]
        try:
            now = await self._client(calls.get(Pod, meta["name"], meta["namespace"]))
        except ApiError as error:
            return error.reason != "NotFound"
        return now.metadata.uid == str(meta["uid"])

    async def _read(self, pod: JSON, folder: Path) -> bool:
        """Read all containers; whether to their ends."""
        names = [container["name"] for container in pod["spec"]["containers"]]
        return all([await self._copy(pod, name, folder / name) for name in names])

    async def _copy(self, pod: JSON, container: str, folder: Path) -> bool:
        """Write what a container wrote; whether that is all."""
        whole = True
        with _fresh(folder) as file:
            try:
                await self._write(pod, container, file)
            except ApiError as error:  # it never started, or somebody on the way is away
                meta = pod["metadata"]
                log.info("pod %s/%s: %s", meta["namespace"], meta["name"], error.message)
                whole = error.reason in _NOTHING
        _settle(folder)
        return whole

    async def _write(self, pod: JSON, container: str, file: BinaryIO) -> None:
        """Write the log as it comes, until its end or `MOST`. Raises ApiError."""
        meta = pod["metadata"]
        request = calls.log(meta["name"], meta["namespace"], container=container, follow=True)
        stream = await self._client.transport.stream(request)
        lines, size = Lines(), 0
        try:
            async for chunk in stream.chunks:
                size += file.write(lines.feed(chunk))
                if size > MOST:
                    break
        finally:
            file.write(lines.end())


def _fresh(folder: Path) -> BinaryIO:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (folder / "0.new").open("wb")


def _settle(folder: Path) -> None:
    """What was read before stays where the new is shorter."""
    kept, fresh = folder / "0.log", folder / "0.new"
    if kept.exists() and kept.stat().st_size > fresh.stat().st_size:
        fresh.unlink()
    else:
        fresh.replace(kept)


class Lines:
    """`TIME TEXT` of a kubelet as a runtime writes it: `TIME stdout F TEXT`, long lines in pieces
    tagged P but for the last one. Holds no more than a piece, whatever a program writes.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._stamp = b""

    def feed(self, chunk: bytes) -> bytes:
        """What came, as far as it is whole lines or pieces."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        out = [self._written(line, b"F") for line in lines]
        if len(rest) > PIECE:
            out.append(self._written(rest, b"P"))
            rest = b""
        self._rest = rest
        return b"".join(out)

    def end(self) -> bytes:
        """What is left of a last line that did not end."""
        rest, self._rest = self._rest, b""
        return self._written(rest, b"F") if rest or self._stamp else b""

    def _written(self, text: bytes, tag: bytes) -> bytes:
        if not self._stamp:
            self._stamp, _, text = text.partition(b" ")
        out = b"%b stdout %b %b\n" % (self._stamp, tag, text)
        if tag == b"F":
            self._stamp = b""
        return out
