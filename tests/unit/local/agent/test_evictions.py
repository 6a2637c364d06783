"""Pods that fill more of the disk than they said, told in a kubelet's words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from athanor.api.meta import JSON
from athanor.local.agent.evictions import bounded, exceeded, size


class Disk:
    """A pod's folders as the agent lays them out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, str] = {}

    def volume(self, name: str, kib: int) -> None:
        self.folders[name] = self._fill(self.root / "volumes" / name, kib)

    def write(self, container: str, kib: int) -> None:
        self._fill(self.root / "containers" / container / "tmp", kib)

    def log(self, container: str, kib: int) -> None:
        self._fill(self.root / "logs" / container, kib)

    def judge(self, pod: JSON) -> str:
        return exceeded(pod, self.folders, self.root / "containers", self.root / "logs")

    def _fill(self, folder: Path, kib: int) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file").write_bytes(b"x" * kib * 1024)
        return str(folder)


def pod(*limits: str, **empty: JSON) -> JSON:
    containers = [
        {"name": f"c{n}", "resources": {"limits": {"ephemeral-storage": text}} if text else {}}
        for n, text in enumerate(limits or ("",))
    ]
    volumes = [{"name": name, "emptyDir": spec} for name, spec in empty.items()]
    return {"spec": {"containers": containers, "volumes": volumes}}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_only_those_with_a_limit_are_looked_at() -> None:
    assert not bounded(pod(data={}))
    assert bounded(pod(data={"sizeLimit": "1Mi"})) and bounded(pod("1Mi"))


def test_an_empty_dir_beyond_its_limit(disk: Disk) -> None:
    disk.volume("data", 900)
    told = pod(data={"sizeLimit": "1Mi"})
    assert disk.judge(told) == ""
    disk.volume("data", 1100)
    assert disk.judge(told) == 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '


def test_a_pod_and_a_container_beyond_theirs(disk: Disk) -> None:
    disk.volume("data", 600)
    disk.write("c0", 300)
    disk.log("c0", 300)
    said = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert disk.judge(pod("1Mi", data={})) == said
    assert disk.judge(pod("1Mi", data={"medium": "Memory"})) == ""
    said = 'Container c0 exceeded its local ephemeral storage limit "500Ki". '
    assert disk.judge(pod("500Ki", "4Mi", data={})) == said


def test_links_lead_nowhere(disk: Disk) -> None:
    disk.volume("data", 10)
    before = size(disk.folders["data"])
    os.symlink("/usr", Path(disk.folders["data"]) / "link")
    assert before > 0 and size(disk.folders["data"]) - before < 8192
    assert size("/no/such/folder") == 0
