"""Quotas and ranges of a namespace are looked at for whole gangs, before any pod."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from athanor.api.core import LimitRange, Pod, PriorityClass, ResourceQuota, Service
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import adopter
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.runtime.manager import Manager
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from athanor.wire import calls

NODE = {"cpu": "32", "memory": "64Gi", "pods": "50"}


def gang(name: str, pods: int, cpu: str = "1", least: int | None = None, **spec: Any) -> JSON:
    asks = {"requests": {"cpu": cpu}} if cpu else {}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    one = {"name": "worker", "count": pods, "template": template}
    sets = [{**one, "minCount": least} if least else one]
    meta = {"name": name, "namespace": "default"}
    return {"metadata": meta, "spec": {"podSets": sets, "queue": "team", **spec}}


async def stage(lab: Lab, hard: JSON, *ranges: JSON) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    pools = [{"pool": "default"}]
    await lab.create({"metadata": {"name": "team"}, "spec": {"pools": pools}}, Queue)
    meta = {"name": "small", "namespace": "default"}
    await lab.create({"metadata": meta, "spec": {"hard": hard}}, ResourceQuota)
    for limit in ranges:
        await lab.create({"metadata": meta, "spec": {"limits": [limit]}}, LimitRange)


async def refused(lab: Lab, name: str, code: str = "NamespaceQuota") -> str:
    def told(one: Gang) -> bool:
        return [r.code for r in one.status.reasons] == [code]

    return (await lab.until(Gang, name, told, within=60)).status.reasons[0].message


async def runs(lab: Lab, name: str) -> Gang:
    return await lab.until(Gang, name, lambda g: g.status.phase == "Running", within=120)


async def pods_of(lab: Lab, name: str) -> int:
    return sum(pod.metadata.name.startswith(f"{name}-") for pod in await lab.list(Pod))


def _life(pod: Pod) -> Life:
    return Life(runs=30 if pod.metadata.name.startswith("first") else None)


def test_a_quota_lets_a_gang_in_whole_or_not_at_all() -> None:
    async def main() -> None:
        nodes = {"node-0": NODE}
        async with cluster([gangs(), scheduling()], nodes=nodes, script=_life) as lab:
            await stage(lab, {"pods": "4", "requests.cpu": "6"})
            await lab.create(gang("first", 2), Gang)
            await runs(lab, "first")
            await lab.create(gang("wide", 3), Gang)
            said = await refused(lab, "wide")
            assert said == "quota small of its namespace has 2 pods left; the gang asks for 3"
            assert await pods_of(lab, "wide") == 0
            await lab.create(gang("deep", 1, "5"), Gang)
            assert "has 4 requests.cpu left; the gang asks for 5" in await refused(lab, "deep")
            await lab.patch(Gang, "deep", {"spec": {"suspend": True}})
            await lab.create(gang("fits", 2), Gang)
            await runs(lab, "fits")
            assert await pods_of(lab, "wide") == 0
            await lab.patch(Gang, "fits", {"spec": {"suspend": True}})
            await runs(lab, "wide")  # when the first has ended and there is room again

    run(main)


def test_gangs_that_are_admitted_at_once_share_a_quota() -> None:
    async def main() -> None:
        async with cluster([gangs()], nodes={"node-0": NODE}) as lab:
            await stage(lab, {"pods": "4"})
            for name in "abc":
                await lab.create(gang(name, 2), Gang)
            manager = Manager(lab.connect(), [scheduling()], lab.clock, lab.dice.random)
            late = asyncio.ensure_future(manager.run())  # it sees all three at once
            await runs(lab, "a")
            await runs(lab, "b")
            await refused(lab, "c")
            assert await pods_of(lab, "c") == 0
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)

    run(main)


def test_ranges_fill_in_what_pods_leave_out_and_bound_what_they_ask() -> None:
    async def main() -> None:
        usual = {"type": "Container", "defaultRequest": {"cpu": "2"}, "max": {"cpu": "4"},
                 "default": {"cpu": "3"}}  # fmt: skip
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await stage(lab, {"requests.cpu": "5"}, usual)
            await lab.create(gang("quiet", 3, ""), Gang)
            said = await refused(lab, "quiet")
            assert (
                said == "quota small of its namespace has 5 requests.cpu left; the gang asks for 6"
            )
            await lab.create(gang("loud", 1, "4500m"), Gang)
            said = await refused(lab, "loud", "InvalidRequest")  # waiting does not help it
            assert "a LimitRange of its namespace: maximum cpu usage" in said
            await lab.create(gang("some", 3, "", least=2), Gang)
            told = await runs(lab, "some")
            assert told.status.admission is not None
            assert [p.count for p in told.status.admission.placements] == [2]

    run(main)


def test_what_ranges_fill_in_takes_room_on_nodes() -> None:
    async def main() -> None:
        usual = {"type": "Container", "defaultRequest": {"cpu": "10"}, "default": {"cpu": "10"}}
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await stage(lab, {"pods": "40"}, usual)
            await lab.create(gang("wide", 4, ""), Gang)

            def told(one: Gang) -> bool:
                return bool(one.status.reasons)

            said = (await lab.until(Gang, "wide", told, within=60)).status.reasons[0].message
            assert "room for 3 of 4 pods" in said, said
            await lab.patch(LimitRange, "small", {"spec": {"limits": [{"type": "Container"}]}})
            await runs(lab, "wide")  # ranges that are others now hold for those in line

    run(main)


LIMITS = {"limits": {"cpu": "4"}}
REQUESTS = {"requests": {"cpu": "3"}}
SIDE = {"name": "side", "image": "host", "restartPolicy": "Always", "resources": REQUESTS}
URGENT = {"matchExpressions": [
    {"scopeName": "PriorityClass", "operator": "In", "values": ["urgent"]}
]}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "resources", "first", "usual", "said"),
    [
        ({"hard": {"requests.cpu": "6"}}, LIMITS, [], False, "6 requests.cpu left; the gang asks "),
        ({"hard": {"requests.cpu": "9"}}, REQUESTS, [SIDE], False, "9 requests.cpu left; the gang"),
        ({"hard": {"pods": "1"}, "scopeSelector": URGENT}, {}, [], False, "1 pods left; the gang "),
        ({"hard": {"pods": "1"}, "scopeSelector": URGENT}, {}, [], True, "1 pods left; the gang "),
        ({"hard": {"limits.cpu": "99"}}, REQUESTS, [], False, "must specify limits.cpu for: main"),
    ],
    ids=["a limit is a request", "sidecars", "its priority", "the usual priority", "left out"],
)
def test_pods_count_as_the_server_will_have_them(
    spec: JSON, resources: JSON, first: list[JSON], usual: bool, said: str
) -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await stage(lab, {"pods": "99"})
            klass = {"metadata": {"name": "urgent"}, "value": 9, "globalDefault": usual}
            await lab.create(klass, PriorityClass)
            meta = {"name": "other", "namespace": "default"}
            await lab.create({"metadata": meta, "spec": spec}, ResourceQuota)
            await lab.until(ResourceQuota, "other", lambda q: bool(q.status.get("hard")))
            box = {"name": "main", "image": "host", "resources": resources}
            asked = gang("wide", 2, **({} if usual else {"priorityClassName": "urgent"}))
            template = {"spec": {"containers": [box], "initContainers": first}}
            asked["spec"]["podSets"][0]["template"] = template
            await lab.create(asked, Gang)
            told = await lab.until(Gang, "wide", lambda g: bool(g.status.reasons), within=60)
            assert said in told.status.reasons[0].message
            assert await pods_of(lab, "wide") == 0

    run(main)


def test_ranges_do_not_make_less_of_a_limit() -> None:
    async def main() -> None:
        usual = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await stage(lab, {"pods": "40"}, usual)
            asked = gang("wide", 2, "")
            box = asked["spec"]["podSets"][0]["template"]["spec"]["containers"][0]
            box["resources"] = {"limits": {"cpu": "20"}}
            await lab.create(asked, Gang)
            said = await refused(lab, "wide", "NeverFits")
            assert "room for 1 of 2 pods" in said

    run(main)


def test_pods_of_others_that_are_there_count_once() -> None:
    async def main() -> None:
        parts = [gangs(), adopter(), scheduling()]
        async with cluster(parts, nodes={"node-0": NODE}) as lab:
            await stage(lab, {"pods": "6"})
            await lab.create({"metadata": {"name": "default"}, "spec": {}}, Queue)
            pools = {"spec": {"pools": [{"pool": "default"}]}}
            await lab.patch(Queue, "default", pools, namespace=None)
            box = {"name": "main", "image": "host"}
            spec = {"schedulerName": "athanor", "containers": [box]}
            for i in range(3):
                meta: JSON = {"name": f"theirs-{i}", "namespace": "default"}
                meta["labels"] = {"athanor.dev/group": "theirs"}
                await lab.create({"metadata": meta, "spec": spec}, Pod)
            for i in range(3):
                await lab.until(Pod, f"theirs-{i}", lambda p: p.status.phase == "Running")
            await lab.create(gang("ours", 3), Gang)
            await runs(lab, "ours")

    run(main)


def test_a_gangs_service_counts_too() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}, script=_life) as lab:
            await stage(lab, {"services": "1"})
            for name in ("first", "second"):
                await lab.create(gang(name, 1), Gang)
            await runs(lab, "first")
            said = await refused(lab, "second")
            assert said == "quota small of its namespace has 0 services left; the gang asks for 1"
            await lab.create(gang("quiet", 1, service=False), Gang)
            await runs(lab, "quiet")
            await lab.client(calls.delete(of(Gang), "first", "default"))
            await lab.client(calls.delete(of(Service), "first", "default"))
            await runs(lab, "second")

    run(main)
