"""What ranks say of themselves, from a file or a log of theirs to an annotation of their pod.

The contract is `athanor_progress`'s: a JSON file named by ATHANOR_PROGRESS_FILE, and beside it a
file `checkpoint-requested` while the platform asks for one. The folder belongs to the pod, so
nothing in it is trusted: links are not followed, only small regular files are read. A rank whose
pod has a pattern for what it writes (see `told`) needs no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Mapping

import msgspec

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Progress
from athanor.client.protocol import Client
from athanor.local.agent.node import Settings, log_path
from athanor.local.agent.progress_file import folder_of
from athanor.local.agent.told import Told
from athanor.local.agent.worker import Worker
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at a rank's file."""
LIMIT = 64 * 1024
"""Bytes of a progress file; a longer one is not read."""
REQUEST = "checkpoint-requested"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_progress = msgspec.json.Decoder(Progress)


class Reports:
    """Carries progress up and requests for checkpoints down, for the pods of gangs."""

    def __init__(self, settings: Settings, client: Client, workers: Mapping[str, Worker]) -> None:
        self._settings = settings
        self._lines = Told()
        self._client = client
        self._workers = workers
        self._told: dict[str, str] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._over: set[str] = set()

    async def run(self) -> None:
        """Look at every rank now and then, until cancelled; sleeps while there is none."""
        while True:
            await asyncio.sleep(EVERY)
            for uid, worker in list(self._workers.items()):
                meta = worker.pod["metadata"]
                if labels.POD_SET not in (meta.get("labels") or {}) or uid in self._over:
                    continue
                if worker.finished:
                    continue
                await self._look(uid, worker)
            self._over &= self._workers.keys()
            for uid in self._told.keys() - self._workers.keys():
                del self._told[uid]
            self._lines.keep(self._workers)
            gone = [key for key in self._seen if key[0] not in self._workers]
            for key in gone:
                del self._seen[key]

    async def last(self, worker: Worker) -> None:
        """Look once more at a rank that has ended, before its files go; never again after that."""
        uid, meta = worker.uid, worker.pod["metadata"]
        if labels.POD_SET in (meta.get("labels") or {}) and uid not in self._over:
            self._over.add(uid)
            await self._look(uid, worker)

    async def _look(self, uid: str, worker: Worker) -> None:
        for container in worker.pod["spec"]["containers"]:
            name = container["name"]
            try:
                folder = os.open(folder_of(worker.preparation.folder, name), _FOLDER)
            except OSError:
                continue  # not started yet
            try:
                said = self._read(folder, (uid, name))
                self._ask(folder, worker.pod)
            finally:
                os.close(folder)
            said = said or self._written(worker, name)
            if said and said != self._told.get(uid):
                await self._tell(uid, worker.pod, said)

    def _written(self, worker: Worker, container: str) -> str:
        """Progress in what a container has written since the last look, by the pod's pattern."""
        notes = worker.pod["metadata"].get("annotations") or {}
        pattern = notes.get(labels.PROGRESS_PATTERN)
        if not pattern:
            return ""
        attempts = [attempt for name, attempt in worker.runs if name == container]
        if not attempts:
            return ""
        log = log_path(self._settings, worker.pod, container, max(attempts))
        found = self._lines.look((worker.uid, container), log, pattern)
        return msgspec.json.encode(found).decode() if found is not None else ""

    def _read(self, folder: int, key: tuple[str, str]) -> str:
        """The file's content when it is new and is progress, else ""."""
        try:
            file = os.open("progress.json", _FILE, dir_fd=folder)
        except OSError:
            return ""
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LIMIT:
                return ""
            if self._seen.get(key) == found.st_mtime_ns:
                return ""
            self._seen[key] = found.st_mtime_ns
            return msgspec.json.encode(_progress.decode(os.read(file, LIMIT))).decode()
        except (OSError, msgspec.MsgspecError):
            return ""  # a rank may write what it likes; what is no progress is none
        finally:
            os.close(file)

    def _ask(self, folder: int, pod: JSON) -> None:
        """Show the rank a request for a checkpoint, or that there is none any more."""
        notes = pod["metadata"].get("annotations") or {}
        asked = notes.get(labels.CHECKPOINT_REQUESTED)
        with contextlib.suppress(OSError):
            if not asked:
                os.unlink(REQUEST, dir_fd=folder)
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(REQUEST, flags, 0o644, dir_fd=folder)
            os.write(file, notes.get(labels.CHECKPOINT_BY, "").encode())
            os.close(file)

    async def _tell(self, uid: str, pod: JSON, said: str) -> None:
        meta = pod["metadata"]
        body = {"metadata": {"annotations": {labels.PROGRESS: said}}}
        call = calls.patch(of(Pod), meta["name"], meta["namespace"], body, subresource="status")
        try:
            await self._client(call)
        except ApiError as problem:
            log.info("progress of %s was not reported: %s", meta["name"], problem.message)
            return
        self._told[uid] = said
