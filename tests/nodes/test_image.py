"""The image that `make image` writes: the same each time, and good for what pods do with it."""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.nodes import images
from tools import debian, image


def test_the_same_sources_give_the_same_archive(tmp_path: Path) -> None:
    made = [tmp_path / "first.tar", tmp_path / "second.tar"]
    try:
        digests = [image.write(out) for out in made]
    except debian.Missing as why:
        pytest.skip(str(why))
    assert digests[0] == digests[1]
    assert made[0].read_bytes() == made[1].read_bytes()
    for out in made:
        out.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="looking inside needs root (chroot)")
def test_what_pods_start_is_there_and_belongs_to_nobody(tmp_path: Path) -> None:
    try:
        layers = images.layers(tmp_path)
    except images.NotAvailable as why:
        pytest.skip(str(why))
    root = tmp_path / "root"
    for layer in layers:
        with tarfile.open(layer) as tar:
            assert {entry.uid for entry in tar} == {0}
            tar.extractall(root, filter="tar")
    os.mknod(root / "dev" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (root / "dev" / "null").chmod(0o666)
    config = image.config()
    env = dict(pair.split("=", 1) for pair in config["Env"])

    def said(*command: str) -> str:
        enter = ["chroot", f"--userspec={config['User']}", str(root), *command]
        done = subprocess.run(
            enter, env=env, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.stdout.strip()

    assert said(*config["Entrypoint"], "--version").endswith(image.version())
    assert said("git", "--version").startswith("git version")
    assert "Failed to connect" in said("git", "ls-remote", "https://127.0.0.1:1/nobody")
    assert said("id", "-u") == config["User"].partition(":")[0]
    modules = "numpy, apsw, re2, cel, uvloop, cryptography.x509, sqlite3, ssl, athanor_progress"
    trusts = "len(ssl.create_default_context().get_ca_certs()) > 50"
    assert said("python", "-c", f"import {modules}; print({trusts})") == "True"
    assert said("sh", "-c", "python --version").startswith(f"Python {image.recipe().python}.")
