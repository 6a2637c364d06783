"""Silent nodes, and machines that slept."""

from __future__ import annotations

import msgspec

from athanor.api.core import Node
from athanor.features.nodes.observe import Observed
from athanor.features.nodes.plan import LOOK_EVERY, SILENT_AFTER, Memory, plan
from athanor.runtime.plan import Patch

NOW = 1_800_000_000.0


def node(ready: str = "True", reason: str = "KubeletReady") -> Node:
    condition = {"type": "Ready", "status": ready, "reason": reason}
    return msgspec.convert({"metadata": {"name": "n"}, "status": {"conditions": [condition]}}, Node)


def watch(beats: dict[float, str], until: float, seen: Node) -> tuple[list[float], Memory]:
    """Look every five seconds; when it said that the node does not answer."""
    memory: Memory = {}
    said, beat, at = [], "b0", 0.0
    while at <= until:
        beat = beats.get(at, beat)
        planned, memory = plan(Observed(seen, beat), memory, NOW + at)
        said += [at for action in planned.actions if isinstance(action, Patch)]
        assert planned.again_after == LOOK_EVERY
        at += LOOK_EVERY
    return said, memory


def test_a_node_that_beats_is_left_alone() -> None:
    beats = {float(at): f"b{at}" for at in range(0, 300, 10)}
    assert watch(beats, 290, node())[0] == []


def test_a_node_that_stops_is_told_silent() -> None:
    said, _ = watch({}, 50, node())
    assert said[0] == SILENT_AFTER


def test_waking_up_tells_nobody_silent() -> None:
    _, memory = watch({}, 20, node())
    hours = NOW + 20 + 5 * 3600
    planned, memory = plan(Observed(node(), "b0"), memory, hours)
    assert planned.actions == ()
    planned, memory = plan(Observed(node(), "b1"), memory, hours + 5)
    assert planned.actions == ()


def test_a_clock_that_goes_back_tells_nobody_silent() -> None:
    _, memory = watch({}, 35, node())
    planned, _ = plan(Observed(node(), "b0"), memory, NOW - 3600)
    assert planned.actions == ()


def test_a_node_that_beats_again_is_ready_again() -> None:
    _, memory = watch({}, 60, node())
    silent = node("Unknown", "NodeStatusUnknown")
    planned, memory = plan(Observed(silent, "b1"), memory, NOW + 65)
    patch = planned.actions[0]
    assert isinstance(patch, Patch)
    assert patch.body["status"]["conditions"][0]["status"] == "True"


def test_a_restarted_controller_waits_before_it_judges() -> None:
    silent = node("Unknown", "NodeStatusUnknown")
    planned, _ = plan(Observed(silent, "b1"), {}, NOW)
    assert planned.actions == ()


def test_what_the_agent_itself_says_is_left_alone() -> None:
    _, memory = watch({}, 60, node())
    planned, _ = plan(Observed(node("False", "DiskFull"), "b1"), memory, NOW + 65)
    assert planned.actions == ()
