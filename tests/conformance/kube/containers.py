"""containerd, runc and network plugins for nodes in tests: Debian's packages, unpacked once into
the cache. Kubernetes asks for containerd 2; a stable Debian of today has an older one.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.conformance.kube.cache import NotAvailable, built, cache_dir
from tools import debian

PACKAGES = {"testing": ["containerd"], "bookworm": ["runc", "containernetworking-plugins"]}
COMMANDS = ("usr/bin", "usr/sbin")
PLUGINS = "usr/lib/cni"


def folder(*, build: bool = True) -> Path:
    """Where the packages' files lie. Raises NotAvailable, also when they do not run here."""
    sources = (Path(__file__), Path(debian.__file__))
    key = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:16]
    how = "`make acceptance-kube` fetches it (a minute)"
    return built(cache_dir() / f"containers-{key}", how, _make if build else None)


def _make(scratch: Path) -> int:
    into = scratch / "containers"
    try:
        for suite, names in PACKAGES.items():
            debian.unpack(suite, names, into)
    except debian.Missing as why:
        raise NotAvailable(str(why)) from why
    for command in ("usr/bin/containerd", "usr/sbin/runc"):  # the machine's libc may be too old
        asked = [into / command, "--version"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotAvailable(f"{command} of Debian does not run here: {done.stderr.strip()}")
    return 0


if __name__ == "__main__":
    try:
        print(folder())
    except NotAvailable as why:
        print(f"NOT RUN: {why}", file=sys.stderr)
        raise SystemExit(3) from None
