"""The real helm: the one on PATH, or one built once into the cache (`make helm`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conformance.kube.plane import NotAvailable, cache_dir

VERSION = "v4.3.2"


def binary(*, build: bool = False) -> Path:
    """Where helm is. Raises NotAvailable when there is none and none can (or must) be built."""
    if found := shutil.which("helm"):
        return Path(found)
    path = cache_dir() / f"helm-{VERSION}"
    if path.exists():
        return path
    if not build:
        raise NotAvailable("no helm on PATH or in the cache; `make helm` builds one (2-10 minutes)")
    if shutil.which("go") is None:
        raise NotAvailable("Go is not installed; helm is built from Go modules")
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"building {path} (2-10 minutes the first time)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        command = ["go", "install", "-ldflags=-s -w", f"helm.sh/helm/v4/cmd/helm@{VERSION}"]
        flags = "-buildvcs=false -gcflags=all=-dwarf=false"  # as kubeplane: they share packages
        env = {**os.environ, "GOBIN": scratch, "CGO_ENABLED": "0", "GOFLAGS": flags}
        done = subprocess.run(command, env=env, check=False)
        if done.returncode != 0:
            raise NotAvailable(f"building helm failed with exit code {done.returncode}")
        (Path(scratch) / "helm").replace(path)
    return path


if __name__ == "__main__":
    try:
        print(binary(build=True))
    except NotAvailable as why:
        print(f"NOT RUN: {why}", file=sys.stderr)
        raise SystemExit(3) from None
