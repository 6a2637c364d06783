"""Only what nothing refers to, and is old enough, is deleted."""

from __future__ import annotations

import os
from pathlib import Path

from athanor.assembly import garbage
from athanor.assembly.garbage import Ages, Needed
from athanor.assembly.layout import DataDir
from athanor.local.agent.overlay import USED

NOW = 2_000_000_000.0
KEEP = Needed(
    pods=frozenset({"uid-1"}),
    jobs=frozenset({"default/a-11111111"}),
    claims=frozenset({"d_c"}),
    bundles=frozenset({"ab12"}),
)


def made(data: DataDir, *parts: str, age: float = 100.0) -> Path:
    path = data.node.joinpath(*parts)
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x" * 1000)
    os.utime(path, (NOW - age, NOW - age))
    return path


def test_what_is_needed_or_young_stays(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.make()
    made(data, "pods", "uid-1")
    made(data, "logs", "default_p_uid-1")
    made(data, "claims", "d_c")
    made(data, "checkpoints", "default", "a-11111111")
    made(data, "pods", "uid-9", age=5)
    made(data, "archive", "default", "job", "uid-3")
    gone = {
        made(data, "pods", "uid-2"),
        made(data, "logs", "default_p_uid-2"),
        made(data, "claims", "d_other"),
        made(data, "checkpoints", "default", "b-22222222"),
        made(data, "archive", "default", "job", "uid-4", age=5000),
        made(data, "..", "bundles", "default", "cd34.tar.gz").resolve(),
    }
    made(data, "..", "bundles", "default", "ab12.tar.gz")
    waste = garbage.find_waste(data, KEEP, NOW, Ages(60, 3600))
    assert {item.path for item in waste} == gone
    assert garbage.delete(waste) == 6000
    assert not any(path.exists() for path in gone)
    assert (data.node / "pods" / "uid-1").exists()


def test_an_environment_that_a_pod_has_or_that_is_being_made_stays(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.make()
    for name in ("used", "unused", "unused.12.34"):
        made(data, "overlays", name)
    made(data, "pods", "uid-1", USED, "used")
    gone = [item.path.name for item in garbage.overlays(data, NOW, 60)]
    assert gone == ["unused"]
