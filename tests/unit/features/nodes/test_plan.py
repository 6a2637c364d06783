"""Silent nodes, machines that slept, and what a removed node leaves."""

from __future__ import annotations

import asyncio

import msgspec

from athanor.api.core import Node, Pod
from athanor.api.registry import of
from athanor.features.nodes.apply import controller
from athanor.features.nodes.observe import Observed
from athanor.features.nodes.plan import LOOK_EVERY, QUARANTINE, SILENT_AFTER, Memory, plan
from athanor.runtime.plan import Action, Delete, Patch
from athanor.testing import lab, virtual
from athanor.wire import calls

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


def orphan(name: str, phase: str = "Running") -> Pod:
    meta = {"name": name, "namespace": "d", "uid": f"u-{name}"}
    return msgspec.convert(
        {"metadata": meta, "spec": {"nodeName": "n"}, "status": {"phase": phase}}, Pod
    )


def clear(pods: tuple[Pod, ...], until: float, memory: Memory) -> dict[float, tuple[Action, ...]]:
    done, at = {}, 0.0
    while at <= until:
        planned, memory = plan(Observed(None, pods=pods), memory, NOW + at)
        if planned.actions:
            done[at] = planned.actions
        at += LOOK_EVERY
    return done


def test_what_a_removed_node_left_is_cleared_away_after_a_while() -> None:
    left = (orphan("a"), orphan("b", "Succeeded"))
    memory = {"n": plan(Observed(node(), "b0"), {}, NOW - 5)[1]["n"]}
    done = clear(left, QUARANTINE, memory)
    assert list(done) == [QUARANTINE]
    said, *deletes = done[QUARANTINE]
    assert isinstance(said, Patch) and said.name == "a" and said.body["status"]["phase"] == "Failed"
    assert said.body["status"]["conditions"][0]["reason"] == "DeletionByPodGC"
    told = [(d.name, d.uid, d.grace_seconds) for d in deletes if isinstance(d, Delete)]
    assert told == [("a", "u-a", 0), ("b", "u-b", 0)]


def test_waking_up_clears_nothing_away() -> None:
    _, memory = plan(Observed(None, pods=(orphan("a"),)), {}, NOW)
    planned, memory = plan(Observed(None, pods=(orphan("a"),)), memory, NOW + 5 * 3600)
    assert planned.actions == ()


def test_pods_of_a_deleted_node_go_with_it() -> None:
    async def main() -> None:
        async with lab.cluster([controller()], nodes=2) as bed:
            for number in range(2):
                container = {"name": "c", "image": "host"}
                spec = {"nodeName": f"node-{number}", "containers": [container]}
                await bed.create(
                    {"metadata": {"name": f"p-{number}", "namespace": "default"}, "spec": spec}, Pod
                )
                await bed.until(Pod, f"p-{number}", lambda pod: pod.status.phase == "Running")
            await bed.agents["node-0"].stop()
            await bed.client(calls.delete(of(Node), "node-0"))
            await asyncio.sleep(QUARANTINE - 5)
            assert len(await bed.list(Pod, "default")) == 2
            await asyncio.sleep(30)
            assert [pod.metadata.name for pod in await bed.list(Pod, "default")] == ["p-1"]

    virtual.run(main)
