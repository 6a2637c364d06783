"""What waiting pods of others are told, and how often."""

import msgspec
import pytest

from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.features.gangs.unscheduled import PAUSE, told
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Patch, Record

NOW = parse_rfc3339("2027-01-15T08:00:00Z")


def pod(*conditions: JSON, node: str = "", phase: str = "Pending", **meta: JSON) -> Pod:
    manifest = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7", **meta},
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": list(conditions)},
    }
    return msgspec.convert(manifest, Pod)


def written(actions: list[Patch | Record]) -> list[JSON]:
    """The conditions that a pod has then."""
    (patch,) = (one for one in actions if isinstance(one, Patch))
    assert (patch.subresource, patch.resource_version) == ("status", "7")
    found: list[JSON] = patch.body["status"]["conditions"]
    return found


def test_the_condition_and_the_event_are_kube_schedulers() -> None:
    other = {"type": "Ready", "status": "False"}
    actions, again = told([pod(other)], "no room", NOW)
    at = rfc3339(NOW)
    assert again is None and written(actions) == [
        other,
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
         "message": "no room", "lastTransitionTime": at, "lastProbeTime": at},
    ]  # fmt: skip
    event = actions[-1]
    assert isinstance(event, Record)
    assert (event.type, event.reason, event.message) == ("Warning", "FailedScheduling", "no room")


def test_what_is_known_is_not_told_and_other_words_wait_for_a_moment() -> None:
    actions, _ = told([pod()], "room for 1", NOW)
    knows = pod(*written(actions))
    assert told([knows], "room for 1", NOW + 3600) == ([], None)
    assert told([knows], "room for 2", NOW + 10) == ([], PAUSE - 10)
    actions, again = told([knows], "room for 2", NOW + PAUSE)
    (said,) = written(actions)
    assert again is None and said["message"] == "room for 2"
    assert said["lastTransitionTime"] == rfc3339(NOW), "it has not been scheduled since"


def test_who_was_held_by_gates_hears_at_once() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
             "message": "no room", "lastProbeTime": rfc3339(NOW)}  # fmt: skip
    actions, _ = told([pod(gated)], "no room", NOW)
    assert written(actions)[0]["reason"] == "Unschedulable"


@pytest.mark.parametrize(
    "gone",
    [pod(node="a"), pod(phase="Failed"), pod(deletionTimestamp="2027-01-15T08:00:00Z")],
    ids=["placed", "ended", "leaving"],
)
def test_who_does_not_wait_hears_nothing(gone: Pod) -> None:
    assert told([gone], "no room", NOW) == ([], None)
