"""One cluster of real nodes a session."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kube.cache import NotAvailable
from tests.nodes.cluster import KERNEL, Cluster, running

signal.signal(signal.SIGTERM, signal.default_int_handler)  # nodes are taken down as by Ctrl-C
TOOLS = ("ip", "nsenter", "unshare", "mount")


def lacking() -> str:
    """What this machine lacks to be two nodes; nothing is lacking: ''."""
    if sys.platform != "linux":
        return "real nodes need Linux"
    if os.geteuid() != 0:
        return "real nodes need root: namespaces, mounts, control groups"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"real nodes need {', '.join(missing)}" if missing else ""


def kernel() -> dict[str, str]:
    """The machine's own settings that kubelets would change."""
    return {name: Path(f"/proc/sys/{name}").read_text() for name in KERNEL}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two real nodes."""
    if lack := lacking():
        pytest.skip(lack)
    before = kernel()
    with tempfile.TemporaryDirectory(prefix="nodes-") as folder:
        try:
            with running(Path(folder)) as made:
                yield made
        except NotAvailable as why:
            pytest.skip(str(why))
    assert kernel() == before
