"""Packages of Debian, from the mirror that apt of this machine uses, unpacked beside the system.

apt gets a state of its own in a scratch folder: nothing is installed, nothing of the machine's
changes. Signatures are checked as usual, with the keys of the package debian-archive-keyring.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CONFIG = """
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "{folder}/state";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update;
#clear DPkg;
"""


class Missing(Exception):
    """Debian's packages cannot be had on this machine; the message says why."""


NOTHING = re.compile("(?!)")


def unpack(
    suite: str, names: Iterable[str], into: Path, *,
    needed: bool = False, without: re.Pattern[str] = NOTHING,
) -> None:  # fmt: skip
    """Unpacks packages of a suite (`trixie`, `testing`). No script of theirs is run.

    `needed`: also whatever they depend on, as where nothing is installed, but what `without`
    matches. Raises Missing.
    """
    if shutil.which("apt-get") is None or not KEYS.exists():
        raise Missing("this machine is no Debian: no apt-get, or no debian-archive-keyring")
    with tempfile.TemporaryDirectory(prefix="debian-") as scratch:
        folder = Path(scratch)
        (folder / "apt.conf").write_text(CONFIG.format(folder=folder))
        (folder / "status").touch()
        source = f"deb [signed-by={KEYS}] {_mirror()} {suite} main\n"
        (folder / "sources.list").write_text(source)
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        _apt(folder, "update", "-qq", "--error-on=any")
        if needed:
            _apt(folder, "install", "-qq", "--yes", "--download-only", *names)
        else:
            _apt(folder / "cache" / "archives", "download", "-qq", *names, conf=folder)
        for package in sorted((folder / "cache" / "archives").glob("*.deb")):
            if not without.match(package.name):
                subprocess.run(["dpkg-deb", "--extract", package, into], check=True)


def _mirror() -> str:
    """Where this machine's apt has Debian from."""
    asked = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Origin: Debian",
        "Label: Debian",
    ]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise Missing(f"apt knows no mirror of Debian (apt-get update?): {done.stderr.strip()}")
    return done.stdout.split()[0]


def _apt(cwd: Path, *words: str, conf: Path | None = None) -> None:
    command = ["apt-get", "-c", str((conf or cwd) / "apt.conf"), *words]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Missing(f"apt-get {' '.join(words)}: {done.stdout.strip()[-500:]}")
