"""A job over two nodes of a real Kubernetes without cluster DNS: two agents, two halves of a gang.

Both nodes are this machine, at an address of its own that is not the loopback (no Endpoints may
hold that). Their pods share its network, as pods of several such nodes must.
"""

from __future__ import annotations

import itertools
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from athanor.kit import quantity
from tests.acceptance.trainings import jax_learned, regression_agrees
from tests.conformance import worlds
from tests.conformance.stories import places
from tests.conformance.stories.teller import Teller, tell
from tests.conformance.stories.test_trainings import log_of, submitted

NODES = ("machine", "second")
LATER = ("sh", "-c", 'sleep 5; exec "$@"', "sh")
"""An agent gives a gang ports that are free: here nobody may listen before both have chosen."""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def place() -> Iterator[places.Place]:
    """A cluster of two nodes."""
    if "kube" not in worlds.wanted():
        pytest.skip("world kube: not wanted, or `make kube` was not run")
    with tempfile.TemporaryDirectory(prefix="two-nodes-") as folder:
        Path(folder).chmod(0o711)
        with places.cluster(Path(folder), *NODES[1:], address=address()) as made:
            yield made


@pytest.fixture
def story(place: places.Place) -> Iterator[Teller]:
    with ExitStack() as stack:
        name = f"two-{next(_numbers)}"
        (place.shared / name).mkdir()
        yield tell(place, name, place.shared / name, stack)


def address() -> str:
    """One of this machine's that is not the loopback; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        found: str = probe.getsockname()[0]
        return found


def half(story: Teller) -> str:
    """More than half of what a node has, so that no two ranks share one."""
    nodes = story.get("nodes")["items"]
    least = min(quantity.milli(node["status"]["allocatable"]["cpu"]) for node in nodes)
    return f"{least * 6 // 10}m"


def on_both(story: Teller, venv: str, framework: str, *args: str, first: Sequence[str] = ()) -> str:
    """The log of a training with a rank on each node."""
    wish = ("--host", "network", "--cpu", half(story))
    submitted(story, venv, framework, "wide", *wish, "--", *args, first=first)
    story.until(lambda: set(NODES) <= set(story.placed("wide")))
    return log_of(story, "wide")


def test_jax_finds_its_coordinator(story: Teller, venv: str) -> None:
    jax_learned(on_both(story, venv, "jax", "--epochs", "20", first=LATER))


def test_mpi_finds_its_launcher(story: Teller, venv: str) -> None:
    host = socket.gethostname()  # both nodes' own
    regression_agrees(on_both(story, venv, "mpi"), host, host)
