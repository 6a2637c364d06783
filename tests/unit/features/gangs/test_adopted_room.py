"""What adopted pods held is free when they end or are gone, whoever comes after them."""

import asyncio

import msgspec
import pytest

from athanor.api.core import Pod
from athanor.api.meta import JSON, ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import (
    Admission,
    Gang,
    GangSpec,
    GangStatus,
    PodCounts,
    PodSet,
    Pool,
    Queue,
)
from athanor.features.gangs import foreign
from athanor.features.gangs.apply import adopter, controller
from athanor.features.gangs.observe import Observed
from athanor.features.gangs.plan import plan
from athanor.features.scheduling.apply import controller as scheduling
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Create, Replace
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from athanor.wire import calls
from tests.unit.features.gangs.test_foreign import JOB, placed, pod, tree

RAY = "ray.io/cluster"
PARTS = (controller(), adopter(), scheduling())
"""One node of eight cores: two pods of three cores fill it."""


async def remove(lab: Lab, name: str) -> None:
    await lab.client(calls.delete(of(Pod), name, "default", grace_seconds=0))


async def filled(lab: Lab, *names: str) -> None:
    await tree(lab)
    for name in names:
        await pod(lab, name, labels={RAY: "r"})
    for name in names:
        await lab.until(Pod, name, lambda p: p.status.phase == "Running", within=60)


@pytest.mark.parametrize("successor", ["r-b", "r-a2"], ids=["same name", "another name"])
def test_who_is_made_for_a_pod_that_was_deleted_gets_its_room(successor: str) -> None:
    async def main() -> None:
        async with cluster(PARTS, nodes=1) as lab:
            await filled(lab, "r-a", "r-b")
            await remove(lab, "r-a" if successor == "r-a2" else successor)
            await asyncio.sleep(5)
            await pod(lab, successor, labels={RAY: "r"})
            assert await placed(lab, successor) == "node-0"
            told = await lab.get(Queue, "default", None)
            assert told.status.use[0].used["cpu"] == "6"
            pool = await lab.get(Pool, "default", None)
            assert pool.status.free["cpu"] == "2"
            await pod(lab, "other")
            await asyncio.sleep(30)
            assert not (await lab.get(Pod, "other")).spec.node_name

    run(main)


def test_a_pod_that_comes_back_at_once_has_its_place_again() -> None:
    async def main() -> None:
        async with cluster(PARTS, nodes=1) as lab:
            await filled(lab, "r-a", "r-b")
            await remove(lab, "r-b")
            await pod(lab, "r-b", labels={RAY: "r"})
            assert await placed(lab, "r-b") == "node-0"
            await asyncio.sleep(10)
            assert (await lab.get(Queue, "default", None)).status.use[0].used["cpu"] == "6"

    run(main)


@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_that_has_ended_makes_room_while_its_group_runs_on(code: int) -> None:
    def script(pod: Pod) -> Life:
        short = pod.metadata.name == "a-0"
        return Life(runs=20.0, exit_code=code) if short else Life()

    async def main() -> None:
        async with cluster(PARTS, nodes=1, script=script) as lab:
            await tree(lab)
            for i in range(2):
                await pod(lab, f"a-{i}", labels={JOB: "a"})
            assert await placed(lab, "a-1") == "node-0"
            await pod(lab, "next")
            await lab.until(Pod, "next", lambda p: p.status.phase == "Running", within=60)
            await asyncio.sleep(5)
            assert (await lab.get(Pod, "a-0")).status.phase in ("Succeeded", "Failed")
            assert (await lab.get(Pod, "a-1")).status.phase == "Running"
            assert {g.status.phase for g in await lab.list(Gang)} == {"Running"}
            for name in ("a-0", "a-1", "next"):
                await remove(lab, name)
            await asyncio.sleep(10)
            assert await lab.list(Gang) == []

    run(main)


def test_a_group_whose_last_pods_are_over_leaves_its_gang_until_they_are_deleted() -> None:
    async def main() -> None:
        async with cluster(PARTS, nodes=1, script=lambda _: Life(runs=5.0)) as lab:
            await tree(lab)
            for i in range(2):
                await pod(lab, f"a-{i}", labels={JOB: "a"})
            for i in range(2):
                await lab.until(Pod, f"a-{i}", lambda p: p.status.phase == "Succeeded", within=60)
            name = (await lab.list(Gang))[0].metadata.name
            await lab.until(Gang, name, lambda g: g.status.phase == "Succeeded")
            await asyncio.sleep(60)
            assert len(await lab.list(Gang)) == 1

    run(main)


def test_who_succeeded_in_an_earlier_run_is_told_of_no_other_pod() -> None:
    """A gang that is admitted again adopts the pods that are there then, in their order."""
    counts = PodCounts(pod_set="s", succeeded=1, succeeded_ranks="0", over_ranks="1")
    status = GangStatus(phase="Evicting", admission=Admission(queue="q", pool="p"), pods=[counts])
    sets = [PodSet(name="s", count=2)]
    spec = GangSpec(pod_sets=sets, adopts={"s": ["a", "b"]}, restart="Rank")
    gang = Gang(metadata=ObjectMeta(name="g", namespace="default"), spec=spec, status=status)
    done = plan(Observed(gang=gang), 1_800_000_000.0).actions[0]
    assert isinstance(done, Replace)
    told = msgspec.convert(done.status, GangStatus)
    assert (told.phase, told.pods) == ("Pending", [])


async def evict(lab: Lab, name: str) -> None:
    order = {"deadline": rfc3339(lab.clock.now() + 60), "reason": "Preempted", "message": "test"}
    told = {"status": {"phase": "Evicting", "admission": {"evict": order}}}
    await lab.patch(Gang, name, told, subresource="status")


def test_a_group_that_is_made_anew_while_it_is_evicted_starts_again_later() -> None:
    """A StatefulSet's controller is faster than who waits for its pods to be gone."""

    async def main() -> None:
        async with cluster(PARTS, nodes=1) as lab:
            await filled(lab, "s-0", "s-1")
            made = 0

            async def maker() -> None:
                nonlocal made
                while True:
                    have = {pod.metadata.name for pod in await lab.list(Pod)}
                    for name in sorted({"s-0", "s-1"} - have):
                        await pod(lab, name, labels={RAY: "r"})
                        made += 1
                    await asyncio.sleep(0.005)

            making = asyncio.ensure_future(maker())
            await evict(lab, (await lab.list(Gang))[0].metadata.name)
            await asyncio.sleep(30)
            making.cancel()
            assert made == 2
            for name in ("s-0", "s-1"):
                assert await placed(lab, name) == "node-0"

    run(main)


def test_a_successor_of_the_same_name_that_needs_more_waits_for_it() -> None:
    async def main() -> None:
        async with cluster(PARTS, nodes=1) as lab:
            await filled(lab, "s-0", "s-1")
            await remove(lab, "s-1")
            await pod(lab, "s-1", "7", labels={RAY: "r"})
            await asyncio.sleep(20)
            assert not (await lab.get(Pod, "s-1")).spec.node_name
            await remove(lab, "s-0")
            assert await placed(lab, "s-1") == "node-0"

    run(main)


def test_the_fate_of_a_successor_is_its_own() -> None:
    seen: list[str] = []

    def script(pod: Pod) -> Life:
        if pod.metadata.name == "s-1" and pod.metadata.uid not in seen:
            seen.append(pod.metadata.uid)
        second = pod.metadata.name == "s-1" and seen.index(pod.metadata.uid) == 1
        return Life(runs=5.0, exit_code=3) if second else Life(runs=60.0)

    async def main() -> None:
        async with cluster(PARTS, nodes=1, script=script) as lab:
            await filled(lab, "s-0", "s-1")
            first = (await lab.list(Gang))[0].metadata.name
            await remove(lab, "s-1")
            await asyncio.sleep(5)
            await pod(lab, "s-1", labels={RAY: "r"})
            await asyncio.sleep(100)
            fates = {
                gang.metadata.name == first: gang.status.phase for gang in await lab.list(Gang)
            }
            assert fates == {True: "Succeeded", False: "Failed"}

    run(main)


def test_who_had_to_make_room_has_not_succeeded() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=5.0) if pod.metadata.name == "a-0" else Life()

    async def main() -> None:
        async with cluster(PARTS, nodes=1, script=script) as lab:
            await tree(lab)
            for i in range(2):
                await pod(lab, f"a-{i}", labels={JOB: "a"})
            await lab.until(Pod, "a-0", lambda p: p.status.phase == "Succeeded", within=60)
            await asyncio.sleep(5)
            name = (await lab.list(Gang))[0].metadata.name
            await lab.patch(Gang, name, {"metadata": {"finalizers": ["example.com/look"]}})
            await evict(lab, name)
            await asyncio.sleep(10)
            found = await lab.get(Gang, name)
            assert (found.status.phase, found.status.evictions) == ("Pending", 1)

    run(main)


def test_a_retry_in_a_group_of_known_size_waits_for_nobody_who_is_done() -> None:
    def script(pod: Pod) -> Life:
        lives = {"a-0": Life(runs=5.0), "a-1": Life(runs=20.0, exit_code=1)}
        return lives.get(pod.metadata.name, Life())

    async def main() -> None:
        async with cluster(PARTS, nodes=1, script=script) as lab:
            await tree(lab)
            meta: JSON = {"labels": {JOB: "a"}, "annotations": {"athanor.dev/group-size": "2"}}
            for i in range(2):
                await pod(lab, f"a-{i}", **meta)
            await lab.until(Pod, "a-1", lambda p: p.status.phase == "Failed", within=100)
            await asyncio.sleep(10)
            await pod(lab, "a-1-again", **meta)
            assert await placed(lab, "a-1-again") == "node-0"

    run(main)


SIZED: JSON = {"labels": {JOB: "a"}, "annotations": {"athanor.dev/group-size": "4"}}


def sized(name: str, born: float, phase: str = "Pending", **meta: object) -> Pod:
    when = {"creationTimestamp": rfc3339(born), "uid": f"uid-{name}", "namespace": "default"}
    spec = {"nodeName": "" if phase == "Pending" else "n"}
    told = {"metadata": {"name": name, **SIZED, **when, **meta}, "spec": spec}
    return msgspec.convert({**told, "status": {"phase": phase}}, Pod)


def at_work(pods: list[Pod], over: str = "", *, uids: bool = True) -> Gang:
    names = {"s": [pod.metadata.name for pod in pods]}
    known = {"s": [pod.metadata.uid for pod in pods]} if uids else {}
    counts = PodCounts(pod_set="s", over_ranks=over)
    status = GangStatus(phase="Running", admission=Admission(queue="q", pool="p"), pods=[counts])
    spec = GangSpec(adopts=names, adopted_uids=known, restart="Rank")
    return Gang(metadata=ObjectMeta(name="g", namespace="default"), spec=spec, status=status)


def test_successors_of_a_group_of_known_size_wait_for_each_other_but_not_for_ever() -> None:
    now = 1_800_000_000.0
    ends = {"deletionTimestamp": rfc3339(now)}
    going = [sized(f"a-{i}", now - 99, "Running", **ends) for i in range(4)]
    first = sized("b-0", now)
    seen = foreign.Observed("job-a", (*going, first), (at_work(going),))
    made = foreign.plan(seen, now + 5)
    assert not any(isinstance(one, Create) for one in made.actions), "others may come yet"
    late = foreign.plan(seen, now + 31)
    assert [type(one) for one in late.actions] == [Create]
    others = [sized(f"b-{i}", now + 1) for i in range(1, 4)]
    whole = foreign.Observed("job-a", (*going, first, *others), (at_work(going),))
    made = foreign.plan(whole, now + 2)
    assert isinstance(made.actions[0], Create)
    assert len(next(iter(made.actions[0].manifest["spec"]["adopts"].values()))) == 4


def test_gangs_of_before_uids_were_kept_stay_while_there_are_pods_of_theirs() -> None:
    now = 1_800_000_000.0
    failed = [sized("a-0", now, "Failed"), sized("a-1", now, "Failed")]
    old = at_work(failed, "0-1", uids=False)
    assert foreign.plan(foreign.Observed("job-a", tuple(failed), (old,)), now).actions == ()
