"""The real helm: the one on PATH, or one built once into the cache (`make helm`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conformance.kube.cache import NotAvailable, built, cache_dir, go

VERSION = "v4.3.2"


def binary(*, build: bool = False) -> Path:
    """Where helm is. Raises NotAvailable when there is none and none can (or must) be built."""
    if found := shutil.which("helm"):
        return Path(found)
    make = _make if build else None
    return built(cache_dir() / f"helm-{VERSION}", "`make helm` builds it (2-10 minutes)", make)


def _make(folder: Path) -> int:
    command = [go(), "install", "-ldflags=-s -w", f"helm.sh/helm/v4/cmd/helm@{VERSION}"]
    flags = "-buildvcs=false -gcflags=all=-dwarf=false"  # as kubeplane: they share packages
    env = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": flags}
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    try:
        print(binary(build=True))
    except NotAvailable as why:
        print(f"NOT RUN: {why}", file=sys.stderr)
        raise SystemExit(3) from None
