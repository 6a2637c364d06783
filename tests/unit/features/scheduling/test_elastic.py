"""Elastic gangs and lost nodes on the real server: grow, shrink, replace; nobody is preempted."""

import asyncio

from athanor.api.core import Event, Node, Pod
from athanor.api.meta import JSON
from athanor.api.placement import unpack
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.gangs.apply import controller as gangs
from athanor.features.nodes.apply import controller as node_watch
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.core.snapshot import Policy
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from athanor.wire import calls


def gang(name: str, count: int, least: int | None = None, **spec: object) -> JSON:
    asks = {"requests": {"cpu": "2"}}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    one: JSON = {"name": "worker", "count": count, "template": template}
    if least is not None:
        one["minCount"] = least
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSets": [one], "queue": "team", **spec},
    }


async def tree(lab: Lab) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    await lab.create(
        {"metadata": {"name": "team"}, "spec": {"pools": [{"pool": "default"}]}}, Queue
    )


def size(g: Gang) -> int:
    return g.status.admission.placements[0].count if g.status.admission is not None else 0


async def runs(lab: Lab, name: str, ready: str) -> Gang:
    return await lab.until(
        Gang, name, lambda g: g.status.phase == "Running" and g.status.ready == ready, within=900
    )


async def told_of(lab: Lab, name: str) -> list[Event]:
    await asyncio.sleep(5)
    return [e for e in await lab.list(Event, "default") if e.involved_object.name == name]


def test_a_live_gang_starts_small_grows_and_gives_back_before_anyone_is_preempted() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=40.0) if pod.metadata.name.startswith("first") else Life()

    async def main() -> None:
        async with cluster([gangs(), scheduling()], script=script) as lab:
            await tree(lab)
            await lab.create(gang("first", 3), Gang)
            await runs(lab, "first", "3/3")
            await lab.create(gang("stretch", 4, 1, resize="Live"), Gang)
            small = await runs(lab, "stretch", "1/4")
            assert size(small) == 1
            grown = await runs(lab, "stretch", "4/4")
            assert (size(grown), grown.status.resizes, grown.status.evictions) == (4, 0, 0)
            await lab.create(gang("late", 2), Gang)
            late = await runs(lab, "late", "2/2")
            left = await runs(lab, "stretch", "2/4")
            assert (size(left), left.status.evictions, late.status.evictions) == (2, 0, 0)
            assert left.status.admission is not None and left.status.admission.shrink is None
            assert left.status.admission.generation == 2 == left.status.generation
            told = [(event.reason, event.message) for event in await told_of(lab, "stretch")]
            assert ("Resized", "goes on with 4 ranks") in told
            assert any(why == "Shrunk" and "goes on with 2 ranks: " in said for why, said in told)
            firsts = [p for p in await lab.list(Pod) if p.metadata.name == "stretch-worker-0"]
            assert firsts[0].metadata.labels["athanor.dev/attempt"] == "0"

    run(main)


def test_a_gang_that_starts_again_does_so_after_a_checkpoint() -> None:
    async def main() -> None:
        quick = Policy(resize_every=5.0)
        async with cluster([gangs(), scheduling(quick)]) as lab:
            await tree(lab)
            saves: JSON = {"enabled": True, "graceSeconds": 20, "restartSeconds": 5}
            await lab.create(gang("first", 2), Gang)
            await runs(lab, "first", "2/2")
            await lab.create(gang("stretch", 4, 1, resize="Restart", checkpoint=saves), Gang)
            await runs(lab, "stretch", "2/4")
            await lab.client(calls.delete(of(Gang), "first", "default"))
            again = await runs(lab, "stretch", "4/4")
            assert (again.status.resizes, again.status.evictions) == (1, 0)
            pods = await lab.list(Pod)
            assert {p.metadata.labels["athanor.dev/attempt"] for p in pods} == {"1"}
            await lab.create(gang("late", 3), Gang)
            asked = await lab.until(
                Gang, "stretch", lambda g: g.status.phase == "Restarting", within=60
            )
            assert "shrinks from 4 to 1 ranks" in asked.status.message
            await runs(lab, "late", "3/3")
            assert size(await runs(lab, "stretch", "1/4")) == 1

    run(main)


def test_ranks_that_lose_their_node_take_a_spare() -> None:
    async def main() -> None:
        every = [gangs(), node_watch(), scheduling()]
        async with cluster(every, nodes=3) as lab:
            await tree(lab)
            spare: JSON = {"nodes": ["node-2"], "queues": ["team"], "spares": True}
            await lab.create({"metadata": {"name": "spare"}, "spec": spare}, Reservation)
            await lab.create(gang("big", 8, replace=True, restart="Rank"), Gang)
            first = await runs(lab, "big", "8/8")
            await lab.create(gang("next", 1), Gang)
            waits = await lab.until(Gang, "next", lambda g: bool(g.status.reasons))
            assert waits.status.reasons[0].code == "ReservedForOthers"
            assert first.status.admission is not None
            before = list(unpack(first.status.admission.placements[0].nodes))
            await lab.agents["node-0"].stop()
            await lab.client(calls.delete(of(Node), "node-0"))
            healed = await lab.until(
                Gang, "big", lambda g: (a := g.status.admission) is not None and a.generation == 1
            )
            await asyncio.sleep(1)
            healed = await runs(lab, "big", "8/8")
            assert healed.status.evictions == 0 and healed.status.admission is not None
            after = list(unpack(healed.status.admission.placements[0].nodes))
            assert before.count("node-0") == 4 == after.count("node-2")
            assert [b for b in before if b != "node-0"] == [a for a in after if a != "node-2"]
            told = {event.reason: event for event in await told_of(lab, "big")}
            assert "goes from node node-0 to node-2" in told["Replaced"].message

    run(main)


def test_a_gang_for_which_there_is_no_other_place_goes_back_in_line() -> None:
    async def main() -> None:
        async with cluster([gangs(), node_watch(), scheduling()], nodes=2) as lab:
            await tree(lab)
            await lab.create(gang("big", 8, replace=True), Gang)
            await runs(lab, "big", "8/8")
            await lab.agents["node-0"].stop()
            await lab.client(calls.delete(of(Node), "node-0"))
            back = await lab.until(
                Gang, "big", lambda g: g.status.admission is None and bool(g.status.reasons)
            )
            assert back.status.evictions == 1

    run(main)
