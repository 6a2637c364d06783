"""Requirements of people whom the agent does not trust with its rights."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from athanor.local.agent import images, overlay

HOST = images.resolve("host")


@pytest.mark.parametrize(
    "line",
    [
        "torch", "torch>=2,<3", "jax[cuda12]==0.5.*  # fast", "a_b.c-d ~= 1.0", "x (>=1)",
        "numpy; python_version < '3.12' and sys_platform == 'linux'", "# nothing", "",
    ],
)  # fmt: skip
def test_names_with_versions_are_installed(line: str) -> None:
    overlay.check(f"pip\n{line}\n", HOST, images.homes())


@pytest.mark.parametrize(
    "line",
    [
        "-r /etc/shadow", "--no-binary :all:", "--index-url http://evil", "-e .", "./here",
        "/tmp/evil", "x @ file:///tmp/evil", "git+https://evil/x", "https://evil/x.whl",
        "x\\", "${HOME}", "x --hash=sha256:0", "evil.whl @", "x;-r a/b", "..", "x ../y",
    ],
)  # fmt: skip
def test_options_addresses_and_folders_are_refused(line: str) -> None:
    with pytest.raises(overlay.Failed, match="no name with versions"):
        overlay.check(f"pip\n{line}\n", HOST, images.homes())


@pytest.mark.skipif(os.geteuid() != 0, reason="whose a folder is, root alone says")
def test_no_interpreter_runs_that_somebody_else_can_change(tmp_path: Path) -> None:
    made = tmp_path / "env"
    venv.create(made, with_pip=False, symlinks=True)
    env = images.resolve(f"venv://{made}")
    overlay.check("pip", env, images.homes())
    packages = next(made.glob("lib/python*/site-packages"))
    for place, change in (
        (made, lambda path: os.chown(path, 1001, 1001)),
        (packages, lambda path: os.chown(path, 1001, 1001)),
        (made / "bin", lambda path: path.chmod(0o777)),
        (tmp_path, lambda path: path.chmod(0o777)),
    ):
        was = place.stat()
        change(place)
        with pytest.raises(overlay.Failed, match="can be changed by others"):
            overlay.check("pip", env, images.homes())
        os.chown(place, was.st_uid, was.st_gid)
        place.chmod(was.st_mode & 0o7777)
    overlay.check("pip", env, images.homes())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(made)
    os.chown(theirs, 1001, 1001)
    with pytest.raises(overlay.Failed, match="can be changed by others"):
        overlay.check("pip", images.resolve(f"venv://{theirs}/link"), images.homes())
    assert sys.prefix in images.homes()
