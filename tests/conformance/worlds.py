"""The two worlds a scenario runs in: our own server, and a real Kubernetes control plane.

A world is a kubeconfig. Ours is a whole `athanor up` in a scratch folder; the other is kubeplane.
`ATHANOR_WORLDS=ours` (or `kube`, or both with a comma) picks; the default is ours, and kube too
when its binary is in the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.kube import plane

ATHANOR = Path(sys.executable).parent / "athanor"


def wanted() -> list[str]:
    """The worlds to run in."""
    named = os.environ.get("ATHANOR_WORLDS")
    if named:
        return named.split(",")
    try:
        plane.binary(build=False)
    except plane.NotAvailable:
        return ["ours"]
    return ["ours", "kube"]


@contextmanager
def ours(data: Path, *flags: str) -> Iterator[Path]:
    """A whole platform over `data`; yields the admin's kubeconfig."""
    up = [str(ATHANOR), "up", "--detach", "--data", str(data), "--port", "0", *flags]
    done = subprocess.run(up, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"athanor up failed: {done.stdout}{done.stderr}")
    try:
        yield data / "admin.kubeconfig"
    finally:
        subprocess.run(
            [str(ATHANOR), "down", "--data", str(data)], check=True, timeout=120,
            capture_output=True,
        )  # fmt: skip


@contextmanager
def world(name: str, data: Path) -> Iterator[Path]:
    """The kubeconfig of one world, for as long as the context lasts."""
    if name == "kube":
        with plane.running() as kubeconfig:
            yield kubeconfig
    else:
        with ours(data) as kubeconfig:
            yield kubeconfig
