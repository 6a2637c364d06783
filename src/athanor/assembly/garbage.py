"""What a data directory holds that nothing needs any more, and its deletion."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from athanor.api.gateway import TAKE_CODE, named
from athanor.api.registry import find
from athanor.assembly.layout import DataDir
from athanor.gateway.bundles import unnamed
from athanor.local.agent.claims import volume_of
from athanor.local.agent.overlay import USED
from athanor.sdk.client import Client


class Waste(NamedTuple):
    """Something to delete: what it was for, where it lies, how big it is (bytes)."""

    what: str
    path: Path
    size: int


class Needed(NamedTuple):
    """What the server's objects still refer to; `claims` are folders of claims and volumes."""

    pods: frozenset[str]
    jobs: frozenset[str]
    claims: frozenset[str]
    bundles: frozenset[str] = frozenset()


def needed(client: Client) -> Needed:
    """Ask the server. Raises ApiError when none answers: then nothing may be deleted."""
    kinds = ("pods", "persistentvolumeclaims", "persistentvolumes", *TAKE_CODE)
    pods, claims, volumes, jobs, flows, *makers = (
        client.list(kind, everywhere=True).get("items", [])
        for kind in map(find, kinds)
        if kind is not None
    )
    said = json.dumps([jobs, flows, makers])
    return Needed(
        pods=frozenset(pod["metadata"]["uid"] for pod in pods),
        jobs=frozenset(
            f"{job['metadata']['namespace']}/{job['metadata']['name']}-{job['metadata']['uid'][:8]}"
            for job in [*jobs, *flows]
        ),
        claims=frozenset(
            [volume_of(claim) for claim in claims]
            + [os.path.basename(v["spec"].get("hostPath", {}).get("path", "")) for v in volumes]
        ),
        bundles=frozenset(named(said)),
    )


class Ages(NamedTuple):
    """How old things must be to go, in seconds. Logs that were kept on purpose have their own."""

    older: float
    logs: float


def find_waste(data: DataDir, keep: Needed, now: float, ages: Ages) -> list[Waste]:
    """Folders of pods, jobs and claims that are gone, unused for a time; old logs and code."""
    found = [
        *_folders("files of a pod", _below(data.node / "pods"), keep.pods, ""),
        *_logs(data.node / "logs", keep.pods),
        *_folders("claim", _below(data.node / "claims"), keep.claims, ""),
        *_checkpoints(data.checkpoints, keep.jobs),
        *(
            Waste("uploaded code", path, _size(path))
            for path in unnamed(data.bundles.glob("*/*"), keep.bundles)
        ),
        *(Waste("rotated log", path, path.stat().st_size) for path in data.logs.glob("*.log.*")),
        *(Waste("replaced store", p, p.stat().st_size) for p in data.root.glob("*.replaced-*")),
    ]
    aged = [waste for waste in found if now - _touched(waste.path) >= ages.older]
    logs = (path for job in data.archive.glob("*/*") for path in _below(job))
    return aged + [
        Waste("archived logs", path, _size(path))
        for path in logs
        if now - _touched(path) >= ages.logs
    ]


def overlays(data: DataDir, now: float, older: float) -> list[Waste]:
    """Environments laid over by requirements that no pod has, none for `older` seconds.

    What has a dot in its name is being made, or its maker died: an hour tells.
    """
    used = {path.name for path in data.node.glob(f"pods/*/{USED}/*")}
    return [
        Waste("overlay", path, _size(path))
        for path in _below(data.node / "overlays")
        if path.name.partition(".")[0] not in used
        and now - _touched(path) >= (max(older, 3600) if "." in path.name else older)
    ]


def delete(waste: Iterable[Waste]) -> int:
    """Delete; returns how many bytes that freed."""
    freed = 0
    for item in waste:
        if item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)
        freed += item.size
    return freed


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _folders(what: str, paths: Iterable[Path], keep: frozenset[str], prefix: str) -> list[Waste]:
    return [Waste(what, path, _size(path)) for path in paths if prefix + path.name not in keep]


def _logs(folder: Path, keep: frozenset[str]) -> list[Waste]:
    """Log folders are named NAMESPACE_POD_UID, as kubelets name them."""
    return [
        Waste("logs of a pod", path, _size(path))
        for path in _below(folder)
        if path.name.rpartition("_")[2] not in keep
    ]


def _checkpoints(folder: Path, keep: frozenset[str]) -> list[Waste]:
    return [
        waste
        for namespace in _below(folder)
        for waste in _folders("checkpoints", _below(namespace), keep, f"{namespace.name}/")
    ]


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.lstat().st_size
    return sum(
        os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(path) for name in names
    )


def _touched(path: Path) -> float:
    return path.lstat().st_mtime
