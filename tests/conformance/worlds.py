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

from athanor.assembly import start
from athanor.kit import ready
from athanor.kit.clock import SystemClock
from tests.conformance.kube import guard, plane

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
def server(data: Path) -> Iterator[Path]:
    """Our API server's process alone, over `data`; yields the admin's kubeconfig."""
    prepared = start.prepare(start.Wishes(data=data, port=0), SystemClock())
    command = [str(word) for word in prepared.parts[0]["command"]]  # type: ignore[attr-defined]
    reader, writer = os.pipe()
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, pass_fds=[writer, *prepared.sockets],
            env={**os.environ, ready.VARIABLE: str(writer)}, process_group=guard.group(),
        )  # fmt: skip
    for descriptor in (writer, prepared.lock, *prepared.sockets):
        os.close(descriptor)
    try:
        if not os.read(reader, 100):
            raise RuntimeError(f"the server did not start: {(data / 'server.log').read_text()}")
        yield data / "admin.kubeconfig"
    finally:
        os.close(reader)
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def world(name: str, data: Path) -> Iterator[Path]:
    """The kubeconfig of one world, for as long as the context lasts."""
    if name == "kube":
        with plane.running() as kubeconfig:
            yield kubeconfig
    else:
        with ours(data) as kubeconfig:
            yield kubeconfig
