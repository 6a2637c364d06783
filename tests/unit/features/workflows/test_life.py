"""Workflows on the real server in virtual time; their jobs end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.training import TrainingJob
from athanor.api.workflows import Workflow
from athanor.features.workflows import apply as workflows
from athanor.features.workflows.artifacts import Places
from athanor.kit.times import rfc3339
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.status import ApiError

Main = Callable[[lab.Lab], Coroutine[Any, Any, None]]


def step(name: str, *after: str, args: list[str] | None = None, **more: object) -> JSON:
    container = {"name": "main", "image": "host", "command": ["run", *(args or [])]}
    roles = [{"name": "w", "template": {"spec": {"containers": [container]}}}]
    made: JSON = {"name": name, "template": {"spec": {"framework": "generic", "roles": roles}}}
    return {**made, **({"dependsOn": list(after)} if after else {}), **more}


def flow(*steps: JSON, **spec: object) -> JSON:
    meta = {"name": "f", "namespace": "default", "annotations": {labels.USER: "ann"}}
    return {"metadata": meta, "spec": {"steps": list(steps), **spec}}


def start(bed: lab.Lab) -> asyncio.Task[None]:
    controller = workflows.controller(Places(root="/shared"))
    manager = Manager(bed.connect(), [controller], bed.clock, lambda: 0.5)
    return asyncio.ensure_future(manager.run())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def live(main: Main, wanted: JSON | None = None) -> None:
    async def everything() -> None:
        async with lab.server() as bed:
            task = start(bed)
            if wanted is not None:
                await bed.create(wanted, Workflow)
                await asyncio.sleep(0.5)
            await main(bed)
            await stop(task)

    virtual.run(everything)


async def end(bed: lab.Lab, name: str, phase: str = "Succeeded", **progress: object) -> None:
    status: JSON = {"phase": phase, "finishedAt": rfc3339(bed.clock.now())}
    if progress:
        status["progress"] = progress
    if phase == "Failed":
        status["message"] = f"{name} broke"
    await bed.patch(TrainingJob, f"f-{name}", {"status": status}, subresource="status")
    await asyncio.sleep(0.5)


async def jobs(bed: lab.Lab) -> list[str]:
    found = await bed.list(TrainingJob, "default")
    return sorted(j.metadata.name.removeprefix("f-") for j in found)


async def seen(bed: lab.Lab) -> Workflow:
    return await bed.get(Workflow, "f")


def phases(found: Workflow) -> dict[str, str]:
    return {
        row.name if row.index is None else f"{row.name}-{row.index}": row.phase
        for row in found.status.steps
    }


def words(job: TrainingJob) -> list[str]:
    found: list[str] = job.spec.roles[0].template["spec"]["containers"][0]["command"]
    return found


def test_steps_run_in_order_and_hand_results_on() -> None:
    async def main(bed: lab.Lab) -> None:
        assert await jobs(bed) == ["a"]
        first = await bed.get(TrainingJob, "f-a")
        assert first.metadata.annotations[labels.USER] == "ann"
        assert words(first)[1:] == ["--env=prod"]
        container = first.spec.roles[0].template["spec"]["containers"][0]
        env = {e["name"]: e["value"] for e in container["env"]}
        uid = (await seen(bed)).metadata.uid[:8]
        assert env == {
            "ATHANOR_ARTIFACTS": f"/shared/default/f-{uid}",
            "ATHANOR_OUTPUT_DIR": f"/shared/default/f-{uid}/a",
        }
        await end(bed, "a", metrics={"loss": 0.5}, outputs={"model": "m1"})
        assert await jobs(bed) == ["a", "b", "c"]
        second = await bed.get(TrainingJob, "f-b")
        assert words(second)[1:] == ["m1", "0.5", f"/shared/default/f-{uid}/a/model.bin"]
        await end(bed, "b")
        assert (await seen(bed)).status.done == "2/4"
        await end(bed, "c")
        await end(bed, "d")
        done = await seen(bed)
        assert (done.status.phase, done.status.done) == ("Succeeded", "4/4")

    b = step("b", args=["${steps.a.outputs.model}", "${steps.a.metrics.loss}",
                        "${artifacts.a}/model.bin"])  # fmt: skip
    parameters = [{"name": "env", "value": "prod"}]
    a = step("a", args=["--env=${parameters.env}"])
    live(main, flow(step("d", "b", "c"), step("c", "a"), b, a, parameters=parameters))


def test_conditions_skip_and_failures_omit() -> None:
    async def main(bed: lab.Lab) -> None:
        await end(bed, "a", metrics={"loss": 0.9})
        assert phases(await seen(bed)) == {
            "a": "Succeeded", "good": "Skipped", "bad": "Running", "after": "Waiting",
        } or await jobs(bed) == ["a", "bad"]  # fmt: skip
        await end(bed, "bad", "Failed")
        done = await seen(bed)
        assert phases(done) == {
            "a": "Succeeded", "good": "Skipped", "bad": "Failed", "after": "Omitted",
        }  # fmt: skip
        assert (done.status.phase, done.status.reason) == ("Failed", "StepFailed")
        assert "step bad failed: bad: bad broke" in done.status.message

    good = step("good", when="steps.a.metrics.loss < 0.5")
    bad = step("bad", when="!(steps.a.metrics.loss < 0.5)")
    live(main, flow(step("a"), good, bad, step("after", "good", "bad")))


def test_retries_and_a_resume_from_the_failed_step() -> None:
    async def main(bed: lab.Lab) -> None:
        await end(bed, "a")
        await end(bed, "b", "Failed")
        assert "tried again at" in (await seen(bed)).status.steps[1].message
        await asyncio.sleep(10)
        assert await jobs(bed) == ["a", "b", "b-r1"]
        await end(bed, "b-r1", "Failed")
        await end(bed, "bye")
        done = await seen(bed)
        assert (done.status.phase, phases(done)["c"]) == ("Failed", "Omitted")
        await bed.patch(Workflow, "f", {"spec": {"resumes": 1}})
        await asyncio.sleep(0.5)
        assert (await seen(bed)).status.phase == "Running"
        assert await jobs(bed) == ["a", "b", "b-r1", "b-r2", "bye"]
        await end(bed, "b-r2")
        await end(bed, "c")
        await end(bed, "bye-r1")
        done = await seen(bed)
        assert (done.status.phase, set(phases(done).values())) == ("Succeeded", {"Succeeded"})
        assert await jobs(bed) == ["a", "b", "b-r1", "b-r2", "bye", "bye-r1", "c"]

    b = step("b", "a", retries={"limit": 1, "backoffSeconds": 8})
    live(main, flow(step("a"), b, step("c", "b"), onExit=step("bye")))


def test_fan_out_over_items_and_over_what_a_step_put_out() -> None:
    async def main(bed: lab.Lab) -> None:
        assert await jobs(bed) == ["fixed-0", "fixed-1", "split"]
        assert words(await bed.get(TrainingJob, "f-fixed-1"))[1:] == ["y", "1"]
        await end(bed, "split", outputs={"parts": '["p", "q", {"n": 3}]'})
        assert await jobs(bed) == ["fixed-0", "fixed-1", "split", "work-0", "work-1"]
        await end(bed, "work-0", outputs={"size": "10"})
        assert "work-2" in await jobs(bed)
        assert words(await bed.get(TrainingJob, "f-work-2"))[1:] == ['{"n":3}'] or words(
            await bed.get(TrainingJob, "f-work-2")
        )[1:] == ['{"n": 3}']
        for name in ("work-1", "work-2", "fixed-0", "fixed-1"):
            await end(bed, name, outputs={"size": "20"})
        assert words(await bed.get(TrainingJob, "f-join"))[1:] == ['["10", "20", "20"]']
        await end(bed, "join")
        assert (await seen(bed)).status.phase == "Succeeded"

    work = step("work", args=["${item.value}"], withParam="${steps.split.outputs.parts}",
                parallelism=2)  # fmt: skip
    fixed = step("fixed", args=["${item.value}", "${item.index}"], withItems=["x", "y"])
    join = step("join", "fixed", args=["${steps.work.outputs.size}"])
    live(main, flow(step("split"), work, fixed, join))


def test_the_exit_handler_runs_whatever_happened() -> None:
    async def main(bed: lab.Lab) -> None:
        await end(bed, "a", "Failed")
        assert words(await bed.get(TrainingJob, "f-bye"))[1:] == ["Failed", "a"]
        assert (await seen(bed)).status.phase == "Running"
        await end(bed, "bye")
        assert (await seen(bed)).status.phase == "Failed"

    bye = step("bye", args=["${workflow.phase}", "${workflow.failed}"])
    live(main, flow(step("a"), onExit=bye))


def test_a_failure_that_others_may_ignore() -> None:
    async def main(bed: lab.Lab) -> None:
        await end(bed, "a", "Failed")
        await end(bed, "b")
        assert (await seen(bed)).status.phase == "Succeeded"

    live(main, flow(step("a", continueOnFailure=True), step("b", "a")))


def test_what_was_made_and_not_written_down_is_found_again() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(flow(step("a"), step("b", "a")), Workflow)
        task = start(bed)
        await asyncio.sleep(1)
        await stop(task)
        before = (await bed.get(TrainingJob, "f-a")).metadata.uid
        await bed.patch(Workflow, "f", {"status": {"steps": None}}, subresource="status")
        await end(bed, "a")
        task = start(bed)
        await asyncio.sleep(1)
        assert await jobs(bed) == ["a", "b"]
        assert (await bed.get(TrainingJob, "f-a")).metadata.uid == before
        assert phases(await seen(bed)) == {"a": "Succeeded", "b": "Running"}
        await bed.client(calls.delete(of(TrainingJob), "f-a", "default"))
        await asyncio.sleep(70)  # what succeeded is never made again
        assert await jobs(bed) == ["b"]
        await stop(task)

    async def everything() -> None:
        async with lab.server() as bed:
            await main(bed)

    virtual.run(everything)


def test_suspended_with_all_steps() -> None:
    async def main(bed: lab.Lab) -> None:
        for to, phase in ((True, "Suspended"), (False, "Running")):
            await bed.patch(Workflow, "f", {"spec": {"suspend": to}})
            await asyncio.sleep(0.5)
            assert (await seen(bed)).status.phase == phase
            assert (await bed.get(TrainingJob, "f-a")).spec.suspend == to

    live(main, flow(step("a"), step("b", "a")))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (flow(), "spec.steps"),
        (flow(step("a", "b")), "spec.steps: .*dependsOn must name other steps"),
        (flow(step("a", "a")), "a step cannot wait for itself"),
        (flow(step("A")), r"spec.steps\[0\].name"),
        (flow(step("a"), step("a")), r"spec.steps\[1\]: Duplicate"),
        (flow(step("a", withItems=["x"], withParam="${steps.a.outputs.b}")), "withItems or"),
        (flow(step("a", retries={"limit": 99})), r"spec.steps\[0\].retries.limit"),
        (flow({"name": "a", "template": {"kind": "Pod"}}), r"spec.steps\[0\].template.kind"),
    ],
)
def test_wrong_workflows_are_refused_when_they_are_written(wanted: JSON, said: str) -> None:
    async def main(bed: lab.Lab) -> None:
        with pytest.raises(ApiError, match=said):
            await bed.create(wanted, Workflow)

    live(main)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            flow(step("a", args=["${steps.c.phase}"]), step("b", "a"), step("c", "b")),
            "spec.steps[0].dependsOn: steps wait for each other: a → c → b → a",
        ),
        (flow(step("a", args=["${parameters.x}"])), "spec.steps[0]: parameters.x: there is no par"),
        (flow(step("a", args=["${steps.z.phase}"])), "there is no step 'z'"),
        (flow(step("a"), step("b", args=["${steps.a.color}"])), "a step has phase"),
        (flow(step("a", args=["${item.value}"])), "neither withItems nor withParam"),
        (flow(step("a", when="1 <")), "spec.steps[0].when: '1 <' is no condition"),
        (flow(step("a" * 30), onExit=step("a" * 30)), "spec.onExit.name: " + "a" * 30),
    ],
)
def test_other_mistakes_are_told_with_their_field(wanted: JSON, said: str) -> None:
    async def main(bed: lab.Lab) -> None:
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Failed", "InvalidSpec")
        assert said in done.status.message
        valid = next(c for c in done.status.conditions if c.type == "Valid")
        assert (valid.status, valid.message) == ("False", done.status.message)
        assert await jobs(bed) == []

    live(main, wanted)


def test_a_template_that_is_refused_ends_it_with_the_field() -> None:
    async def main(bed: lab.Lab) -> None:
        await asyncio.sleep(3)
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Failed", "InvalidTemplate")
        assert "spec.outputs" in done.status.message

    wrong = step("a")
    wrong["template"]["spec"]["outputs"] = "here"
    live(main, flow(wrong))
