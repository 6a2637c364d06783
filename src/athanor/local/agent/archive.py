"""Logs of a gang's pods after the pods are gone: moved aside, kept until they are too old or many.

While a pod lives its folder of logs says in a file whose they are, so the folder alone is enough
when the pod is gone, also for an agent that was not there then. Others than gangs' pods leave
nothing, as with a kubelet. Who reads them is the gateway's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from athanor.api import gateway
from athanor.api.gateway import MARK, PodLog
from athanor.api.meta import JSON

log = logging.getLogger(__name__)

EVERY = 600.0
"""Seconds between two looks at how much there is."""
ROOM = 2 << 30
"""Bytes that archived logs may take; the oldest go first."""


def note(folder: Path, pod: JSON) -> None:
    """Say in a pod's folder of logs whose they are, if they are worth keeping."""
    if not gateway.keeper(pod["metadata"].get("labels") or {}) or (folder / MARK).exists():
        return
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / MARK).write_bytes(msgspec.json.encode(gateway.mark(pod)))
    except OSError as error:  # a full disk keeps no pod from starting
        log.warning("the logs of %s will not be kept: %s", pod["metadata"]["name"], error)


def keep(folder: Path, archive: Path) -> Path | None:
    """Move a pod's logs into the archive, or delete them; where they are now."""
    told = read(folder)
    if told is None or not any(path.stat().st_size for path in folder.glob("*/*.log*")):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    target = archive / gateway.folder_of(told)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError as error:
        log.warning("the logs of %s are not kept: %s", told.pod, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    os.utime(target)
    return target


def read(folder: Path) -> PodLog | None:
    """Whose logs a folder holds; None when it does not say."""
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=PodLog)
    except (OSError, msgspec.MsgspecError):
        return None


def trim(archive: Path, room: int) -> int:
    """Delete the oldest until the rest takes at most `room` bytes; how many were deleted."""
    kept = sorted(archive.glob("*/*/*"), key=lambda path: path.stat().st_mtime, reverse=True)
    gone = 0
    for folder in kept:
        room -= sum(path.stat().st_size for path in _files(folder))
        if room < 0:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


async def run(archive: Path, room: int = ROOM) -> None:
    """Keep it within its bounds, until cancelled."""
    while True:
        try:
            gone = await asyncio.to_thread(trim, archive, room)
        except OSError as error:  # somebody else deletes there, too
            log.info("archived logs: %s", error)
        else:
            if gone:
                log.info("the logs of %d pods were the oldest and are deleted", gone)
        await asyncio.sleep(EVERY)
