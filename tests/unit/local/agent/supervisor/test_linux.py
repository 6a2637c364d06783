"""The system calls that the standard library lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIND = """
import sys
from athanor.local.agent.supervisor import linux
linux.unshare(linux.NEWNS)
linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
linux.bind_exactly(sys.argv[1], sys.argv[2])
print(open(sys.argv[2] + "/file").read())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_link_that_was_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    real, target = tmp_path / "real" / "inner", tmp_path / "target"
    real.mkdir(parents=True)
    target.mkdir()
    (real / "file").write_text("content")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "leaf").symlink_to(real)

    def bound(source: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BIND, str(source), str(target)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert bound(real).stdout == "content\n"
    for source in (tmp_path / "link" / "inner", tmp_path / "leaf"):
        refused = bound(source)
        assert refused.returncode and f"open {source}: Too many levels of" in refused.stderr
