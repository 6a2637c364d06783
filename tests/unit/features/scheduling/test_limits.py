"""What queues allow, end to end: budgets, running time, users, states, namespaces, units."""

import asyncio

import pytest

from athanor.api.core import Namespace, Pod
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.runtime.manager import Manager
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run

GPU = "nvidia.com/gpu"
NODE = {"cpu": "32", "memory": "64Gi", "pods": "50", GPU: "8"}


def gang(name: str, gpus: int = 1, *, queue: str = "team", user: str = "", **spec: object) -> JSON:
    asks = {"requests": {"cpu": "1"}, "limits": {GPU: str(gpus)}}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    sets = [{"name": "worker", "count": 1, "template": template}]
    meta: JSON = {"name": name, "namespace": "default", "annotations": {"athanor.dev/user": user}}
    return {"metadata": meta, "spec": {"podSets": sets, "queue": queue, **spec}}


async def tree(lab: Lab, *queues: JSON, **pool: object) -> None:
    await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False, **pool}}, Pool)
    for spec in queues:
        name = spec.pop("name")
        given = {"pools": [{"pool": "default"}], **spec}
        await lab.create({"metadata": {"name": name}, "spec": given}, Queue)


async def reason(lab: Lab, name: str, code: str) -> str:
    told = await lab.until(
        Gang, name, lambda g: any(r.code == code for r in g.status.reasons), within=60
    )
    return next(r.message for r in told.status.reasons if r.code == code)


async def runs(lab: Lab, name: str) -> Gang:
    return await lab.until(Gang, name, lambda g: g.status.phase == "Running")


def test_a_budget_stops_admission_before_it_is_overspent_and_survives_a_restart() -> None:
    async def main() -> None:
        async with cluster([gangs()], nodes={"node-0": NODE}) as lab:
            scheduler = start(lab)
            await tree(lab, {"name": "team", "budget": {"gpuHours": "0.1", "period": "Total"}})
            for name in "ab":
                await lab.create(gang(name, 4, maxRuntimeSeconds=36), Gang)
                await runs(lab, name)
            await lab.create(gang("c", 1, maxRuntimeSeconds=108), Gang)
            said = await reason(lab, "c", "BudgetSpent")
            assert said.startswith("may cost 0.03 GPU-hours, and 0.02 of queue team's budget")
            await stop(scheduler)  # nobody counts for a while; both gangs end meanwhile
            await lab.until(Gang, "b", lambda g: g.status.phase == "Failed")
            scheduler = start(lab)
            await asyncio.sleep(1)
            told = (await lab.get(Queue, "team", None)).status.budget
            assert told is not None and 0.080 <= float(told.spent) <= 0.082
            await lab.patch(Gang, "c", {"spec": {"maxRuntimeSeconds": 36}})
            await runs(lab, "c")
            await stop(scheduler)

    run(main)


def start(lab: Lab) -> asyncio.Task[None]:
    manager = Manager(lab.connect(), [scheduling()], lab.clock, lab.dice.random)
    return asyncio.ensure_future(manager.run())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_gangs_beyond_their_estimate_leave_before_the_budget_is_gone() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(lab, {"name": "team", "budget": {"gpuHours": "0.4", "period": "Total"}})
            await lab.create(gang("late", 4, estimatedRuntimeSeconds=60), Gang)
            await runs(lab, "late")
            await asyncio.sleep(400)
            assert (await lab.get(Gang, "late")).status.evictions == 1
            await lab.patch(Gang, "late", {"spec": {"estimatedRuntimeSeconds": 1000}})
            await reason(lab, "late", "BudgetSpent")
            told = (await lab.get(Queue, "team", None)).status.budget
            assert told is not None and 0.2 <= float(told.spent) <= 0.4

    run(main)


def test_a_queues_running_time_ends_gangs() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(lab, {"name": "team", "maxRuntimeSeconds": 100})
            await lab.create(gang("x"), Gang)
            await runs(lab, "x")
            done = await lab.until(Gang, "x", lambda g: g.status.phase == "Failed", within=200)
            assert done.status.message == "ran longer than 100 s, the limit of queue team"

    run(main)


def test_who_does_not_start_makes_room_and_is_tried_again_after_longer_and_longer() -> None:
    """A wrong image, say: without an end to it the devices would be held for good."""
    tries: dict[str, float] = {}

    async def main() -> None:
        def script(pod: Pod) -> Life:
            if pod.metadata.name.startswith("next"):
                return Life(runs=30)
            tries.setdefault(pod.metadata.uid, lab.clock.now())
            return Life(starts=1e9 if len(tries) < 3 else 1)

        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}, script=script) as lab:
            await tree(lab, {"name": "team", "maxStartSeconds": 100})
            await lab.create(gang("x", 8), Gang)
            told = await lab.until(Gang, "x", lambda g: g.status.admission is not None)
            assert told.status.admission is not None
            assert told.status.admission.max_start_seconds == 100
            await lab.create(gang("next", 8), Gang)
            await lab.until(Gang, "next", lambda g: g.status.phase == "Running", within=120)
            said = await reason(lab, "x", "BacksOff")
            assert "1 of 1 ranks did not start in time, x-worker-0 among them" in said
            found = await lab.get(Gang, "x")
            assert (found.status.reason, found.status.evictions) == ("NotStarted", 1)
            assert found.status.failures == [] and found.status.retry_at is not None
            assert said.endswith(f"it is tried again at {found.status.retry_at}")
            found = await lab.until(Gang, "x", lambda g: g.status.phase == "Running", within=600)
            assert found.status.evictions == 2 and found.status.retry_at is None
            first, second, third = tries.values()
            assert 158 < second - first < 170 and 218 < third - second < 230
            assert [run.reason for run in found.status.runs] == ["NotStarted", "NotStarted"]

    run(main)


def test_who_is_turned_away_for_what_it_asks_waits_longer_and_the_node_is_for_others() -> None:
    tries: dict[str, float] = {}

    async def main() -> None:
        def script(pod: Pod) -> Life:
            if pod.metadata.name.startswith("next"):
                return Life()
            tries.setdefault(pod.metadata.uid, lab.clock.now())
            return Life(refused="TopologyAffinityError" if len(tries) < 3 else "")

        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}, script=script) as lab:
            await tree(lab, {"name": "team"})
            await lab.create(gang("x", 4), Gang)
            said = await reason(lab, "x", "BacksOff")
            assert said.startswith("worker-0 failed on node node-0: the node refuses the pod; it ")
            await lab.create(gang("next", 4), Gang)
            await lab.until(Gang, "next", lambda g: g.status.phase == "Running", within=20)
            found = await lab.until(Gang, "x", lambda g: g.status.phase == "Running", within=600)
            assert [run.reason for run in found.status.runs] == ["TopologyAffinityError"] * 2
            first, second, third = tries.values()
            assert 58 < second - first < 70 and 118 < third - second < 130

    run(main)


def test_a_nearer_limit_of_ones_own_counts_and_suspending_ends_the_wait() -> None:
    async def main() -> None:
        def script(pod: Pod) -> Life:
            return Life(starts=1e9)

        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}, script=script) as lab:
            await tree(lab, {"name": "team", "maxStartSeconds": 1000})
            await lab.create(gang("x", 8, maxStartSeconds=10), Gang)
            await reason(lab, "x", "BacksOff")
            await lab.patch(Gang, "x", {"spec": {"suspend": True}})
            await lab.until(Gang, "x", lambda g: g.status.phase == "Suspended")
            await lab.patch(Gang, "x", {"spec": {"suspend": False}})
            told = await lab.until(Gang, "x", lambda g: g.status.admission is not None, within=5)
            assert told.status.retry_at is None

    run(main)


def test_a_checkpoint_may_take_as_long_as_the_queues_say() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(
                lab, {"name": "all", "preemption": {"maxGraceSeconds": 40}},
                {"name": "team", "parent": "all", "preemption": {"maxGraceSeconds": 90}},
                {"name": "free"},
            )  # fmt: skip
            saves: JSON = {"enabled": True, "graceSeconds": 86400}
            await lab.create(gang("x", checkpoint=saves), Gang)
            assert await reason(lab, "x", "InvalidRequest") == (
                "spec.checkpoint.graceSeconds: 86400 is more than the 40 that queue all allows: "
                "ask for less, or have its spec.preemption.maxGraceSeconds raised"
            )
            await lab.create(gang("y", queue="free", checkpoint=saves), Gang)
            assert "than the 600 that queue free allows" in await reason(lab, "y", "InvalidRequest")
            slow = gang("z")
            slow["spec"]["podSets"][0]["template"]["spec"]["terminationGracePeriodSeconds"] = 41
            await lab.create(slow, Gang)
            field = "spec.podSets[0].template.spec.terminationGracePeriodSeconds: 41 is more than"
            assert field in await reason(lab, "z", "InvalidRequest")
            await lab.patch(Gang, "x", {"spec": {"checkpoint": {"graceSeconds": 40}}})
            await runs(lab, "x")

    run(main)


@pytest.mark.parametrize("how", ["preempted", "suspended"])
def test_who_asks_for_more_once_he_runs_does_not_get_it(how: str) -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            mine: JSON = {"guaranteed": {GPU: "8"}, "pool": "default"}
            await tree(
                lab, {"name": "team", "preemption": {"maxGraceSeconds": 40}},
                {"name": "mine", "pools": [mine]},
            )  # fmt: skip
            await lab.create(gang("x", 8), Gang)
            await runs(lab, "x")
            saves: JSON = {"enabled": True, "graceSeconds": 86400}
            await lab.patch(Gang, "x", {"spec": {"checkpoint": saves}})
            began = lab.clock.monotonic()
            if how == "suspended":
                await lab.patch(Gang, "x", {"spec": {"suspend": True}})
            await lab.create(gang("m", 8, queue="mine"), Gang)
            await lab.until(Gang, "m", lambda g: g.status.phase == "Running", within=60)
            assert 40 <= lab.clock.monotonic() - began < 50

    run(main)


def test_one_user_does_not_take_it_all() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(
                lab, {"name": "all", "userLimit": {GPU: "4"}}, {"name": "team", "parent": "all"}
            )
            await lab.create(gang("a", 3, user="ann"), Gang)
            await runs(lab, "a")
            await lab.create(gang("b", 2, user="ann"), Gang)
            assert "its user holds 3" in await reason(lab, "b", "UserLimit")
            await lab.create(gang("c", 4, user="ben"), Gang)
            await runs(lab, "c")

    run(main)


def test_queues_that_are_not_open_admit_nothing_and_say_when_they_are_empty() -> None:
    async def main() -> None:
        life = Life(runs=50.0)
        async with cluster(
            [gangs(), scheduling()], nodes={"node-0": NODE}, script=lambda p: life
        ) as lab:
            await tree(lab, {"name": "team"})
            await lab.create(gang("a"), Gang)
            await runs(lab, "a")
            for state, code in (("Hold", "QueueOnHold"), ("Drain", "QueueOnHold"),
                                ("Closed", "QueueClosed")):  # fmt: skip
                await lab.patch(Queue, "team", {"spec": {"state": state}}, namespace=None)
                await lab.create(gang(state.lower()), Gang)
                await reason(lab, state.lower(), code)
            await lab.until(Gang, "a", lambda g: g.status.phase == "Succeeded")
            await asyncio.sleep(1)
            told = await lab.get(Queue, "team", None)
            assert [c.status for c in told.status.conditions if c.type == "Drained"] == ["True"]
            await lab.patch(Queue, "team", {"spec": {"state": "Open"}}, namespace=None)
            await lab.until(Gang, "hold", lambda g: g.status.phase == "Succeeded")

    run(main)


def test_only_chosen_namespaces_submit() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            chosen: JSON = {"matchLabels": {"team": "red"}}
            await tree(
                lab, {"name": "all", "namespaceSelector": chosen}, {"name": "team", "parent": "all"}
            )
            await lab.create(gang("a"), Gang)
            assert "queue all does not admit" in await reason(lab, "a", "NamespaceNotAllowed")
            labels = {"metadata": {"labels": {"team": "red"}}}
            await lab.patch(Namespace, "default", labels, namespace=None)
            await runs(lab, "a")

    run(main)


def test_a_namespaces_own_queue_pays_for_what_names_none() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(lab, {"name": "team"}, {"name": "other"})
            await lab.create(gang("a", queue="default"), Gang)
            await reason(lab, "a", "QueueNotFound")
            labels = {"metadata": {"labels": {"athanor.dev/queue": "team"}}}
            await lab.patch(Namespace, "default", labels, namespace=None)
            for name, queue in (("a", "team"), ("b", "other")):
                if name == "b":
                    await lab.create(gang("b", queue="other"), Gang)
                admission = (await runs(lab, name)).status.admission
                assert admission is not None and admission.queue == queue

    run(main)


def test_quota_in_units_and_in_memory() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            unit = "athanor.dev/units"
            await tree(
                lab,
                {"name": "team", "pools": [{"pool": "default", "limit": {unit: "7.5"}}]},
                rates={GPU: "2.5"},
            )
            await lab.create(gang("a", 2), Gang)
            await runs(lab, "a")
            await lab.create(gang("b", 2), Gang)
            assert "uses 5" in await reason(lab, "b", "QueueLimit")
            await lab.create(gang("c", 1), Gang)
            await runs(lab, "c")
            told = await lab.get(Queue, "team", None)
            assert told.status.use[0].used[unit] == "7500m"

    run(main)


def test_amounts_are_kept_for_a_queue_for_a_time() -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes={"node-0": NODE}) as lab:
            await tree(lab, {"name": "team"}, {"name": "demo"})
            spec: JSON = {"pool": "default", "amounts": {GPU: "6"}, "queues": ["demo"]}
            await lab.create({"metadata": {"name": "show"}, "spec": spec}, Reservation)
            bad: JSON = {"pool": "default", "amounts": {GPU: "9"}, "queues": ["demo"]}
            await lab.create({"metadata": {"name": "bad"}, "spec": bad}, Reservation)
            await lab.create(gang("a", 3), Gang)
            said = await reason(lab, "a", "ReservedForOthers")
            assert "used or reserved for others: 6 nvidia.com/gpu of 8" in said
            wrong = await lab.get(Reservation, "bad", None)
            assert (wrong.status.phase, wrong.status.message) == (
                "Invalid", "spec.amounts.nvidia.com/gpu: 9 is more than the 8 of pool default",
            )  # fmt: skip
            assert (await lab.get(Reservation, "show", None)).status.phase == "Active"
            await lab.create(gang("b", 6, queue="demo"), Gang)
            await runs(lab, "b")
            await lab.create(gang("c", 2), Gang)
            await runs(lab, "c")
            pods = await lab.list(Pod)
            assert len(pods) == 2

    run(main)
