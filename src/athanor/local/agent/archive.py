"""Logs of a gang's pods after the pods are gone: moved aside, for the gateway to read and to trim.

While a pod lives its folder of logs says in a file whose they are, so the folder alone is enough
when the pod is gone, also for an agent that was not there then. Others than gangs' pods leave
nothing, as with a kubelet.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import msgspec

from athanor.api import gateway
from athanor.api.gateway import MARK, PodLog
from athanor.api.meta import JSON

log = logging.getLogger(__name__)


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
