"""Uploaded code on a real cluster, with the installed rights: it goes when nobody needs it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import product, worlds
from tests.conformance.kube import plane

AGO = 1_000_000_000.0


def athanor(cluster: product.Cluster, *words: str) -> None:
    done = subprocess.run(
        [str(worlds.ATHANOR), "--kubeconfig", str(cluster.admin), *words],
        capture_output=True, text=True, timeout=product.PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + cluster.said()


@pytest.fixture(scope="module")
def cluster() -> Iterator[product.Cluster]:
    if "kube" not in worlds.wanted():
        pytest.skip("world kube: not wanted, or `make kube` was not run")
    with (
        tempfile.TemporaryDirectory(prefix="uploads-") as folder,
        product.cluster(Path(folder)) as made,
    ):
        made.install()
        yield made


def test_a_gateway_deletes_what_no_job_names(cluster: product.Cluster) -> None:
    code = cluster.folder / "code"
    code.mkdir()
    kept = cluster.folder / "kept" / "bundles" / "default"

    def submit(name: str) -> Path:
        (code / "main.py").write_text(name)
        known = set(kept.glob("*")) if kept.exists() else set()
        athanor(
            cluster, "submit", "generic", "--name", name, "--image", "host", "--suspended",
            "--code", str(code), "--", "python", "main.py",
        )  # fmt: skip
        (made,) = set(kept.glob("*")) - known
        return made

    named, deleted = submit("named"), submit("deleted")
    athanor(cluster, "delete", "deleted", "--yes")
    left = kept / f"{'0' * 64}.part"
    left.write_text("begun")
    for path in (named, deleted, left):
        os.utime(path, (AGO, AGO))
    port = str(plane.free_port())
    cluster.part(
        "athanor-gateway", "gateway", "--listen", f"127.0.0.1:{port}", "--service-port", port,
        "--keep", str(cluster.folder / "kept"),
    )  # fmt: skip
    product.until(lambda: not deleted.exists() and not left.exists(), cluster.said)
    assert named.exists()
