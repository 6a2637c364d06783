"""Ends pods that fill more of the disk than they said they would, in a kubelet's words and order.

An emptyDir beyond its sizeLimit, a pod beyond its ephemeral-storage limits, a container beyond its
own. Volumes in memory count the same: a kubelet bounds those by mounting them with a size.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.local.agent.worker import Worker

EVERY = 10.0
"""Seconds between two looks (a kubelet's housekeeping interval)."""
_STORAGE = "ephemeral-storage"


class Evictions:
    """Looks at every pod with a limit now and then."""

    def __init__(self, workers: Mapping[str, Worker], logs: Path) -> None:
        self._workers = workers
        self._logs = logs

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            for worker in list(self._workers.values()):
                if bounded(worker.pod) and not worker.finished and worker.refused is None:
                    message = await asyncio.to_thread(self.judge, worker)
                    if message:
                        worker.evict(message)

    def judge(self, worker: Worker) -> str:
        """Why a pod must go, or ""."""
        sources = worker.preparation.volumes.sources
        folders = {name: source.path for name, source in dict(sources).items()}
        containers = worker.preparation.folder / "containers"
        meta = worker.pod["metadata"]
        logs = self._logs / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        return exceeded(worker.pod, folders, containers, logs)


def bounded(pod: JSON) -> bool:
    """Whether a pod says how much of the disk it may fill."""
    return any(limit for _, limit, _ in _empty_dirs(pod)) or any(
        _limit(container) for container in pod["spec"]["containers"]
    )


def exceeded(pod: JSON, folders: Mapping[str, str], containers: Path, logs: Path) -> str:
    """The first limit that is exceeded, as a kubelet tells it; "" when none is.

    `folders` holds volumes by name; `containers` and `logs` have a folder for each container.
    """
    empty = 0
    for name, limit, memory in _empty_dirs(pod):
        used = size(folders[name]) if name in folders else 0
        empty += 0 if memory else used
        if limit and used > quantity.whole(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    spec = pod["spec"]["containers"]
    own = {c["name"]: size(containers / c["name"]) + size(logs / c["name"]) for c in spec}
    limits = {c["name"]: limit for c in spec if (limit := _limit(c))}
    whole = sum(quantity.whole(limit) for limit in limits.values())
    if limits and empty + sum(own.values()) > whole:
        one = next(iter(limits.values()))
        told = one if len(limits) == 1 else quantity.from_whole(whole, binary=True)
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {told}. "
    for name, limit in limits.items():
        if own[name] > quantity.whole(limit):
            return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


def size(path: str | os.PathLike[str]) -> int:
    """Bytes of the disk that lie under a folder; links are not followed, 0 when it is not there."""
    total = 0
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue  # it went while we looked
    return total


def _empty_dirs(pod: JSON) -> Iterator[tuple[str, str, bool]]:
    """Name, limit or "", and whether it lies in memory."""
    for volume in pod["spec"].get("volumes") or []:
        if (empty := volume.get("emptyDir")) is not None:
            memory = empty.get("medium") == "Memory"
            yield volume["name"], str(empty.get("sizeLimit") or ""), memory


def _limit(container: JSON) -> str:
    return str(((container.get("resources") or {}).get("limits") or {}).get(_STORAGE) or "")
