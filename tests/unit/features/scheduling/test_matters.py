"""When the scheduler looks at once: what is free for others changed, not each of a gang's pods."""

import msgspec
import pytest

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.features.scheduling.matters import KEY, held_pods_matter, use_matters
from athanor.runtime.cache import Changed
from tests.properties.situations import caches_of
from tests.unit.features.scheduling.test_near import World

ADMISSION: JSON = {
    "queue": "q",
    "pool": "default",
    "admittedAt": "2026-01-01T00:00:00Z",
    "placements": [],
}


def _pod(phase: str, node: str = "n0", gang: str = "g") -> Pod:
    meta = {"name": "p", "namespace": "default", "labels": {labels.GANG: gang} if gang else {}}
    whole = {"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": phase}}
    return msgspec.convert(whole, Pod)


RUNS, ENDED, NODELESS = _pod("Running"), _pod("Succeeded"), _pod("Pending", "")


@pytest.mark.parametrize(
    ("before", "after", "differs", "comes_or_ends"),
    [
        (None, RUNS, True, True),
        (_pod("Pending"), RUNS, False, False),
        (RUNS, ENDED, True, True),
        (RUNS, None, True, True),
        (ENDED, None, False, True),
        (NODELESS, RUNS, True, True),
        (None, NODELESS, False, True),
    ],
)
def test_pods_of_a_gang_that_holds_their_room_can_wait(
    before: Pod | None, after: Pod | None, differs: bool, comes_or_ends: bool
) -> None:
    world = World()
    spec = {"queue": "q", "podSets": [{"name": "w", "count": 1, "template": {}}]}
    world.put(Gang, "g", "default", spec=spec, status={"phase": "Running", "admission": ADMISSION})
    change = Changed(before, after)
    holding = caches_of(world.objects)
    assert not list(use_matters(change, holding))
    assert bool(list(held_pods_matter(change, holding))) == comes_or_ends
    world.put(Gang, "g", "default", spec=spec, status={"phase": "Evicting"})
    evicted = caches_of(world.objects)
    assert list(use_matters(change, evicted)) == ([KEY] if differs else [])
    assert not list(held_pods_matter(change, evicted))


def test_pods_of_nobody_matter_at_once() -> None:
    world = caches_of(World().objects)
    assert list(use_matters(Changed(None, _pod("Running", gang="")), world)) == [KEY]
