"""Whom the machine's own files let in when pods see them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from athanor.local.agent import reach, uids
from athanor.local.agent.node import Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_pods_pass_and_nobody_looks_around(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    settings = Settings(name="n", data=closed / "d")
    for folder in (settings.pods, settings.logs, settings.claims):
        folder.mkdir(parents=True)
    for parent in (closed, *closed.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/tmp"):
            parent.chmod(mode(parent) | 0o001)
    closed.chmod(0o700)
    said = reach.open_way(settings)
    assert f"pods cannot pass {closed}: give another folder with --data" in said
    closed.chmod(0o711)
    assert not any(str(closed) in one for one in reach.open_way(settings))
    assert mode(settings.logs) == 0o700
    assert {mode(p) for p in (settings.data, settings.pods, settings.claims)} == {0o711}


def test_nobody_looks_around_where_the_folder_was_open_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    settings = Settings(name="n", data=tmp_path)
    for folder in (settings.pods, settings.logs, settings.claims):
        folder.mkdir(parents=True)
    reach.shut(settings)
    assert {mode(p) for p in (tmp_path, settings.logs, settings.archive)} == {0o700}
    assert {mode(p) for p in (settings.pods, settings.claims)} == {0o711}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_a_pods_folder_is_for_its_group(tmp_path: Path) -> None:
    reach.let_in(tmp_path, uids.FIRST)
    found = tmp_path.stat()
    assert (found.st_uid, found.st_gid, mode(tmp_path)) == (0, uids.FIRST, 0o710)


def test_a_folder_among_everybodys_is_ours_or_none(tmp_path: Path) -> None:
    for _ in range(2):
        reach.claim(tmp_path / "ours")
    assert mode(tmp_path / "ours") == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    (tmp_path / "file").touch()
    others = [tmp_path / "link", tmp_path / "file"]
    if os.geteuid() == 0:
        others.append(tmp_path / "theirs")
        others[-1].mkdir()
        os.chown(others[-1], 1001, 1001)
    for other in others:
        with pytest.raises(PermissionError, match="somebody else's"):
            reach.claim(other)
