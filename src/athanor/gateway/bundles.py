"""Code that jobs take along: gzipped tar archives, each named by the SHA-256 of its bytes.

They come in parts, each at its offset, so that no request is large and a broken upload goes on
where it was; whole they get their name only when their bytes have that digest. What a bundle is
called says what is in it: the same code is stored once a namespace, and never changes. Logs lie on
the same volume: bundles take four fifths of it, those of one namespace a fifth. `unused` deletes
what no object names any more.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from athanor.api import gateway
from athanor.api.gateway import LARGEST, Bundle
from athanor.api.meta import ObjectMeta
from athanor.wire.status import ApiError

ALL, ONE = 0.8, 0.2
"""Shares of the volume that bundles may take: all together, and those of one namespace."""
FULL = (errno.ENOSPC, errno.EDQUOT)

_CHUNK = 1 << 18


def unnamed(paths: Iterable[Path], keep: Iterable[str]) -> list[Path]:
    """Of the files of bundles those, whole or not, whose digest is none of `keep`."""
    kept = set(keep)
    return [path for path in paths if path.name.partition(".")[0] not in kept]


class _Turn:
    """Parts of one bundle are written one after the other, however they come."""

    def __init__(self) -> None:
        self.lock = Lock()


class Bundles:
    """The folder of all of them: `ROOT/NAMESPACE/DIGEST.tar.gz`, `….part` until it is whole.

    `volume` is how many bytes there are for everything; asked of the disk when it is not said.
    """

    def __init__(self, root: Path, largest: int = LARGEST, volume: int = 0) -> None:
        self._root = root
        self._largest = largest
        self._volume = volume
        self._turns = Lock()
        self._begun: WeakValueDictionary[Path, _Turn] = WeakValueDictionary()

    def state(self, namespace: str, digest: str) -> Bundle:
        """How much of it is there."""
        whole = self._path(namespace, digest)
        if whole.exists():
            os.utime(whole)  # somebody means to use it: it is not old
            return _said(namespace, digest, whole.stat().st_size, complete=True)
        part = _part(whole)
        size = part.stat().st_size if part.exists() else 0
        return _said(namespace, digest, size, complete=False)

    def add(self, namespace: str, digest: str, offset: int, data: bytes, last: bool) -> Bundle:
        """The next bytes. Raises ApiError: Conflict when they are not the next (the message says
        which are), Invalid when the whole has another digest, RequestEntityTooLarge, Forbidden when
        the namespace has its share of the volume, InternalError (507) when the volume is full.
        """
        with self._turns:
            turn = self._begun.setdefault(self._path(namespace, digest), _Turn())
        with turn.lock:
            return self._add(namespace, digest, offset, data, last)

    def _add(self, namespace: str, digest: str, offset: int, data: bytes, last: bool) -> Bundle:
        state = self.state(namespace, digest)
        if state.complete:
            return state
        if offset + len(data) > self._largest:
            raise ApiError("RequestEntityTooLarge", f"a bundle has at most {self._largest} bytes")
        whole = self._path(namespace, digest)
        if offset == 0:
            whole.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif offset != state.size:
            raise ApiError("Conflict", f"{state.size} bytes are there, not {offset}: go on there")
        self._check_room(namespace, len(data) + offset - state.size)
        try:
            with open(_part(whole), "ab" if offset else "wb", opener=_private) as file:
                file.write(data)
                if last:
                    os.fsync(file.fileno())
        except OSError as error:
            if error.errno in FULL:
                raise _full() from None
            raise
        if not last:
            return _said(namespace, digest, offset + len(data), complete=False)
        return self._finish(namespace, digest)

    def open(self, namespace: str, digest: str) -> AsyncIterator[bytes]:
        """The bytes of a whole one. Raises ApiError(NotFound)."""
        whole = self._path(namespace, digest)
        if not whole.exists():
            raise ApiError(
                "NotFound", f"code {digest[:12]} is not stored in namespace {namespace} any more: "
                "submit the job again", name=digest, group=gateway.GROUP, kind="bundles",
            )  # fmt: skip
        os.utime(whole)
        return _chunks(whole)

    def trim(self, keep: Iterable[str], now: float, older: float, parts: float) -> int:
        """Delete those whose digest is none of `keep` and that nobody has asked for in `older`
        seconds, and uploads that nobody went on with in `parts`; how many were deleted.
        """
        gone = 0
        whole, begun = self._root.glob("*/*.tar.gz"), self._root.glob("*/*.part")
        aged = [(path, older) for path in unnamed(whole, keep)] + [(path, parts) for path in begun]
        for path, age in aged:
            if now - _touched(path, now) >= age:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _check_room(self, namespace: str, more: int) -> None:
        volume = self._volume or shutil.disk_usage(self._root).total
        sizes = {
            folder.name: sum(_size(path) for path in folder.iterdir())
            for folder in self._root.iterdir()
            if folder.is_dir()
        }
        if sizes[namespace] + more > volume * ONE:
            raise ApiError(
                "Forbidden", f"exceeded quota: namespace {namespace} keeps "
                f"{_mib(sizes[namespace])} of uploaded code, and may keep {_mib(volume * ONE)}: "
                "delete jobs that you no longer need; their code goes a day after its last use",
            )  # fmt: skip
        if sum(sizes.values()) + more > volume * ALL:
            raise _full()

    def _finish(self, namespace: str, digest: str) -> Bundle:
        whole = self._path(namespace, digest)
        part = _part(whole)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
        if found != digest:
            part.unlink()
            raise ApiError("Invalid", f"the {size} bytes have the digest {found}: upload it again")
        part.replace(whole)
        return _said(namespace, digest, size, complete=True)

    def _path(self, namespace: str, digest: str) -> Path:
        return self._root / namespace / f"{digest}.tar.gz"


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, _CHUNK):
            yield data


def _full() -> ApiError:
    return ApiError(
        "InternalError", "storage: no room is left for uploaded code; delete jobs that nobody "
        "needs any more (their code goes a day after it was used last), or give the gateway a "
        "larger volume", code=507,
    )  # fmt: skip


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # it was deleted, or got its name, just now


def _touched(path: Path, now: float) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return now  # the same


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _part(whole: Path) -> Path:
    return whole.with_suffix(".part")


def _said(namespace: str, digest: str, size: int, *, complete: bool) -> Bundle:
    return Bundle(
        api_version=gateway.API_VERSION, kind="Bundle", size=size, complete=complete,
        metadata=ObjectMeta(name=digest, namespace=namespace),
    )  # fmt: skip


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
