"""Pods of other people's controllers: grouped, admitted together, bound, told why they wait."""

import asyncio

import msgspec
import pytest

from athanor.api.core import Event, Node, Pod, ResourceQuota
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import adopter, controller
from athanor.features.gangs.foreign import GROUPERS, Grouper, Observed, grouper_of, plan
from athanor.features.gangs.sorts import sorts
from athanor.features.nodes import apply as health
from athanor.features.scheduling.apply import controller as scheduling
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from athanor.wire import calls

JOB = "batch.kubernetes.io/job-name"
LWS = "leaderworkerset.sigs.k8s.io/"


async def tree(lab: Lab) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    usual: JSON = {"metadata": {"name": "default"}, "spec": {"pools": [{"pool": "default"}]}}
    await lab.create(usual, Queue)


async def pod(lab: Lab, name: str, cpu: str = "3", **meta: JSON) -> None:
    container = {"name": "main", "image": "host", "resources": {"requests": {"cpu": cpu}}}
    spec = {"schedulerName": "athanor", "containers": [container], "restartPolicy": "Never"}
    await lab.create(
        {"metadata": {"name": name, "namespace": "default", **meta}, "spec": spec}, Pod
    )


async def placed(lab: Lab, name: str) -> str:
    found = await lab.until(Pod, name, lambda p: bool(p.spec.node_name), within=60)
    return found.spec.node_name


def test_the_pods_of_a_job_start_together_or_wait_together() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=30.0 if pod.metadata.name.startswith("a-") else None)

    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()], nodes=2, script=script) as lab:
            await tree(lab)
            for i in range(3):
                await pod(lab, f"a-{i}", labels={JOB: "a"})
            nodes = [await placed(lab, f"a-{i}") for i in range(3)]
            assert sorted(nodes) == ["node-0", "node-0", "node-1"]
            assert len(await lab.list(Gang)) == 1
            for i in range(2):
                await pod(lab, f"b-{i}", labels={JOB: "b"})
            told = await lab.until(
                Pod, "b-0", lambda p: any(c.type == "PodScheduled" for c in p.status.conditions)
            )
            said = told.status.conditions[0]
            assert (said.status, said.reason) == ("False", "Unschedulable")
            assert "room for 1 of 2 pods" in said.message
            assert told.spec.node_name == ""
            events = [e for e in await lab.list(Event) if e.involved_object.name == "b-0"]
            assert [(e.type, e.reason, e.message, e.count) for e in events] == [
                ("Warning", "FailedScheduling", said.message, 1)
            ]
            await asyncio.sleep(10)
            again = await lab.get(Pod, "b-0")
            assert again.metadata.resource_version == told.metadata.resource_version
            for i in range(2):  # the first job has ended: its capacity is free
                await placed(lab, f"b-{i}")
            bound = (await lab.get(Pod, "b-0")).status.conditions
            assert [(c.status, c.reason) for c in bound if c.type == "PodScheduled"] == [
                ("True", "")
            ]
            for i in range(3):
                await lab.client(calls.delete(of(Pod), f"a-{i}", "default"))
            await asyncio.sleep(5)
            assert [g.metadata.labels["athanor.dev/group"][:5] for g in await lab.list(Gang)] == [
                "job-b"
            ]

    run(main)


def test_a_group_of_known_size_waits_for_all_of_it() -> None:
    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()]) as lab:
            await tree(lab)
            meta: JSON = {
                "labels": {f"{LWS}name": "serve", f"{LWS}group-index": "0"},
                "annotations": {f"{LWS}size": "2"},
            }
            await pod(lab, "serve-0", "1", **meta)
            await asyncio.sleep(20)
            assert await lab.list(Gang) == []
            told = (await lab.get(Pod, "serve-0")).status.conditions[0]
            assert told.message == "1 of the 2 pods of their group are there: they start together"
            await pod(lab, "serve-0-1", "1", **meta)
            await placed(lab, "serve-0")
            await placed(lab, "serve-0-1")

    run(main)


def test_a_group_that_loses_a_pod_in_line_waits_for_another_and_keeps_its_place() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=30.0 if pod.metadata.name in ("hog", "next") else None)

    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()], script=script) as lab:
            await tree(lab)
            await pod(lab, "hog", "8")
            await placed(lab, "hog")
            size = {"athanor.dev/group-size": "3"}
            meta: JSON = {"labels": {"athanor.dev/group": "g"}, "annotations": size}
            for i in range(3):
                await pod(lab, f"g-{i}", "2", **meta)
            said = await lab.until(Pod, "g-2", lambda p: bool(p.status.conditions))
            assert "room for 0 of 3 pods" in said.status.conditions[0].message
            [mine] = [g for g in await lab.list(Gang) if g.metadata.name.startswith("group-g")]
            await lab.client(calls.delete(of(Pod), "g-2", "default"))
            await asyncio.sleep(60)  # there is room now, and they do not take it
            first = await lab.get(Pod, "g-0")
            assert first.spec.node_name == "" and first.status.conditions[0].message.startswith(
                "2 of the 3 pods of their group are there"
            )
            await pod(lab, "next", "8")
            await placed(lab, "next")
            await pod(lab, "g-2", "2", **meta)
            await pod(lab, "late", "8")
            for i in range(3):
                await placed(lab, f"g-{i}")
            assert (await lab.get(Pod, "late")).spec.node_name == ""
            again = await lab.get(Gang, mine.metadata.name)
            assert again.metadata.uid == mine.metadata.uid and not again.spec.suspend

    run(main)


def test_pods_hear_that_others_are_missing_when_nobody_has_come_for_a_moment() -> None:
    """Else a group of a thousand would cost half a million writes while it comes."""
    now = parse_rfc3339("2027-01-15T08:00:00Z")
    meta = {"labels": {"athanor.dev/group": "g"}, "annotations": {"athanor.dev/group-size": "99"}}
    pods: list[Pod] = []
    told = 0
    for i in range(50):
        born = {"name": f"g-{i:02}", "creationTimestamp": rfc3339(now + i // 10)}
        pods.append(msgspec.convert({"metadata": born | meta}, Pod))
        told += len(plan(Observed("g", tuple(pods), ()), now + i / 10).actions)
    assert told == 0
    made = plan(Observed("g", tuple(pods), ()), now + 5)
    assert made.actions == () and made.again_after is not None
    made = plan(Observed("g", tuple(pods), ()), now + 5 + made.again_after)
    assert len(made.actions) == 100, "a condition and an Event each"


def test_pods_hear_why_the_server_refuses_their_gang() -> None:
    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()]) as lab:
            await tree(lab)
            none: JSON = {"hard": {"count/gangs.athanor.dev": "0"}}
            quota: JSON = {"metadata": {"name": "none", "namespace": "default"}, "spec": none}
            await lab.create(quota, ResourceQuota)
            await lab.until(ResourceQuota, "none", lambda q: bool(q.status.get("hard")))
            await pod(lab, "alone", "1")
            told = await lab.until(Pod, "alone", lambda p: bool(p.status.conditions), within=30)
            assert "exceeded quota: none" in told.status.conditions[0].message
            await lab.client(calls.delete(of(ResourceQuota), "none", "default"))
            await placed(lab, "alone")

    run(main)


def test_pods_of_nobody_and_latecomers_have_gangs_of_their_own() -> None:
    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()]) as lab:
            await tree(lab)
            await pod(lab, "alone", "1")
            await placed(lab, "alone")
            await pod(lab, "c-0", "1", labels={JOB: "c"})
            await placed(lab, "c-0")
            await pod(lab, "c-1", "1", labels={JOB: "c"})
            await placed(lab, "c-1")
            assert len(await lab.list(Gang)) == 3
            told = await lab.get(Queue, "default", None)
            assert told.status.use[0].used["cpu"] == "3"
            pool = await lab.get(Pool, "default", None)
            assert pool.status.free["cpu"] == "5"

    run(main)


@pytest.mark.parametrize("row", GROUPERS, ids=lambda row: row.keys[0])
def test_every_row_of_the_table_applies(row: Grouper) -> None:
    meta = {"name": "x", "labels": dict.fromkeys(row.keys, "v")}
    assert grouper_of(msgspec.convert({"metadata": meta}, Pod)) == row


def test_a_pod_with_resource_claims_is_refused_with_its_group_whoever_comes_first() -> None:
    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()]) as lab:
            await tree(lab)
            claims = {"resourceClaims": [{"name": "gpu", "resourceClaimName": "none"}]}
            for name, more in (("a-head", {}), ("b-worker", claims)):
                box = {"name": "main", "image": "host", "resources": {"requests": {"cpu": "1"}}}
                meta = {"name": name, "namespace": "default", "labels": {"ray.io/cluster": "c"}}
                spec = {"schedulerName": "athanor", "containers": [box], **more}
                await lab.create({"metadata": meta, "spec": spec}, Pod)
            for name in ("a-head", "b-worker"):
                found = await lab.until(Pod, name, lambda p: bool(p.status.conditions), within=60)
                assert "spec.resourceClaims" in found.status.conditions[0].message
                assert found.spec.node_name == ""

    run(main)


def labelled(name: str, spec: JSON | None = None, **of: str) -> Pod:
    return msgspec.convert(
        {"metadata": {"name": name, "labels": of}, "spec": spec or {}}, Pod, strict=False
    )


def test_labels_tell_pods_apart_where_a_selector_of_the_group_does() -> None:
    def found(pods: list[Pod]) -> list[list[str]]:
        return [[pod.metadata.name for pod in same] for same in sorts(pods).values()]

    def indexed(spec: JSON) -> list[Pod]:
        return [
            labelled(f"p{i:03}", spec, index=str(i), role="head" if i == 0 else "worker")
            for i in range(200)
        ]

    assert len(found(indexed({}))) == 1, "nobody selects"
    heads = {"labelSelector": {"matchLabels": {"role": "head"}}, "topologyKey": "rack"}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [heads]}
    liked = {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": heads}]}
    spread = {**heads, "maxSkew": 1}
    selecting: list[JSON] = [
        {"affinity": {"podAntiAffinity": required}}, {"affinity": {"podAffinity": required}},
        {"affinity": {"podAffinity": liked}}, {"topologySpreadConstraints": [spread]},
    ]  # fmt: skip
    for spec in selecting:
        assert [len(same) for same in found(indexed(spec))] == [1, 199]
    one = labelled("guard", {"affinity": {"podAntiAffinity": required}}, role="worker")
    assert found([*indexed({})[:3], one]) == [["p000"], ["p001", "p002"], ["guard"]]
    release = {"labelSelector": {}, "matchLabelKeys": ["release"], "topologyKey": "rack"}
    spec = {"topologySpreadConstraints": [release]}
    both = [labelled(n, spec, release=n[0], index=n) for n in ("a1", "a2", "b1")]
    assert found(both) == [["a1", "a2"], ["b1"]]
    wrong = {"labelSelector": {"matchExpressions": [{"key": "k", "operator": "Odd"}]}}
    assert len(found(indexed({"topologySpreadConstraints": [wrong]}))) == 1


def test_workers_keep_apart_from_each_other_and_from_their_head() -> None:
    """All have the same anti-affinity against workers, and the head is none."""

    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()], nodes=3) as lab:
            await tree(lab)
            term = {"labelSelector": {"matchLabels": {"role": "worker"}},
                    "topologyKey": "kubernetes.io/hostname"}  # fmt: skip
            apart = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
            box = {"name": "main", "image": "host", "resources": {"requests": {"cpu": "1"}}}

            async def made(name: str, role: str) -> None:
                meta = {"name": name, "namespace": "default",
                        "labels": {"ray.io/cluster": name[0], "role": role}}  # fmt: skip
                spec = {"schedulerName": "athanor", "containers": [box],
                        "affinity": {"podAntiAffinity": apart}}  # fmt: skip
                await lab.create({"metadata": meta, "spec": spec}, Pod)

            for name, role in (("a0", "head"), ("a1", "worker"), ("a2", "worker")):
                await made(name, role)
            found = {await placed(lab, f"a{i}") for i in range(3)}
            assert found == {"node-0", "node-1", "node-2"}

    run(main)


def test_pods_that_keep_others_out_of_a_rack_are_refused() -> None:
    async def main() -> None:
        async with cluster([controller(), adopter(), scheduling()], nodes=2) as lab:
            await tree(lab)
            term = {"labelSelector": {"matchLabels": {"role": "worker"}}, "topologyKey": "rack"}
            apart = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
            box = {"name": "main", "image": "host", "resources": {"requests": {"cpu": "1"}}}
            for name, more in (("head", {"affinity": {"podAntiAffinity": apart}}), ("worker", {})):
                meta = {"name": name, "namespace": "default",
                        "labels": {"ray.io/cluster": "c", "role": name}}  # fmt: skip
                spec = {"schedulerName": "athanor", "containers": [box], **more}
                await lab.create({"metadata": meta, "spec": spec}, Pod)
            told = await lab.until(Pod, "head", lambda p: bool(p.status.conditions), within=60)
            assert "out of a domain of rack is not supported" in told.status.conditions[0].message

    run(main)


@pytest.mark.parametrize("how", ["silent", "off"])
def test_a_gang_of_adopted_pods_hears_that_a_node_is_gone(how: str) -> None:
    async def main() -> None:
        parts = (controller(), adopter(), scheduling(), health.controller())
        async with cluster(parts, nodes=2) as lab:
            await tree(lab)
            for i in range(2):
                await pod(lab, f"a-{i}", "5", labels={JOB: "a"})
            assert {await placed(lab, f"a-{i}") for i in range(2)} == {"node-0", "node-1"}
            name = (await lab.list(Gang))[0].metadata.name
            await lab.until(Gang, name, lambda g: g.status.phase == "Running")
            await lab.agents["node-1"].stop()
            if how == "off":
                taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
                await lab.patch(Node, "node-1", {"spec": {"taints": [taint]}}, namespace=None)
                await asyncio.sleep(60)
                assert await lab.list(Pod) == []
            else:
                found = await lab.until(Gang, name, lambda g: g.status.phase == "Evicting")
                assert (found.status.reason, found.status.failures[0].node) == (
                    "NodeLost", "node-1",
                )  # fmt: skip

    run(main)
