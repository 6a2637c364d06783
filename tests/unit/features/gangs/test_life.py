"""How gangs live, on a whole cluster in virtual time."""

from __future__ import annotations

import asyncio

from athanor.api import labels
from athanor.api.core import Event, Node, Pod, ResourceQuota, Service
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.features.gangs.apply import controller
from athanor.features.nodes import apply as nodes
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire import calls
from tests.unit.features.gangs.bed import admit, gang, live, phase


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


def test_a_template_gives_itself_neither_devices_nor_another_user() -> None:
    wish = {"annotations": {labels.DEVICES: "0,1", labels.USER: "bob", "mine": "x"},
            "labels": {labels.CHOSEN: "true"}}  # fmt: skip
    spec = {"containers": [{"name": "main", "image": "host"}]}
    sets = [{"name": "worker", "count": 2, "template": {"metadata": wish, "spec": spec}}]

    async def main(bed: lab.Lab) -> None:
        await bed.until(Gang, "g", phase("Running"))
        for pod in await bed.list(Pod, "default"):
            notes = pod.metadata.annotations
            assert notes["mine"] == "x" and not {labels.DEVICES, labels.USER} & notes.keys()
            assert labels.CHOSEN not in pod.metadata.labels

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
        await asyncio.sleep(1)
        told = {e.reason: e for e in await bed.list(Event, "default")}
        assert told["RanksLost"].type == "Warning"
        assert "worker-1 failed on node node-1" in told["RanksLost"].message
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


def test_pods_name_their_devices_where_the_node_gives_them() -> None:
    async def main() -> None:
        async with lab.cluster([controller()], nodes=2) as bed:
            giving = {"metadata": {"labels": {labels.GIVES_DEVICES: "true"}}}
            await bed.patch(Node, "node-1", giving, namespace=None)
            await bed.create(gang(), Gang)
            found = [{"prefix": "node-0"}, {"prefix": "node-1"}]
            placed = {"podSet": "worker", "count": 2, "nodes": found, "devices": ["3", "0,1"]}
            admission = {"queue": "q", "pool": "p", "placements": [placed]}
            await bed.patch(Gang, "g", {"status": {"admission": admission}}, subresource="status")
            await bed.until(Gang, "g", phase("Running"))
            told = [pod.metadata for pod in await bed.list(Pod)]
            assert [said.annotations.get(labels.DEVICES) for said in told] == [None, "0,1"]
            assert [said.labels.get(labels.CHOSEN) for said in told] == [None, "true"]

    virtual.run(main)
