"""A world for all stories, one after the other; a namespace and a folder a story."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance import worlds
from tests.conformance.stories import places
from tests.conformance.stories.teller import Teller, tell

_numbers = itertools.count(1)
WORLDS = {"ours": places.laptop, "kube": places.cluster}


@pytest.fixture(scope="package", params=WORLDS)
def place(request: pytest.FixtureRequest) -> Iterator[places.Place]:
    """A world; skips one that is not wanted or cannot be had.

    Its folder is no `tmp_path`: those close their parent to the other users that pods run as.
    """
    if "kube" not in worlds.wanted():
        pytest.skip("the stories need kubectl: `make kube` was not run")
    if request.param not in worlds.wanted():
        pytest.skip(f"world {request.param}: not wanted")
    with tempfile.TemporaryDirectory(prefix=f"stories-{request.param}-") as folder:
        Path(folder).chmod(0o711)
        with WORLDS[request.param](Path(folder)) as made:
            yield made


@pytest.fixture
def story(place: places.Place) -> Iterator[Teller]:
    """Somebody who may do everything, in a namespace that is new."""
    name = f"story-{next(_numbers)}"
    with ExitStack() as stack:
        folder = place.shared / name
        folder.mkdir()
        yield tell(place, name, Path(folder), stack)
