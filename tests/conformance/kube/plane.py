"""Builds the kubeplane binary once into a cache and starts control planes for tests.

The binary is keyed by a hash of the sources in this folder, so a change of the sources builds anew
and nothing is built twice.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.conformance.kube import guard, older
from tests.conformance.kube.cache import NotAvailable, built, cache_dir, go

HERE = Path(__file__).parent
_ports = itertools.count(os.getpid() * 64)
SOURCES = ("main.go", "go.mod", "go.sum", "build.sh")


def binary(*, build: bool = True) -> Path:
    """The kubeplane binary of `$ATHANOR_KUBE`'s Kubernetes (1.34, say), without it the newest's.

    Raises NotAvailable when it is not in the cache and cannot (or must not) be built.
    """
    wanted = os.environ.get("ATHANOR_KUBE", "")
    if not wanted:
        return newest(build=build)
    if wanted not in older.RELEASES:
        raise ValueError(f"ATHANOR_KUBE={wanted}: it is one of {', '.join(older.RELEASES)}")
    release = older.RELEASES[wanted]
    path = cache_dir() / f"kubeplane-{release}-{_key(older.texts(release).values())}"

    def make(folder: Path) -> int:
        with tempfile.TemporaryDirectory(prefix="kubeplane-") as sources:
            older.derive(release, Path(sources))
            return _build(Path(sources), folder)

    how = f"`ATHANOR_KUBE={wanted} make kube` builds it (4-12 minutes)"
    return built(path, how, make if build else None)


def newest(*, build: bool = True) -> Path:
    """The binary for the sources as they are here. Raises NotAvailable."""
    key = _key((HERE / name).read_text() for name in SOURCES)
    make = partial(_build, HERE) if build else None
    return built(cache_dir() / f"kubeplane-{key}", "`make kube` builds it (4-7 minutes)", make)


def _key(texts: Iterable[str]) -> str:
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _build(sources: Path, folder: Path) -> int:
    go()
    command = ["sh", str(sources / "build.sh"), str(folder / "kubeplane")]
    return subprocess.run(command, check=False).returncode


def kubectl() -> Path:
    """The binary's kubectl: a link to it."""
    plane = binary()
    link = plane.parent / f"{plane.name}-bin" / "kubectl"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(plane)
    return link


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on right now.

    None of those that connections get by themselves (Linux: 32768 and above): one might have it
    before whoever asked for it does.
    """
    for number in _ports:
        port = 10_000 + number % 10_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("numbers do not end")


@contextmanager
def running(*flags: str, within: Sequence[str] = (), port: int = 0) -> Iterator[Path]:
    """A fresh control plane; yields its admin kubeconfig and ends it afterwards.

    `flags` are those of `kubeplane all`: "-scheduler" runs kube-scheduler, too. `within`: a
    command that runs another one, in a network of its own for instance; 0: a port that is free.
    """
    plane = binary()
    with tempfile.TemporaryDirectory(prefix="kubeplane-") as folder:
        at = str(port or free_port())
        command = [*within, str(plane), "all", "-dir", folder, "-port", at, *flags]
        with (Path(folder) / "plane.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, process_group=guard.group()
            )
        try:
            assert process.stdout is not None
            first = process.stdout.readline().decode()
            if not first.startswith("ready"):
                raise NotAvailable(f"kubeplane said {first!r} instead of 'ready'")
            yield Path(folder) / "admin.kubeconfig"
        finally:
            process.terminate()
            process.communicate(timeout=30)


if __name__ == "__main__":
    try:
        print(kubectl() if sys.argv[1:] == ["kubectl"] else binary())
    except NotAvailable as why:
        print(f"NOT RUN: {why}", file=sys.stderr)
        raise SystemExit(3) from None
