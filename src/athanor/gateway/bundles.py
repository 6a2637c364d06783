"""Code that jobs take along: gzipped tar archives, each named by the SHA-256 of its bytes.

They come in parts, each at its offset, so that no request is large and a broken upload goes on
where it was; whole they get their name only when their bytes have that digest. What a bundle is
called says what is in it: the same code is stored once a namespace, and never changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from athanor.api import gateway
from athanor.api.gateway import LARGEST, Bundle
from athanor.api.meta import ObjectMeta
from athanor.wire.status import ApiError

_CHUNK = 1 << 18


class Bundles:
    """The folder of all of them: `ROOT/NAMESPACE/DIGEST.tar.gz`, `….part` until it is whole."""

    def __init__(self, root: Path, largest: int = LARGEST) -> None:
        self._root = root
        self._largest = largest

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
        which are), Invalid when the whole has another digest, RequestEntityTooLarge.
        """
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
        with open(_part(whole), "ab" if offset else "wb", opener=_private) as file:
            file.write(data)
            if last:
                os.fsync(file.fileno())
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


def _part(whole: Path) -> Path:
    return whole.with_suffix(".part")


def _said(namespace: str, digest: str, size: int, *, complete: bool) -> Bundle:
    return Bundle(
        api_version=gateway.API_VERSION, kind="Bundle", size=size, complete=complete,
        metadata=ObjectMeta(name=digest, namespace=namespace),
    )  # fmt: skip


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
