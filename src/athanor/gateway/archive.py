"""Reads the logs of pods that are gone, as whoever keeps them has laid them down.

`ROOT/NAMESPACE/JOB/UID/` holds a PodLog as JSON and `CONTAINER/N.log`, the files of run N (CRI
format, older parts of a rotated one beside it). On a laptop the node's agent moves them there when
a pod goes; on a cluster `collect` writes them. `since` is when the namespace was made: pods that
are older were those of another one by that name.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from athanor.api import gateway, labels
from athanor.api.gateway import MARK, PodLog, PodLogList
from athanor.kit import crilog
from athanor.wire import selector
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 600.0
"""Seconds between two looks at how much there is."""
ROOM = 2 << 30
"""Bytes that archived logs may take."""


class Archive:
    """The folder of all of them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def those(self, namespace: str, wanted: str, since: str) -> PodLogList:
        """Those of a namespace whose labels fit. Raises ApiError(BadRequest)."""
        fits = selector.parse_labels(wanted)
        found = (_read(path) for path in self._folders(namespace, _keeper(wanted)))
        items = [
            one for one in found
            if one is not None and fits.matches(one.metadata.labels) and _created(one) >= since
        ]  # fmt: skip
        items.sort(key=lambda one: (_created(one), one.pod))
        return PodLogList(api_version=gateway.API_VERSION, kind="PodLogList", items=items)

    def find(self, namespace: str, uid: str, since: str) -> tuple[PodLog, Path]:
        """One of them, and its folder. Raises ApiError(NotFound)."""
        for path in self._folders(namespace, "*"):
            found = _read(path) if path.name == uid else None
            if found is not None and _created(found) >= since:
                return found, path
        raise ApiError(
            "NotFound", f'podlogs.{gateway.GROUP} "{uid}" not found: its time is over, or its pod '
            "is still there", name=uid, group=gateway.GROUP, kind="podlogs",
        )  # fmt: skip

    def text(
        self, namespace: str, uid: str, since: str, query: Mapping[str, str], now: float
    ) -> AsyncIterator[bytes]:
        """The lines of a container's runs, oldest first; of the last run alone with `tailLines`.

        Raises ApiError: NotFound, BadRequest.
        """
        found, folder = self.find(namespace, uid, since)
        container = query.get("container") or found.containers[0]
        if container not in found.containers:
            known = ", ".join(found.containers)
            raise ApiError("BadRequest", f"container {container} is not one of: {known}")
        try:
            wish = crilog.wish_of(query, now)
        except ValueError as wrong:
            raise ApiError("BadRequest", f"log options: {wrong}") from None
        wish = msgspec.structs.replace(wish, follow=False)
        runs = sorted((folder / container).glob("*.log"), key=lambda path: int(path.stem))
        return _text(runs[-1:] if wish.tail is not None else runs, wish)

    def trim(self, room: int) -> int:
        """Delete until the rest takes at most `room` bytes, always the oldest of the namespace that
        has most: whoever writes much costs nobody else's logs. How many were deleted.
        """
        kept: dict[str, list[tuple[float, int, Path]]] = {}
        for folder in self._root.glob("*/*/*"):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            row = (folder.stat().st_mtime, size, folder)
            kept.setdefault(folder.parent.parent.name, []).append(row)
        sizes = {space: sum(size for _, size, _ in rows) for space, rows in kept.items()}
        for rows in kept.values():
            rows.sort(reverse=True)
        over, gone = sum(sizes.values()) - room, 0
        while over > 0:
            most = max(sizes, key=sizes.__getitem__)
            _, size, folder = kept[most].pop()
            shutil.rmtree(folder, ignore_errors=True)
            sizes[most] -= size
            over -= size
            gone += 1
        return gone

    def drop(self, begun: Mapping[str, str], now: str) -> int:
        """Delete the logs of namespaces that are gone; how many pods' they were. `begun`: when
        those were made that are there, as it was known `now`.
        """
        gone = 0
        for folder in list(self._root.glob("*/*/*")):
            found = _read(folder)
            since = begun.get(folder.parent.parent.name, now)
            if found is not None and _created(found) < since:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone

    async def run(self, room: int = ROOM) -> None:
        """Keep it within its bounds, until cancelled."""
        while True:
            try:
                gone = await asyncio.to_thread(self.trim, room)
            except OSError as error:  # somebody else deletes there, too
                log.info("archived logs: %s", error)
            else:
                if gone:
                    log.info("the logs of %d pods are deleted to make room", gone)
            await asyncio.sleep(EVERY)

    def _folders(self, namespace: str, keeper: str) -> list[Path]:
        return [path for path in (self._root / namespace).glob(f"{keeper}/*") if path.is_dir()]


async def _text(runs: list[Path], wish: crilog.Wish) -> AsyncIterator[bytes]:
    for path in runs:
        async for chunk in crilog.read(path, wish, lambda: False):
            yield chunk


def _created(one: PodLog) -> str:
    return one.metadata.creation_timestamp or ""


def _keeper(wanted: str) -> str:
    """The one folder that can hold what a selector asks for, or `*`."""
    for term in wanted.split(","):
        label, equals, value = term.partition("=")
        if equals and label in (labels.JOB, labels.GANG) and gateway.NAME.fullmatch(value):
            return value
    return "*"


def _read(folder: Path) -> PodLog | None:
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=PodLog)
    except (OSError, msgspec.MsgspecError):
        return None  # it is on its way there, or away
