"""Pods of no gang: bound where there is room, told why where there is none, in virtual time."""

from __future__ import annotations

import asyncio

from athanor.api.core import Node, Pod
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling import single
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.apply import singles
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from tests.unit.features.scheduling.test_apply import gang, template, tree


def pod(name: str, cpu: str = "1", **spec: object) -> JSON:
    asked: JSON = template(cpu)["spec"]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {**asked, **spec}}


async def unscheduled(lab: Lab, name: str) -> str:
    """Why the pod has no node, once it says so."""
    found = await lab.until(Pod, name, lambda p: bool(p.status.conditions))
    one = found.status.conditions[0]
    assert (one.type, one.status, one.reason) == ("PodScheduled", "False", "Unschedulable")
    assert one.last_transition_time and not found.spec.node_name
    return one.message


def test_pods_get_the_node_with_most_left_and_the_last_hears_why_not() -> None:
    async def main() -> None:
        async with cluster([singles()], nodes=2) as lab:
            for number in range(4):
                await lab.create(pod(f"p{number}", "4"), Pod)
            places = [
                (
                    await lab.until(Pod, f"p{n}", lambda p: p.status.phase == "Running")
                ).spec.node_name
                for n in range(4)
            ]
            assert sorted(places) == ["node-0", "node-0", "node-1", "node-1"]
            await lab.create(pod("late", "4"), Pod)
            assert await unscheduled(lab, "late") == "0/2 nodes are available: 2 Insufficient cpu."
            await lab.patch(Node, "node-0", {"spec": {"unschedulable": True}}, namespace=None)
            said = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."
            await lab.until(Pod, "late", lambda p: p.status.conditions[0].message == said)

    run(main)


def test_room_that_becomes_free_is_taken() -> None:
    async def main() -> None:
        async with cluster([singles()], script=lambda pod: Life(runs=30.0)) as lab:
            await lab.create(pod("first", "8"), Pod)
            await lab.until(Pod, "first", lambda p: p.status.phase == "Running")
            await lab.create(pod("second", "8"), Pod)
            await unscheduled(lab, "second")
            done = await lab.until(Pod, "second", lambda p: p.status.phase == "Succeeded")
            assert done.spec.node_name == "node-0"

    run(main)


def test_what_gangs_hold_is_not_free() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling(), singles()]) as lab:
            await tree(lab)
            await lab.create(gang("g", 1, "6"), Gang)
            await lab.until(Gang, "g", lambda g: g.status.phase == "Running")
            await lab.create(pod("big", "4"), Pod)
            assert "Insufficient cpu" in await unscheduled(lab, "big")
            await lab.create(pod("small", "2"), Pod)
            await lab.until(Pod, "small", lambda p: p.status.phase == "Running")

    run(main)


def test_pods_of_other_schedulers_and_gated_ones_are_left_alone() -> None:
    async def main() -> None:
        async with cluster([singles()]) as lab:
            await lab.create(pod("theirs", schedulerName="mine"), Pod)
            await lab.create(pod("gated", schedulingGates=[{"name": "a.b/c"}]), Pod)
            await lab.create(pod("elsewhere", nodeSelector={"zone": "moon"}), Pod)
            assert "didn't match Pod's node affinity/selector" in await unscheduled(
                lab, "elsewhere"
            )
            await asyncio.sleep(30)
            for name in ("theirs", "gated"):
                left = await lab.get(Pod, name)
                assert left.spec.node_name == "" and left.status.phase == "Pending"

    run(main)


def test_a_binding_counts_before_the_pod_shows_it() -> None:
    async def main() -> None:
        async with cluster([]) as lab:
            await lab.create(pod("a", "6"), Pod)
            await lab.create(pod("b", "6"), Pod)
            first, second = await lab.get(Pod, "a"), await lab.get(Pod, "b")
            node = await lab.get(Node, "node-0", None)
            room = single.Room(node, {"cpu": 8000, "memory": 2**40, "pods": 100})
            made, memory = single.plan(single.Observed((first,), (room,)), {}, 100.0)
            assert made.actions[0].node == "node-0"  # type: ignore[union-attr]
            seen = single.Observed((first, second), (room,))
            made, memory = single.plan(seen, memory, 101.0)
            assert [getattr(a, "reason", "") for a in made.actions] == ["", "FailedScheduling"]
            made, _ = single.plan(seen, memory, 100.0 + single.BELIEVED)
            assert made.actions[0].name == "a"  # type: ignore[union-attr]

    run(main)
