"""Volumes as folders: who may look into them, and which are refused."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from athanor.api.meta import JSON
from athanor.kit.clock import FixedClock
from athanor.local.agent import contain
from athanor.local.agent.node import Settings
from athanor.local.agent.permits import permit
from athanor.local.agent.place import Place
from athanor.local.agent.plan.environ import Missing
from athanor.local.agent.volumes import Volumes


def volumes(folder: Path, volume: JSON, user: str = "") -> Volumes:
    """A pod's volumes; the platform's data are in `folder`/data, pods run as we do."""
    settings = Settings(name="n", data=folder / "data", allowed_roots=(str(folder),))
    notes = {"athanor.dev/user": user} if user else {}
    pod: JSON = {
        "metadata": {"name": "p", "namespace": "red", "uid": folder.name, "annotations": notes},
        "spec": {
            "automountServiceAccountToken": False, "containers": [],
            "volumes": [{"name": "v", **volume}],
        },
    }  # fmt: skip
    given = permit(pod, os.getuid(), settings.data, stamped=True, ours=os.getuid())
    place = Place(
        uid=os.getuid(), gid=os.getgid(), folder=settings.pods / "p", data=settings.data,
        library=settings.library, apart=True, walls=(), cgroups=frozenset(), permit=given,
    )  # fmt: skip
    node: Any = SimpleNamespace(settings=settings, client=None, clock=FixedClock(0.0))
    return Volumes(node, place, pod, lambda kind, name: None, lambda namespace, name: "")


def test_memory_is_for_the_pod_alone(tmp_path: Path) -> None:
    made = volumes(tmp_path, {"emptyDir": {"medium": "Memory"}})
    try:
        asyncio.run(made.prepare({}))
        folder = Path(made.sources["v"].path)
        assert folder.is_relative_to(Path("/dev/shm").resolve())
        assert stat.S_IMODE(folder.parent.stat().st_mode) & 0o007 == 0
    finally:
        made.remove()
    assert not folder.parent.exists()


def test_a_namespaces_checkpoints_are_closed_to_others(tmp_path: Path) -> None:
    own = tmp_path / "data" / "node" / "checkpoints" / "red"
    path = {"path": str(own / "job"), "type": "DirectoryOrCreate"}
    made = volumes(tmp_path, {"hostPath": path}, user="bob")
    asyncio.run(made.prepare({}))
    assert made.sources["v"].path == str(own / "job") and not made.sources["v"].read_only
    assert stat.S_IMODE(own.stat().st_mode) & 0o007 == 0


@pytest.mark.parametrize("user", ["", "bob"])
def test_others_checkpoints_are_refused_and_nothing_is_made(tmp_path: Path, user: str) -> None:
    for below in ("node/checkpoints/blue", "node/pods", "pki"):
        path = {"path": str(tmp_path / "data" / below), "type": "DirectoryOrCreate"}
        with pytest.raises(Missing, match="MountVolume.* belongs to the platform"):
            asyncio.run(volumes(tmp_path, {"hostPath": path}, user).prepare({}))
    assert not (tmp_path / "data").exists()


def test_a_sub_path_is_as_open_as_its_volume_and_stays_in_it(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    made = contain.sub_path(str(volume), "outputs/deep")
    for path in (made, os.path.dirname(made)):
        assert os.stat(path).st_mode & 0o7777 == 0o2777
    assert contain.sub_path(str(volume), "outputs/deep") == made
    (volume / "out").symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="leads out of its volume"):
        contain.sub_path(str(volume), "out/there")


def test_a_link_that_takes_a_folders_place_while_it_is_made_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, victim, real = tmp_path / "volume", tmp_path / "victim", os.mkdir
    for folder in (volume, victim):
        folder.mkdir()
    volume.chmod(0o2777)
    victim.chmod(0o700)

    def swapped(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        real(path, mode, dir_fd=dir_fd)
        (volume / "outputs").rmdir()
        (volume / "outputs").symlink_to(victim)

    monkeypatch.setattr(os, "mkdir", swapped)
    with pytest.raises(OSError):
        contain.sub_path(str(volume), "outputs")
    assert stat.S_IMODE(victim.stat().st_mode) == 0o700
