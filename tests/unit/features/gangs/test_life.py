"""Gangs on a whole cluster in virtual time: the real server, simulated nodes, admission by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from athanor.api import labels
from athanor.api.claims import SELECTED_NODE
from athanor.api.core import (
    Event,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    ResourceQuota,
    Service,
    StorageClass,
)
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.client.inproc import Handle
from athanor.features.gangs.apply import controller
from athanor.features.gangs.evict import evicting
from athanor.features.nodes import apply as nodes
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.manager import Manager
from athanor.runtime.plan import Evict
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire import calls
from athanor.wire.request import Answer, Request, Response
from athanor.wire.status import ApiError


def gang(count: int = 2, **spec: object) -> JSON:
    template = {"spec": {"containers": [{"name": "main", "image": "host"}]}}
    sets = [{"name": "worker", "count": count, "template": template}]
    return {"metadata": {"name": "g", "namespace": "default"}, "spec": {"podSets": sets, **spec}}


async def admit(bed: lab.Lab, *nodes: str) -> None:
    found = [{"prefix": node} for node in nodes]
    placements = [{"podSet": "worker", "count": len(nodes), "nodes": found}]
    admission = {"queue": "q", "pool": "p", "placements": placements}
    await bed.patch(Gang, "g", {"status": {"admission": admission}}, subresource="status")


def live(
    main: Callable[[lab.Lab], Coroutine[Any, Any, None]],
    script: Callable[[Pod], Life] = lambda _: Life(),
    count: int = 2,
    **spec: object,
) -> None:
    async def everything() -> None:
        async with lab.cluster([controller(), nodes.controller()], nodes=2, script=script) as bed:
            await bed.create(gang(count, **spec), Gang)
            await admit(bed, *[f"node-{i % 2}" for i in range(count)])
            await main(bed)

    virtual.run(everything)


def phase(*wanted: str) -> Callable[[Gang], bool]:
    return lambda g: g.status.phase in wanted


def test_admission_becomes_pods_and_a_service() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", phase("Running"))
        assert found.status.ready == "2/2"
        pods = await bed.list(Pod, "default")
        assert [(p.metadata.name, p.spec.node_name) for p in pods] == [
            ("g-worker-0", "node-0"), ("g-worker-1", "node-1"),
        ]  # fmt: skip
        told = pods[1].metadata
        assert told.labels[labels.RANK] == "1"
        assert told.owner_references[0].uid == found.metadata.uid
        spec = pods[1].spec
        assert (spec.hostname, spec.subdomain) == ("g-worker-1", "g")
        assert spec.restart_policy == "Never"
        env = {e["name"]: e["value"] for e in spec.containers[0].env}
        assert env["ATHANOR_RANK"] == "1"
        assert env["ATHANOR_PORT"] == "29500"
        service = await bed.get(Service, "g")
        assert service.spec["clusterIP"] == "None"

    live(main)


def test_claims_that_wait_for_their_consumer_hear_where_it_will_be() -> None:
    """Also those that come after the pods: generic ephemeral volumes are made for a pod."""
    volumes: list[JSON] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "now", "persistentVolumeClaim": {"claimName": "now"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
    ]
    template = {"spec": {"containers": [{"name": "main", "image": "host"}], "volumes": volumes}}
    sets = [{"name": "worker", "count": 2, "template": template}]

    async def claim(bed: lab.Lab, name: str, klass: str, pod: Pod | None = None) -> None:
        owner = {"apiVersion": "v1", "kind": "Pod", "controller": True}
        owners = [{**owner, "name": pod.metadata.name, "uid": pod.metadata.uid}] if pod else []
        spec = {"storageClassName": klass, "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}}}  # fmt: skip
        meta = {"name": name, "namespace": "default", "ownerReferences": owners}
        await bed.create({"metadata": meta, "spec": spec}, PersistentVolumeClaim)

    def told(node: str) -> Callable[[PersistentVolumeClaim], bool]:
        return lambda found: found.metadata.annotations.get(SELECTED_NODE) == node

    async def main(bed: lab.Lab) -> None:
        for name, mode in (("late", "WaitForFirstConsumer"), ("now", "Immediate")):
            made = {"metadata": {"name": name}, "provisioner": "disks.example",
                    "volumeBindingMode": mode}  # fmt: skip
            await bed.create(made, StorageClass)
        await claim(bed, "now", "now")
        await claim(bed, "data", "late")
        await bed.until(PersistentVolumeClaim, "data", told("node-0"))
        await bed.until(Gang, "g", phase("Running"))
        second = await bed.get(Pod, "g-worker-1")
        await claim(bed, "g-worker-1-scratch", "late", second)
        await bed.until(PersistentVolumeClaim, "g-worker-1-scratch", told("node-1"))
        assert not (await bed.get(PersistentVolumeClaim, "now")).metadata.annotations
        gone = {"metadata": {"annotations": {SELECTED_NODE: None}}}  # no volume can be made there
        began = bed.clock.monotonic()
        await bed.patch(PersistentVolumeClaim, "data", gone)
        await bed.until(PersistentVolumeClaim, "data", told("node-0"))
        assert 50 < bed.clock.monotonic() - began < 63, "its maker would try again at once"

    live(main, podSets=sets)


def test_claims_take_the_volumes_that_people_made_where_all_ranks_reach_them() -> None:
    volumes: list[JSON] = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("data", "more")
    ]
    template = {"spec": {"containers": [{"name": "main", "image": "host"}], "volumes": volumes}}
    sets = [{"name": "worker", "count": 2, "template": template}]
    size = {"storage": "1Gi"}

    async def volume(bed: lab.Lab, name: str, storage: str, *nodes: str) -> None:
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
        spec = {"capacity": {"storage": storage}, "accessModes": ["ReadWriteMany"],
                "storageClassName": "local", "local": {"path": "/data"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
                }  # fmt: skip
        await bed.create({"metadata": {"name": name}, "spec": spec}, PersistentVolume)
        free = {"status": {"phase": "Available"}}
        await bed.patch(PersistentVolume, name, free, subresource="status", namespace=None)

    async def whose(bed: lab.Lab) -> dict[str, str]:
        found = {v.metadata.name: v.spec.get("claimRef") or {} for v in
                 await bed.list(PersistentVolume)}  # fmt: skip
        return {name: ref["name"] for name, ref in found.items() if ref.get("uid")}

    async def main(bed: lab.Lab) -> None:
        made = {"metadata": {"name": "local"}, "volumeBindingMode": "WaitForFirstConsumer",
                "provisioner": "kubernetes.io/no-provisioner"}  # fmt: skip
        await bed.create(made, StorageClass)
        spec = {"storageClassName": "local", "accessModes": ["ReadWriteMany"]}
        for name in ("data", "more"):
            claim = {"metadata": {"name": name, "namespace": "default"},
                     "spec": {**spec, "resources": {"requests": size}}}  # fmt: skip
            await bed.create(claim, PersistentVolumeClaim)
        await volume(bed, "small", "1Gi", "node-0")
        await volume(bed, "large", "9Gi", "node-0", "node-1")
        await asyncio.sleep(5)
        assert await whose(bed) == {}, "rank 1 reaches one of them only"
        await volume(bed, "middle", "2Gi", "node-0", "node-1")
        await asyncio.sleep(5)
        assert await whose(bed) == {"middle": "data", "large": "more"}
        told = (await bed.get(PersistentVolume, "large", None)).metadata
        assert told.annotations == {"pv.kubernetes.io/bound-by-controller": "yes"}
        claim = await bed.get(PersistentVolumeClaim, "data")
        assert SELECTED_NODE not in claim.metadata.annotations
        await asyncio.sleep(5)
        again = (await bed.get(PersistentVolume, "large", None)).metadata
        assert again.resource_version == told.resource_version

    live(main, podSets=sets)


def test_pods_that_need_no_names_get_no_service() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        assert await bed.list(Service, "default") == []
        for pod in await bed.list(Pod, "default"):
            assert (pod.spec.hostname, pod.spec.subdomain) == ("", "")
            told = [e["name"] for e in pod.spec.containers[0].env]
            assert "ATHANOR_RANK" in told and "ATHANOR_PORT" not in told

    live(main, service=False)


def test_all_ranks_succeed() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", phase("Succeeded"))
        assert found.status.pods[0].succeeded_ranks == "0-1"
        assert found.status.finished_at is not None
        await bed.client(calls.delete(of(Pod), "g-worker-0", "default"))
        await asyncio.sleep(60)
        assert (await bed.get(Gang, "g")).status.phase == "Succeeded"
        assert len(await bed.list(Pod, "default")) == 1

    live(main, lambda _: Life(runs=5))


def test_a_failed_rank_ends_a_gang_without_an_owner() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", phase("Failed"))
        failure = found.status.failures[0]
        assert (failure.rank, failure.exit_code, failure.platform) == (1, 3, False)
        assert "worker-1 failed on node node-1, exit code 3" in found.status.message
        pods = await bed.list(Pod, "default")
        assert [p.metadata.name for p in pods] == ["g-worker-1"]  # kept for its logs

    live(main, lambda p: Life(runs=5, exit_code=3) if p.metadata.name.endswith("1") else Life())


def test_a_restart_in_place_keeps_the_admission_and_never_doubles_a_rank() -> None:
    def script(pod: Pod) -> Life:
        first = pod.metadata.labels[labels.ATTEMPT] == "0"
        return Life(runs=5, exit_code=1) if first and pod.metadata.name.endswith("1") else Life()

    async def main(bed: lab.Lab) -> None:
        stopped = await bed.until(Gang, "g", phase("Stopping"))
        assert stopped.status.admission is not None
        await asyncio.sleep(30)
        assert (await bed.get(Gang, "g")).status.phase == "Stopping"  # the owner has the word
        await bed.patch(Gang, "g", {"spec": {"attempt": 1}})
        found = await bed.until(Gang, "g", phase("Running"))
        assert found.status.admission == stopped.status.admission
        assert (found.status.attempt, found.status.failures) == (1, [])
        told = {p.metadata.labels[labels.ATTEMPT] for p in await bed.list(Pod, "default")}
        assert told == {"1"}

    live(main, script, decides="Owner")


def test_a_rank_restarts_alone() -> None:
    def script(pod: Pod) -> Life:
        first = labels.RANK_ATTEMPT not in pod.metadata.labels
        return Life(runs=5, exit_code=1) if first and pod.metadata.name.endswith("1") else Life()

    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", lambda g: bool(g.status.failures))
        assert found.status.phase == "Running"
        before = (await bed.get(Pod, "g-worker-0")).metadata.uid
        await bed.patch(Gang, "g", {"spec": {"rankAttempts": {"worker-1": 1}}})
        await bed.until(Gang, "g", lambda g: g.status.ready == "2/2" and not g.status.failures)
        assert (await bed.get(Pod, "g-worker-0")).metadata.uid == before
        again = await bed.get(Pod, "g-worker-1")
        assert again.metadata.labels[labels.RANK_ATTEMPT] == "1"

    live(main, script, restart="Rank", decides="Owner")


def test_a_rank_that_is_drained_does_not_come_back_to_its_node() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.client(calls.delete(of(Pod), "g-worker-1", "default"))
        await asyncio.sleep(5)
        again = await bed.get(Pod, "g-worker-1")
        assert again.spec.node_name == "node-1", "nobody cordoned it: a rank starts anew"
        await bed.patch(Node, "node-1", {"spec": {"unschedulable": True}}, namespace=None)
        await asyncio.sleep(5)
        assert (await bed.get(Gang, "g")).status.phase == "Running", "who runs there stays"
        await bed.client(calls.delete(of(Pod), "g-worker-1", "default"))
        found = await bed.until(Gang, "g", phase("Pending"))
        assert (found.status.evictions, found.status.reason) == (1, "NodeUnschedulable")

    live(main, restart="Rank", decides="Owner")


def test_an_eviction_without_checkpoints_gives_the_admission_back_when_pods_are_gone() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        evict = {"deadline": "2027-01-15T09:00:00Z", "reason": "Preempted", "message": "by h"}
        body = {"status": {"admission": {"evict": evict}}}
        await bed.patch(Gang, "g", body, subresource="status")
        leaving = await bed.until(Gang, "g", phase("Evicting"))
        assert leaving.status.admission is not None
        found = await bed.until(Gang, "g", phase("Pending"))
        assert found.status.admission is None
        assert (found.status.evictions, found.status.reason) == (1, "Preempted")
        (run,) = found.status.runs
        assert run.reason == "Preempted"
        assert run.admitted_at == leaving.status.started_at != run.ended_at
        assert not await bed.list(Pod, "default")
        await admit(bed, "node-1", "node-1")
        await bed.until(Gang, "g", phase("Running"))
        pods = await bed.list(Pod, "default")
        assert {p.spec.node_name for p in pods} == {"node-1"}
        assert {p.metadata.labels[labels.ATTEMPT] for p in pods} == {"1"}

    live(main, lambda _: Life(goes=3))


BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
TWO = "This pod has more than one PodDisruptionBudget, which eviction does not support."


def budgeted(refusal: Response, deadline: float) -> tuple[float, list[str]]:
    """After how long a gang had to go that makes room, and who was asked to.

    Budgets are Kubernetes' own; here the server's handle stands in for one that refuses.
    """
    asked: list[str] = []
    took: list[float] = []

    async def main() -> None:
        async with lab.cluster([], nodes=2) as bed:

            def guarded(handle: Handle) -> Handle:
                async def answer(request: Request) -> Answer:
                    if request.path.endswith("/eviction"):
                        asked.append(request.path)
                        return refusal
                    return await handle(request)

                return answer

            client = bed.connect(guarded)
            manager = Manager(client, [controller()], bed.clock, bed.dice.random)
            work = asyncio.ensure_future(manager.run())
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            await bed.until(Gang, "g", phase("Running"))
            began = bed.clock.monotonic()
            until = rfc3339(bed.clock.now() + deadline)
            body = {"status": {"admission": {"evict": {"deadline": until, "reason": "Preempted"}}}}
            await bed.patch(Gang, "g", body, subresource="status")
            await bed.until(Gang, "g", phase("Pending"), within=4 * deadline)
            took.append(bed.clock.monotonic() - began)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    virtual.run(main)
    return took[0], asked


def test_a_budget_is_heard_until_the_deadline_of_who_makes_room() -> None:
    refusal = ApiError("TooManyRequests", BUDGET).response()
    took, asked = budgeted(refusal, 30.0)
    assert 28 < took < 34
    assert 10 <= len(asked) <= 16, "every few seconds, each of both pods"


def test_two_budgets_of_one_pod_keep_nobody_for_good() -> None:
    """Kubernetes answers that with a 500 that has no reason."""
    said = {"kind": "Status", "status": "Failure", "message": TWO, "code": 500}
    refusal = Response(status=500, body=msgspec.json.encode(said))
    took, _ = budgeted(refusal, 30.0)
    assert took < 60


@pytest.mark.parametrize(("there", "insists"), [((0, 1), False), ((1,), True)])
def test_when_a_pod_has_gone_no_budget_keeps_the_others(
    there: tuple[int, ...], insists: bool
) -> None:
    """Also when nobody saw it go: the controllers may have begun since."""
    placement = {"podSet": "worker", "count": 2, "nodes": [{"prefix": "node-0", "each": 2}]}
    evict = {"deadline": "2027-01-15T08:10:00Z", "reason": "Preempted"}
    admission = {"queue": "q", "pool": "p", "placements": [placement], "evict": evict}
    told = gang() | {"status": {"phase": "Evicting", "admission": admission}}
    pods = [{"metadata": {"name": f"g-worker-{i}"}, "status": {"phase": "Running"}} for i in there]
    now = parse_rfc3339("2027-01-15T08:00:00Z")
    found = evicting(msgspec.convert(told, Gang), msgspec.convert(pods, list[Pod]), False, now)
    assert [one.insists for one in found if isinstance(one, Evict)] == [insists] * len(there)


def test_an_eviction_asks_for_checkpoints_and_waits_until_the_deadline() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(1)
        asked = await bed.get(Pod, "g-worker-0")
        assert labels.CHECKPOINT_REQUESTED in asked.metadata.annotations
        began = bed.clock.monotonic()
        await bed.until(Gang, "g", phase("Suspended"))
        assert 28 < bed.clock.monotonic() - began < 34
        await bed.patch(Gang, "g", {"spec": {"suspend": False}})
        await bed.until(Gang, "g", phase("Pending"))

    live(main, checkpoint={"enabled": True, "graceSeconds": 30})


@pytest.mark.parametrize("code", [0, 143])
def test_programs_that_leave_in_good_order_are_not_done(code: int) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Suspended"))
        await bed.patch(Gang, "g", {"spec": {"suspend": False}})
        await bed.until(Gang, "g", phase("Pending"))
        await admit(bed, "node-0", "node-1")
        await bed.until(Gang, "g", phase("Running"))
        await bed.client(calls.delete(of(Pod), "g-worker-1", "default"))  # somebody drains its node
        found = await bed.until(Gang, "g", phase("Pending"))
        assert found.status.evictions == 2

    live(main, lambda _: Life(goes=2, leaves=code))


def test_an_eviction_goes_on_as_soon_as_all_have_saved() -> None:
    saved = '{"step": 5, "lastCheckpointStep": %d, "lastCheckpointTime": "%s"}'

    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(2)
        told = {labels.PROGRESS: saved % (5, "2027-01-15T08:30:00Z")}
        began = bed.clock.monotonic()
        await bed.patch(Pod, "g-worker-0", {"metadata": {"annotations": told}})
        found = await bed.until(Gang, "g", phase("Suspended"))
        assert bed.clock.monotonic() - began < 5
        assert found.status.progress is not None
        assert found.status.progress.last_checkpoint_step == 5

    live(main, checkpoint={"enabled": True, "graceSeconds": 600})


def test_a_rank_that_listens_is_asked_though_the_gang_says_nothing_of_checkpoints() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        told = {labels.PROGRESS: '{"step": 5, "listens": true}'}
        await bed.patch(Pod, "g-worker-1", {"metadata": {"annotations": told}})
        await bed.patch(Gang, "g", {"spec": {"suspend": True}})
        await bed.until(Gang, "g", phase("Evicting"))
        await asyncio.sleep(1)
        asked = await bed.get(Pod, "g-worker-1")
        assert labels.CHECKPOINT_BY in asked.metadata.annotations
        began = bed.clock.monotonic()
        await bed.until(Gang, "g", phase("Suspended"))
        assert 28 < bed.clock.monotonic() - began < 34

    live(main)


@pytest.mark.parametrize("saves", [True, False])
def test_a_rank_that_others_need_the_room_of_is_asked_too(saves: bool) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        told = '{"step": 5, "listens": true%s}'
        await bed.patch(
            Pod, "g-worker-1", {"metadata": {"annotations": {labels.PROGRESS: told % ""}}}
        )
        began = bed.clock.monotonic()
        shrink = {"counts": {"worker": 1}, "deadline": rfc3339(bed.clock.now() + 20),
                  "reason": "Reclaimed", "message": "others need it"}  # fmt: skip
        body = {"status": {"admission": {"shrink": shrink}}}
        await bed.patch(Gang, "g", body, subresource="status")
        asked = await bed.until(
            Pod, "g-worker-1", lambda pod: labels.CHECKPOINT_BY in pod.metadata.annotations
        )
        assert asked.metadata.annotations[labels.CHECKPOINT_BY] == shrink["deadline"]
        await asyncio.sleep(5)
        if saves:
            saved = told % f', "lastCheckpointTime": "{rfc3339(bed.clock.now())}"'
            note = {"metadata": {"annotations": {labels.PROGRESS: saved}}}
            await bed.patch(Pod, "g-worker-1", note)
        found = await bed.until(
            Gang, "g", lambda g: g.status.admission is not None and not g.status.admission.shrink
        )
        assert (bed.clock.monotonic() - began < 10) == saves
        assert found.status.phase == "Running" and found.status.admission is not None
        assert [one.count for one in found.status.admission.placements] == [1]
        stayed = await bed.get(Pod, "g-worker-0")
        assert labels.CHECKPOINT_BY not in stayed.metadata.annotations

    live(main, restart="Rank", resize="Live")


def test_a_lost_node_returns_the_gang_and_costs_it_nothing() -> None:
    async def main() -> None:
        async with lab.cluster([controller(), nodes.controller()], nodes=2) as bed:
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            await bed.until(Gang, "g", phase("Running"))
            await bed.agents["node-1"].stop()
            found = await bed.until(Gang, "g", phase("Evicting"))
            assert found.status.reason == "NodeLost"
            assert found.status.failures[0].platform
            assert found.status.failures[0].node == "node-1"
            node = await bed.get(Node, "node-1", None)
            assert [c.status for c in node.status.conditions if c.type == "Ready"] == ["Unknown"]
            await asyncio.sleep(600)  # it may still run there: a rank must never live twice
            found = await bed.get(Gang, "g")
            assert found.status.phase == "Evicting"
            assert "node node-1 does not answer and may still run g-worker-1" in (
                found.status.message
            )
            taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
            await bed.patch(Node, "node-1", {"spec": {"taints": [taint]}}, namespace=None)
            found = await bed.until(Gang, "g", phase("Pending"))
            assert found.status.admission is None
            assert not await bed.list(Pod, "default")
            told = {e.reason for e in await bed.list(Event)}
            assert {"NodeNotReady", "Evicting"} <= told

    virtual.run(main)


def test_a_node_that_is_removed_frees_its_ranks() -> None:
    async def main() -> None:
        async with lab.cluster([controller(), nodes.controller()], nodes=2) as bed:
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            await bed.until(Gang, "g", phase("Running"))
            await bed.agents["node-1"].stop()
            await bed.client(calls.delete(of(Node), "node-1"))
            found = await bed.until(Gang, "g", phase("Pending"))
            assert found.status.evictions == 1

    virtual.run(main)


def test_a_node_that_comes_back_ends_what_it_was_told_to_end() -> None:
    async def main() -> None:
        async with lab.cluster([controller(), nodes.controller()], nodes=2) as bed:
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            await bed.until(Gang, "g", phase("Running"))
            await bed.agents["node-1"].stop()
            await bed.until(Gang, "g", phase("Evicting"))
            bed.agents["node-1"].start()
            await bed.until(Gang, "g", phase("Pending"))

    virtual.run(main)


def test_a_refused_pod_returns_the_gang() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", lambda g: g.status.evictions == 1)
        assert found.status.phase == "Pending"
        assert {f.reason for f in found.status.failures} == {"OutOfcpu"}

    live(main, lambda _: Life(refused="OutOfcpu"))


def test_a_rank_for_which_there_is_only_the_node_that_refused_it_returns_the_gang() -> None:
    def script(pod: Pod) -> Life:
        return Life(refused="OutOfcpu" if pod.metadata.name == "g-worker-1" else "")

    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", lambda g: bool(g.status.failures))
        again = {"status": {"admission": {"generation": 1}}}
        await bed.patch(Gang, "g", again, subresource="status")
        found = await bed.until(Gang, "g", lambda g: g.status.evictions == 1)
        assert found.status.phase == "Pending" and found.status.admission is None

    live(main, script, replace=True, restart="Rank", resize="Live")


def test_a_gang_that_runs_too_long_is_stopped() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", phase("Failed"))
        assert found.status.reason == "MaxRuntimeExceeded"
        assert 60 <= bed.clock.monotonic() < 70

    live(main, maxRuntimeSeconds=60)


def test_the_owners_verdict_stops_what_still_runs() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        outcome = {"phase": "Succeeded", "reason": "SuccessRule", "message": "the chief is done"}
        await bed.patch(Gang, "g", {"spec": {"outcome": outcome}})
        found = await bed.until(Gang, "g", phase("Succeeded"))
        assert (found.status.reason, found.status.message) == ("SuccessRule", "the chief is done")
        assert not await bed.list(Pod, "default")

    live(main)


def test_pods_that_can_never_be_fail_the_gang_with_the_servers_words() -> None:
    async def main(bed: lab.Lab) -> None:
        found = await bed.until(Gang, "g", phase("Failed"))
        assert found.status.reason == "InvalidPods"
        assert "containers" in found.status.message

    bad = {"name": "worker", "count": 1, "template": {"spec": {"containers": []}}}
    live(main, count=1, podSets=[bad])


def test_pods_that_a_quota_refuses_are_told_and_tried_again() -> None:
    async def main() -> None:
        async with lab.cluster([controller()], nodes=2) as bed:
            quota = {"metadata": {"name": "few", "namespace": "default"}, "spec": {}}
            await bed.create({**quota, "spec": {"hard": {"pods": "1"}}}, ResourceQuota)
            await bed.create(gang(), Gang)
            await admit(bed, "node-0", "node-1")
            found = await bed.until(Gang, "g", phase("Admitted"))
            assert found.status.reason == "PodsRefused"
            assert "exceeded quota" in found.status.message
            await bed.patch(ResourceQuota, "few", {"spec": {"hard": {"pods": "2"}}})
            found = await bed.until(Gang, "g", phase("Running"))
            assert found.status.reason == ""

    virtual.run(main)
