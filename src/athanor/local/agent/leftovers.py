"""Folders and logs of pods that are gone: the agent sweeps what its own crashes may have left."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from athanor.local.agent import archive
from athanor.local.agent.node import Settings

MEMORY_PREFIX = "athanor-"


class Collected(Struct, frozen=True, kw_only=True):
    """What was removed, and its size in bytes."""

    pods: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    freed: int = 0


def sweep(settings: Settings, known: Iterable[str]) -> Collected:
    """Remove the folders and logs of pods whose uid is not known."""
    keep = set(known)
    pods = [path for path in _folders(settings.pods) if path.name not in keep]
    logs = [path for path in _folders(settings.logs) if path.name.rpartition("_")[2] not in keep]
    memory = [
        path
        for path in _folders(Path("/dev/shm"))
        if path.name.startswith(MEMORY_PREFIX + settings.tag) and path.name[-36:] not in keep
    ]
    freed = sum(size(path) for path in pods)
    for path in logs:
        here = size(path)
        freed += here if archive.keep(path, settings.archive) is None else 0
    for path in (*pods, *memory):
        shutil.rmtree(path, ignore_errors=True)
    names = [tuple(path.name for path in group) for group in (pods, logs)]
    return Collected(pods=names[0], logs=names[1], freed=freed)


def size(path: Path) -> int:
    """Bytes that a folder's files take."""
    return sum(p.lstat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def _folders(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.is_dir()] if path.exists() else []
