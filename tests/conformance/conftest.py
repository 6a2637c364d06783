"""One server of each world a session, a namespace a test."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.environments import installed
from tests.conformance import installation, worlds
from tests.conformance.kube import plane as kube

_numbers = itertools.count()
signal.signal(signal.SIGTERM, signal.default_int_handler)  # planes are taken down as by Ctrl-C


@pytest.fixture(scope="session")
def plane() -> Iterator[Path]:
    """The admin's kubeconfig of the session's one real control plane."""
    with kube.running() as path:
        yield path


@pytest.fixture(scope="session", params=["ours", "kube"])
def kubeconfig(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The admin's kubeconfig of a world; skips a world that is not wanted or cannot be had."""
    with _of_world(request, lambda: worlds.ours(tmp_path_factory.mktemp("world"))) as path:
        yield path


@pytest.fixture(scope="session", params=["ours", "kube"])
def bare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A world and its kubeconfig: our server without agent and controllers, or the real one."""
    with _of_world(request, lambda: worlds.server(tmp_path_factory.mktemp("server"))) as path:
        yield request.param, path


@contextmanager
def _of_world(
    request: pytest.FixtureRequest, ours: Callable[[], AbstractContextManager[Path]]
) -> Iterator[Path]:
    if request.param not in worlds.wanted():
        pytest.skip(f"world {request.param}: not wanted, or `make kube` was not run")
    if request.param == "kube":
        yield request.getfixturevalue("plane")
        return
    with ours() as path:
        yield path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[installation.Cluster]:
    """A control plane of the module's own with two simulated nodes, to install on."""
    with installation.running(tmp_path_factory.mktemp("install")) as made:
        yield made


@pytest.fixture
def namespace() -> str:
    """A name for a namespace that no other test uses; the scenario creates it."""
    return f"conf-{os.getpid()}-{next(_numbers)}"


@pytest.fixture(scope="session")
def venv() -> Iterator[str]:
    """The environment where every user may use it: the cache may be in a closed home."""
    made = Path(installed("small"))
    with tempfile.TemporaryDirectory(prefix="environments-") as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(made, Path(folder) / "small", symlinks=True, copy_function=link)
        yield f"{folder}/small"


def link(file: str, to: str) -> None:
    """A file under another name, or a copy where that is on another file system."""
    try:
        os.link(file, to, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, to, follow_symlinks=False)
