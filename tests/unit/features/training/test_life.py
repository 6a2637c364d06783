"""Jobs on a whole cluster in virtual time: submission to end, with the real scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from athanor.api import labels
from athanor.api.core import ConfigMap, Pod
from athanor.api.meta import API_VERSION, JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.api.training import TrainingJob
from athanor.features.gangs import apply as gangs
from athanor.features.scheduling import apply as scheduling
from athanor.features.training import apply as training
from athanor.features.training.build import Defaults
from athanor.features.training.observe import Observed
from athanor.features.training.plan import plan
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Delete, DeleteCollection
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire.selector import parse_labels
from athanor.wire.status import ApiError

Main = Callable[[lab.Lab], Coroutine[Any, Any, None]]


def job(replicas: int = 2, framework: str = "jax", **spec: object) -> JSON:
    template = {"spec": {"containers": [{"name": "main", "image": "host"}]}}
    roles = [{"name": "worker", "replicas": replicas, "template": template,
              "restartPolicy": "OnFailure"}]  # fmt: skip
    return {
        "metadata": {"name": "t", "namespace": "default", "annotations": {labels.USER: "ann"}},
        "spec": {"framework": framework, "roles": roles, **spec},
    }


def live(main: Main, script: Callable[[Pod], Life] = lambda _: Life(runs=10)) -> None:
    async def everything() -> None:
        every = [gangs.controller(), scheduling.controller(), training.controller()]
        async with lab.cluster(every, nodes=2, script=script) as bed:
            await bed.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
            pools = [{"pool": "default"}]
            await bed.create({"metadata": {"name": "default"}, "spec": {"pools": pools}}, Queue)
            await main(bed)

    virtual.run(everything)


def phase(*wanted: str) -> Callable[[TrainingJob], bool]:
    return lambda t: t.status.phase in wanted


def first_fails(times: int, code: int = 1) -> Callable[[Pod], Life]:
    def script(pod: Pod) -> Life:
        told = pod.metadata.labels
        attempt = int(told[labels.ATTEMPT]) + int(told.get(labels.RANK_ATTEMPT, "0"))
        failing = attempt < times and told[labels.RANK] == "1"
        return Life(runs=5, exit_code=code) if failing else Life(runs=30)

    return script


def test_a_job_succeeds() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        running = await bed.until(TrainingJob, "t", phase("Running"))
        assert running.status.pods[0].running == 2
        pod = await bed.get(Pod, "t-worker-1")
        assert pod.metadata.annotations[labels.USER] == "ann"
        assert pod.metadata.labels[labels.JOB] == "t"
        seen = Observed(job=running, gang=await bed.get(Gang, "t"))
        again = plan(seen, bed.clock.now(), Defaults())
        assert not again.actions, "what the server fills in is no difference"
        done = await bed.until(TrainingJob, "t", phase("Succeeded"))
        assert {c.type: c.status for c in done.status.conditions} == {
            "Running": "False", "Succeeded": "True",
        }  # fmt: skip

    live(main)


def test_a_gang_is_restarted_and_each_retry_counted_once() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        done = await bed.until(TrainingJob, "t", phase("Succeeded", "Failed"))
        assert (done.status.phase, done.status.retries, done.status.attempt) == ("Succeeded", 2, 2)

    live(main, first_fails(2))


def test_retries_are_used_up() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(runPolicy={"backoffLimit": 1}), TrainingJob)
        done = await bed.until(TrainingJob, "t", phase("Succeeded", "Failed"))
        assert (done.status.phase, done.status.reason) == ("Failed", "BackoffLimitExceeded")
        assert done.status.retries == 1
        assert (await bed.get(Gang, "t")).status.phase == "Failed"

    live(main, first_fails(9))


def test_independent_ranks_restart_alone() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(framework="generic"), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Running"))
        before = (await bed.get(Pod, "t-worker-0")).metadata.uid
        done = await bed.until(TrainingJob, "t", phase("Succeeded", "Failed"))
        assert (done.status.phase, done.status.retries, done.status.attempt) == ("Succeeded", 1, 0)
        assert (await bed.get(Pod, "t-worker-0")).metadata.uid == before

    live(main, first_fails(1))


def test_suspend_and_resume() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(suspend=True), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Suspended"))
        await bed.patch(TrainingJob, "t", {"spec": {"suspend": False}})
        await bed.until(TrainingJob, "t", phase("Running"))
        await bed.patch(TrainingJob, "t", {"spec": {"suspend": True}})
        await bed.until(TrainingJob, "t", phase("Suspended"))
        assert not await bed.list(Pod, "default")
        await bed.patch(TrainingJob, "t", {"spec": {"suspend": False}})
        done = await bed.until(TrainingJob, "t", phase("Succeeded"))
        assert done.status.retries == 0

    live(main)


def test_success_of_the_chief_ends_the_others() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=5 if pod.metadata.labels[labels.RANK] == "0" else None)

    async def main(bed: lab.Lab) -> None:
        rule = {"ranks": {"worker": [0]}}
        await bed.create(job(successRules=[rule]), TrainingJob)
        done = await bed.until(TrainingJob, "t", phase("Succeeded"))
        assert done.status.reason == "SuccessRule"
        assert [p.metadata.name for p in await bed.list(Pod, "default")] == ["t-worker-0"]

    live(main, script)


def test_a_finished_job_goes_after_its_time_with_all_that_it_owns() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(runPolicy={"ttlSecondsAfterFinished": 60}), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Succeeded"))
        await asyncio.sleep(50)
        assert (await bed.get(TrainingJob, "t")).status.phase == "Succeeded"
        await asyncio.sleep(30)
        for view, name in ((TrainingJob, "t"), (Gang, "t"), (Pod, "t-worker-0")):
            with pytest.raises(ApiError, match="not found"):
                await bed.get(view, name)

    live(main)


def test_clean_all_removes_the_pods_of_a_finished_job() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(runPolicy={"cleanPods": "All"}), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Succeeded"))
        await asyncio.sleep(10)
        assert not await bed.list(Pod, "default")
        assert (await bed.get(TrainingJob, "t")).status.phase == "Succeeded"

    live(main)


def test_many_pods_of_a_finished_job_are_deleted_by_few_requests() -> None:
    owner = {"apiVersion": API_VERSION, "kind": "TrainingJob", "name": "t", "uid": "j"}
    gang = {"metadata": {"name": "t", "namespace": "default", "uid": "g",
                         "ownerReferences": [owner]},
            "status": {"phase": "Succeeded"}}  # fmt: skip
    over = job(runPolicy={"cleanPods": "All"}) | {"status": {"phase": "Succeeded"}}
    over["metadata"]["uid"] = "j"
    pods = [
        {"metadata": {"name": f"t-worker-{rank}", "namespace": "default", "labels": {
            labels.GANG: "t", labels.POD_SET: "worker", labels.RANK: str(rank)},
            "ownerReferences": [owner | {"kind": "Gang", "uid": "g"}]},
         "status": {"phase": "Succeeded"}}
        for rank in range(120)
    ]  # fmt: skip
    others = [
        pods[0] | {"status": {"phase": "Running"}},
        pods[0] | {"metadata": pods[0]["metadata"] | {"ownerReferences": []}},
    ]
    observed = Observed(
        job=msgspec.convert(over, TrainingJob), gang=msgspec.convert(gang, Gang),
        pods=tuple(msgspec.convert(pod, Pod) for pod in [*others, *pods]),
    )  # fmt: skip
    *first, last = plan(observed, 0.0, Defaults()).actions
    assert isinstance(last, Delete) and last.resource.kind == "Gang"
    asked = [parse_labels(one.labels) for one in first if isinstance(one, DeleteCollection)]
    assert len(asked) == len(first) == 3
    for pod in pods:
        assert sum(one.matches(pod["metadata"]["labels"]) for one in asked) == 1
    assert not any(one.matches({labels.GANG: "u", labels.RANK: "0"}) for one in asked)


def test_a_job_that_runs_too_long_fails() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(runPolicy={"activeDeadlineSeconds": 60}), TrainingJob)
        done = await bed.until(TrainingJob, "t", phase("Failed"))
        assert done.status.reason == "DeadlineExceeded"
        assert not await bed.list(Pod, "default")

    live(main, lambda _: Life())


def test_a_job_whose_name_is_taken_waits_and_says_why() -> None:
    async def main(bed: lab.Lab) -> None:
        template = {"spec": {"containers": [{"name": "main"}]}}
        spec = {"podSets": [{"name": "w", "template": template}], "suspend": True}
        await bed.create({"metadata": {"name": "t", "namespace": "default"}, "spec": spec}, Gang)
        await bed.create(job(), TrainingJob)
        held = await bed.until(TrainingJob, "t", lambda t: t.status.reason == "NameTaken")
        assert held.status.phase == "Pending"

    live(main)


def test_what_a_framework_needs_is_said_at_creation() -> None:
    async def main(bed: lab.Lab) -> None:
        with pytest.raises(ApiError, match="spec.roles: .* needs a role jobmanager"):
            await bed.create(job(framework="flink"), TrainingJob)

    live(main)


def test_a_restart_by_hand_costs_no_retry() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Running"))
        before = (await bed.get(Gang, "t")).status.admission
        await bed.patch(TrainingJob, "t", {"spec": {"runPolicy": {"restarts": 1}}})
        await bed.until(TrainingJob, "t", lambda t: t.status.attempt == 1)
        again = await bed.until(TrainingJob, "t", phase("Running"))
        assert (again.status.retries, again.status.attempt) == (0, 1)
        assert (await bed.get(Gang, "t")).status.admission == before
        with pytest.raises(ApiError, match="only grows"):
            await bed.patch(TrainingJob, "t", {"spec": {"runPolicy": {"restarts": 0}}})

    live(main, lambda _: Life(runs=60))


def resized(to: int) -> JSON:
    return {"spec": {"roles": job(to)["spec"]["roles"]}}


def test_a_resized_job_leaves_and_comes_back_in_its_new_shape() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Running"))
        await bed.patch(TrainingJob, "t", resized(3))
        grown = await bed.until(
            TrainingJob, "t", lambda t: any(c.running == 3 for c in t.status.pods)
        )
        assert grown.status.retries == 0
        pods = await bed.list(Pod, "default")
        assert len(pods) == 3
        sizes = {
            e["value"] for pod in pods for e in pod_env(pod) if e["name"] == "JAX_NUM_PROCESSES"
        }
        assert sizes == {"$(ATHANOR_SIZE)"}
        await bed.until(TrainingJob, "t", phase("Succeeded"))

    def pod_env(pod: Pod) -> list[JSON]:
        found: list[JSON] = msgspec.to_builtins(pod.spec.containers[0]).get("env", [])
        return found

    live(main, lambda _: Life(runs=60))


def test_a_finished_job_is_not_changed_any_more() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Succeeded"))
        changes: list[JSON] = [
            {"spec": {"suspend": True}}, resized(3), {"spec": {"runPolicy": {"restarts": 1}}}
        ]  # fmt: skip
        for body in changes:
            with pytest.raises(ApiError, match="clone it"):
                await bed.patch(TrainingJob, "t", body)
        await bed.patch(TrainingJob, "t", {"spec": {"runPolicy": {"ttlSecondsAfterFinished": 9}}})

    live(main)


def test_a_running_job_does_not_move_to_another_queue() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Running"))
        to: JSON = {"scheduling": {"queue": "other"}}
        with pytest.raises(ApiError, match="suspend it before it moves"):
            await bed.patch(TrainingJob, "t", {"spec": to})
        await bed.patch(TrainingJob, "t", {"spec": {"suspend": True}})
        await bed.until(TrainingJob, "t", phase("Suspended"))
        await bed.patch(TrainingJob, "t", {"spec": to})

    live(main, lambda _: Life(runs=60))


def test_a_launcher_ends_the_job_and_its_workers() -> None:
    def script(pod: Pod) -> Life:
        return Life(runs=5 if pod.metadata.labels[labels.POD_SET] == "launcher" else None)

    async def main(bed: lab.Lab) -> None:
        main = {"name": "main", "image": "host", "command": ["python", "x.py"]}
        template = {"spec": {"containers": [main]}}
        roles = [{"name": "launcher", "template": template}, *job()["spec"]["roles"]]
        made = job(framework="mpi")
        await bed.create({**made, "spec": {**made["spec"], "roles": roles}}, TrainingJob)
        done = await bed.until(TrainingJob, "t", phase("Succeeded", "Failed"))
        assert (done.status.phase, done.status.reason) == ("Succeeded", "SuccessRule")
        files = await bed.get(ConfigMap, "t-wiring")
        assert "t-worker-1.t slots=1" in str(files)
        assert [p.metadata.name for p in await bed.list(Pod, "default")] == ["t-launcher-0"]

    live(main, script)


def test_a_job_that_reports_no_more_steps_is_said_to_hang() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(job(), TrainingJob)
        await bed.until(TrainingJob, "t", phase("Running"))
        told = {"step": 5, "total": 100, "updatedAt": rfc3339(bed.clock.now())}
        note = {"metadata": {"annotations": {labels.PROGRESS: msgspec.json.encode(told).decode()}}}
        await bed.patch(Pod, "t-worker-0", note)
        hung = await bed.until(
            TrainingJob, "t", lambda t: any(c.type == "Stalled" for c in t.status.conditions)
        )
        assert hung.status.pace is not None
        assert hung.status.pace.step == 5
        assert [c.status for c in hung.status.conditions if c.type == "Stalled"] == ["True"]

    live(main, lambda _: Life())
