"""The scheduling controller with gangs on the real server and simulated nodes, in virtual time."""

from collections.abc import Mapping

from athanor.api import processes
from athanor.api.core import Event, Node, Pod, PriorityClass
from athanor.api.meta import JSON
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run


def template(cpu: str = "1", more: Mapping[str, str] | None = None) -> JSON:
    asked = {"cpu": cpu, **(more or {})}
    return {
        "spec": {
            "containers": [{"name": "main", "image": "host", "resources": {"requests": asked}}]
        }
    }


def gang(name: str, pods: int = 1, cpu: str = "1", queue: str = "", **spec: object) -> JSON:
    sets = [{"name": "worker", "count": pods, "template": template(cpu)}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSets": sets, "queue": queue, **spec},
    }


async def tree(lab: Lab, *queues: JSON) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
    usual: JSON = {"metadata": {"name": "default"}, "spec": {"pools": [{"pool": "default"}]}}
    for queue in (usual, *queues):
        await lab.create(queue, Queue)


def queue(name: str, **quota: JSON) -> JSON:
    return {"metadata": {"name": name}, "spec": {"pools": [{"pool": "default", **quota}]}}


def test_a_gang_is_admitted_runs_and_the_next_waits_with_a_reason() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=2) as lab:
            await tree(lab)
            await lab.create(gang("first", 3, "4"), Gang)
            first = await lab.until(Gang, "first", lambda g: g.status.phase == "Running")
            assert first.status.admission is not None
            placed = first.status.admission.placements[0]
            assert list(unpack(placed.nodes)) == ["node-0", "node-0", "node-1"]
            await lab.create(gang("second", 2, "4"), Gang)
            second = await lab.until(Gang, "second", lambda g: bool(g.status.reasons))
            assert second.status.reasons[0].code == "NoCapacity"
            assert "room for 1 of 2 pods on 2 nodes" in second.status.reasons[0].message
            assert (second.status.observed_generation, second.status.ready) == (1, "0/2")
            told = await lab.get(Queue, "default", None)
            assert (told.status.pending, told.status.admitted) == (1, 1)
            assert told.status.use[0].used["cpu"] == "12"
            pool = await lab.get(Pool, "default", None)
            assert (pool.status.nodes, pool.status.free["cpu"]) == (2, "4")

    run(main)


def test_what_is_idle_on_a_cordoned_node_is_not_free() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=2) as lab:
            await tree(lab)
            await lab.create(gang("first", 3, "4"), Gang)  # two pods on node-0, one on node-1
            await lab.until(Gang, "first", lambda g: g.status.phase == "Running")
            for name, free in (("node-0", "4"), ("node-1", "0")):
                await lab.patch(Node, name, {"spec": {"unschedulable": True}})
                await lab.until(
                    Pool, "default", lambda p, want=free: p.status.free.get("cpu", "0") == want
                )
                assert (await lab.get(Pool, "default", None)).status.capacity["cpu"] == "16"
            await lab.patch(Node, "node-1", {"spec": {"unschedulable": False}})
            await lab.until(Pool, "default", lambda p: p.status.free.get("cpu") == "4")

    run(main)


def test_a_pool_that_has_less_than_is_used_has_nothing_free() -> None:
    """A device plugin restarts, or others place pods there, too: the rest is told all the same."""

    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=1) as lab:
            await tree(lab)
            await lab.create(gang("first", 1, "8"), Gang)
            await lab.until(Gang, "first", lambda g: g.status.phase == "Running")
            less = {"allocatable": {"cpu": "4"}, "capacity": {"cpu": "4"}}
            await lab.patch(Node, "node-0", {"status": less}, subresource="status")
            await lab.until(Pool, "default", lambda p: p.status.capacity["cpu"] == "4")
            told = await lab.get(Pool, "default", None)
            assert told.status.free.get("cpu", "0") == "0"
            await lab.create(gang("second", 1, "1"), Gang)
            await lab.until(Queue, "default", lambda q: q.status.pending == 1)

    run(main)


def test_an_exclusive_pool_says_where_others_may_go_and_gangs_go_where_they_may_not() -> None:
    async def main() -> None:
        def told(pool: Pool) -> list[tuple[str, str]]:
            return [(c.type, c.status) for c in pool.status.conditions]

        async with cluster([gangs(), scheduling()], nodes=2) as lab:
            await tree(lab)
            await lab.patch(Pool, "default", {"spec": {"exclusive": True}}, namespace=None)
            found = await lab.until(Pool, "default", lambda p: told(p) == [("Exclusive", "False")])
            assert "may go to 2 of 2 nodes, too" in found.status.conditions[0].message
            for i in range(2):
                ours = {"key": "athanor.dev/pool", "value": "default", "effect": "NoSchedule"}
                taints = {"spec": {"taints": [ours]}}
                await lab.patch(Node, f"node-{i}", taints, namespace=None)
            await lab.until(Pool, "default", lambda p: told(p) == [("Exclusive", "True")])
            await lab.create(gang("both", 2, "8"), Gang)
            await lab.until(Gang, "both", lambda g: g.status.phase == "Running")
            await lab.patch(Pool, "default", {"spec": {"exclusive": False}}, namespace=None)
            await lab.until(Pool, "default", lambda p: told(p) == [])

    run(main)


def test_nodes_of_processes_are_for_gangs_that_only_they_can_run() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=2) as lab:
            await tree(lab)
            for i in range(2):
                taints = {"spec": {"taints": [processes.TAINT]}}
                await lab.patch(Node, f"node-{i}", taints, namespace=None)
            image = gang("image", 2, "8")
            image["spec"]["podSets"][0]["template"]["spec"]["containers"][0]["image"] = "nginx:1.29"
            await lab.create(image, Gang)
            waits = await lab.until(Gang, "image", lambda g: bool(g.status.reasons))
            assert waits.status.reasons[0].code == "NodesExcluded"
            assert "(2 tainted: athanor.dev/processes)" in waits.status.reasons[0].message
            await lab.create(gang("ours", 2, "8"), Gang)
            await lab.until(Gang, "ours", lambda g: g.status.phase == "Running")
            for pod in await lab.list(Pod, "default"):
                assert "athanor.dev/processes" in [t.key for t in pod.spec.tolerations]

    run(main)


def test_capacity_is_free_when_a_gang_has_finished() -> None:
    async def main() -> None:
        life = Life(runs=30.0)
        async with cluster([gangs(), scheduling()], script=lambda pod: life) as lab:
            await tree(lab)
            for name in ("a", "b", "c"):
                await lab.create(gang(name, 1, "8"), Gang)
            for name in ("a", "b", "c"):
                done = await lab.until(Gang, name, lambda g: g.status.phase == "Succeeded")
                assert done.status.reasons == []

    run(main)


def test_lent_quota_comes_back_to_its_owner() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()]) as lab:
            mine = queue("mine", guaranteed={"cpu": "4"})
            await tree(lab, mine, queue("theirs", guaranteed={"cpu": "4"}))
            await lab.create(gang("t1", 1, "4", "theirs"), Gang)
            await lab.until(Gang, "t1", lambda g: g.status.phase == "Running")
            await lab.create(gang("t2", 1, "4", "theirs"), Gang)
            await lab.until(Gang, "t2", lambda g: g.status.phase == "Running")
            await lab.create(gang("m", 1, "4", "mine"), Gang)
            going = await lab.until(Gang, "t2", lambda g: g.status.phase == "Evicting")
            assert going.status.reason == "Reclaimed"
            assert [(c.type, c.status, c.reason) for c in going.status.conditions] == [
                ("Running", "False", "Reclaimed")
            ]
            await lab.until(Gang, "m", lambda g: g.status.phase == "Running")
            told = [e for e in await lab.list(Event) if e.involved_object.kind == "Gang"]
            assert [(e.involved_object.name, e.reason, e.count) for e in told] == [
                ("t2", "Evicted", 1)
            ]
            left = [await lab.get(Gang, name) for name in ("t1", "t2")]
            waiting = [g for g in left if g.status.admission is None]
            assert len(waiting) == 1 and waiting[0].status.evictions == 1
            waiting_name = waiting[0].metadata.name
            again = await lab.until(Gang, waiting_name, lambda g: bool(g.status.reasons))
            assert again.status.reasons[0].code in ("NoCapacity", "KeptForOthers")

    run(main)


def test_wrong_gangs_and_queues_are_told_so() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()]) as lab:
            circle = {"metadata": {"name": "a"}, "spec": {"parent": "b"}}
            await tree(lab, circle, {"metadata": {"name": "b"}, "spec": {"parent": "a"}})
            await lab.create(gang("lost", queue="nowhere"), Gang)
            await lab.create(gang("circle", queue="a"), Gang)
            await lab.create(gang("vip", priorityClassName="none"), Gang)
            await lab.create(gang("astray", pools=["none", "nil"]), Gang)
            found = {}
            for name in ("lost", "circle", "vip", "astray"):
                told = await lab.until(Gang, name, lambda g: bool(g.status.reasons))
                found[name] = told.status.reasons[0]
            assert found["lost"].code == "QueueNotFound"
            assert found["lost"].message == "spec.queue: there is no queue nowhere"
            assert found["circle"].code == "QueueInvalid"
            assert found["vip"].code == "InvalidRequest"
            assert found["astray"].code == "NoPool"
            assert found["astray"].message == "spec.pools: there is no pool none or nil"
            wrong = await lab.get(Queue, "a", None)
            assert wrong.status.conditions[0].reason == "Cycle"
            assert "spec.parent" in wrong.status.conditions[0].message

    run(main)


def test_the_next_pool_opens_when_its_time_has_come() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=2) as lab:
            for i, pool in enumerate(("own", "cloud")):
                node = {"metadata": {"labels": {"sort": pool}}}
                await lab.patch(Node, f"node-{i}", node, namespace=None)
                chosen = {"nodeSelector": {"sort": pool}, "exclusive": False}
                await lab.create({"metadata": {"name": pool}, "spec": chosen}, Pool)
            pools = [{"pool": "own", "spillAfterSeconds": 7}, {"pool": "cloud"}]
            await lab.create({"metadata": {"name": "team"}, "spec": {"pools": pools}}, Queue)
            await lab.create(gang("first", 1, "8", "team"), Gang)
            await lab.until(Gang, "first", lambda g: g.status.phase == "Running")
            await lab.create(gang("second", 1, "8", "team"), Gang)
            began = lab.clock.monotonic()
            found = await lab.until(Gang, "second", lambda g: g.status.admission is not None)
            assert found.status.admission is not None and found.status.admission.pool == "cloud"
            assert 6 < lab.clock.monotonic() - began < 9

    run(main)


def test_priority_preempts_within_a_queue() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()]) as lab:
            await tree(lab)
            await lab.create({"metadata": {"name": "urgent"}, "value": 100}, PriorityClass)
            await lab.create(gang("usual", 1, "8"), Gang)
            await lab.until(Gang, "usual", lambda g: g.status.phase == "Running")
            await lab.create(gang("vip", 1, "8", priorityClassName="urgent"), Gang)
            await lab.until(Gang, "vip", lambda g: g.status.phase == "Running")
            usual = await lab.get(Gang, "usual")
            assert usual.status.admission is None

    run(main)


def test_a_node_that_refuses_is_left_alone() -> None:
    def script(pod: Pod) -> Life:
        return Life(refused="OutOfcpu") if pod.spec.node_name == "node-0" else Life()

    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=2, script=script) as lab:
            await tree(lab)
            await lab.create(gang("x", 1, "4"), Gang)
            done = await lab.until(Gang, "x", lambda g: g.status.phase == "Running")
            assert done.status.admission is not None
            assert list(unpack(done.status.admission.placements[0].nodes)) == ["node-1"]
            assert done.status.evictions == 1

    run(main)


def test_a_resource_that_no_node_has_is_told_and_stops_nobody_else() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=1) as lab:
            await tree(lab)
            await lab.create(gang("first"), Gang)
            await lab.until(Gang, "first", lambda g: g.status.phase == "Running")
            odd = gang("odd")
            odd["spec"]["podSets"][0]["template"] = template(more={"example.com/none": "1"})
            await lab.create(odd, Gang)
            waits = await lab.until(Gang, "odd", lambda g: bool(g.status.reasons))
            assert "example.com/none" in waits.status.reasons[0].message
            await lab.create(gang("next"), Gang)
            await lab.until(Gang, "next", lambda g: g.status.phase == "Running")

    run(main)
