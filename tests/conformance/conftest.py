"""One server of each world a session, a namespace a test."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.conformance import worlds
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


@pytest.fixture
def namespace() -> str:
    """A name for a namespace that no other test uses; the scenario creates it."""
    return f"conf-{os.getpid()}-{next(_numbers)}"
