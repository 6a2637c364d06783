"""What a rank is up to, and whose fault a failure is."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.ends import is_node_bound
from athanor.api.meta import JSON
from athanor.features.gangs.ranks import Place, failure_of, stuck, view

PLACE = Place("worker", 3, 3, "node-1", "")


def pod(phase: str, *, deleted: bool = False, **status: object) -> Pod:
    meta: JSON = {"name": "g-worker-3", "namespace": "default", "labels": {labels.GANG: "g"}}
    if deleted:
        meta["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    body = {"metadata": meta, "spec": {"nodeName": "node-1"}, "status": {"phase": phase, **status}}
    return msgspec.convert(body, Pod)


def ended(code: int, reason: str = "Error") -> list[JSON]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": "its last words"}}
    return [{"name": "main", "state": state}]


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("absent", None),
        ("waiting", pod("Pending")),
        ("running", pod("Running")),
        ("ready", pod("Running", conditions=[{"type": "Ready", "status": "True"}])),
        ("succeeded", pod("Succeeded")),
        ("failed", pod("Failed", containerStatuses=ended(1))),
        ("failed", pod("Failed", containerStatuses=ended(137, "OOMKilled"))),
        ("displaced", pod("Running", deleted=True)),
        ("displaced", pod("Failed", deleted=True, containerStatuses=ended(143))),
        ("displaced", pod("Failed", reason="OutOfcpu")),
        ("displaced", pod("Failed", reason="OutOfnvidia.com/gpu")),
        ("displaced", pod("Failed", reason="UnexpectedAdmissionError")),
        ("displaced", pod("Failed", reason="TopologyAffinityError")),
        ("displaced", pod("Failed", reason="NodePorts")),
        ("displaced", pod("Failed", reason="NodeLost")),
        ("displaced", pod("Failed", containerStatuses=ended(137, "ContainerStatusUnknown"))),
        (
            "displaced",
            pod("Failed", conditions=[{"type": "DisruptionTarget", "status": "True"}]),
        ),
    ],
)
def test_a_rank_by_its_pod(state: str, found: Pod | None) -> None:
    assert view(PLACE, found, frozenset(), 0).state == state


@pytest.mark.parametrize(
    ("finished", "state"),
    [("07:59:29", "succeeded"), ("07:59:30", "displaced"), ("07:59:41", "displaced")],
)
def test_who_ends_well_after_it_was_told_to_go_is_not_done(finished: str, state: str) -> None:
    """It goes at 08:00:00 at the latest, and was told so half a minute before."""
    [main] = ended(0, "Completed")
    main["state"]["terminated"]["finishedAt"] = f"2027-01-15T{finished}Z"
    found = pod("Succeeded", deleted=True, containerStatuses=[main])
    meta = msgspec.structs.replace(found.metadata, deletion_grace_period_seconds=30)
    seen = view(PLACE, msgspec.structs.replace(found, metadata=meta), frozenset(), 0)
    assert seen.state == state
    if seen.failure is not None:
        assert (seen.failure.reason, seen.failure.platform) == ("PodDeleted", True)


def test_ranks_of_a_lost_node_are_displaced() -> None:
    lost = frozenset({"node-1"})
    for found in (None, pod("Pending"), pod("Running")):
        seen = view(PLACE, found, lost, 0)
        assert seen.state == "displaced"
        assert seen.failure is not None
        assert (seen.failure.reason, seen.failure.platform) == ("NodeLost", True)
    assert view(PLACE, pod("Succeeded"), lost, 0).state == "succeeded"


def test_who_fills_more_than_it_may_is_to_blame_itself() -> None:
    told = 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    overfilled = failure_of(PLACE, pod("Failed", reason="Evicted", message=told), 2)
    assert (overfilled.reason, overfilled.platform) == ("Evicted", False)
    low = "The node was low on resource: memory. "
    assert failure_of(PLACE, pod("Failed", reason="Evicted", message=low), 2).platform


def test_a_failure_tells_what_happened() -> None:
    failure = failure_of(PLACE, pod("Failed", containerStatuses=ended(7)), 2)
    assert (failure.pod_set, failure.rank, failure.node) == ("worker", 3, "node-1")
    assert (failure.exit_code, failure.reason, failure.attempt) == (7, "Error", 2)
    assert failure.message == "its last words"
    assert not failure.platform


def test_faults_that_come_again_on_the_same_node() -> None:
    assert is_node_bound("OutOfcpu")
    assert is_node_bound("NodeLost")
    assert not is_node_bound("ContainerStatusUnknown")
    assert not is_node_bound("PodDeleted")


def test_a_container_that_cannot_start_is_named() -> None:
    waiting = {"waiting": {"reason": "ErrImageNeverPull", "message": "no such image"}}
    found = pod("Pending", containerStatuses=[{"name": "main", "state": waiting}])
    assert stuck([pod("Running"), found]) == ("ErrImageNeverPull", "g-worker-3: no such image")
    assert stuck([pod("Running")]) is None
