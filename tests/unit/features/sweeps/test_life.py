"""Sweeps on the real server in virtual time; what trials report is what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from athanor.api import labels
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.sweeps import Sweep
from athanor.api.training import TrainingJob
from athanor.features.sweeps import apply as sweeps
from athanor.kit.times import rfc3339
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.status import ApiError

Main = Callable[[lab.Lab], Coroutine[Any, Any, None]]


def sweep(**spec: object) -> JSON:
    container = {
        "name": "main", "image": "host", "command": ["train", "--x=${parameters.x}"],
        "resources": {"requests": {"nvidia.com/gpu": "2"}},
    }  # fmt: skip
    job = {
        "framework": "generic",
        "roles": [{"name": "worker", "template": {"spec": {"containers": [container]}}}],
    }
    whole = {
        "parameters": [{"name": "x", "type": "Float", "min": 0, "max": 1}],
        "objective": {"metric": "loss"}, "algorithm": {"name": "Random"},
        "maxTrials": 6, "parallelism": 2, "template": {"spec": job}, **spec,
    }  # fmt: skip
    return {"metadata": {"name": "s", "namespace": "default"}, "spec": whole}


def live(main: Main, control: bool = True) -> None:
    async def everything() -> None:
        async with lab.server() as bed:
            task = start(bed) if control else None
            await main(bed)
            if task is not None:
                await stop(task)

    virtual.run(everything)


def start(bed: lab.Lab) -> asyncio.Task[None]:
    manager = Manager(bed.connect(), [sweeps.controller()], bed.clock, lambda: 0.5)
    return asyncio.ensure_future(manager.run())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def jobs(bed: lab.Lab) -> dict[int, TrainingJob]:
    found = await bed.list(TrainingJob, "default")
    return {int(j.metadata.annotations[labels.TRIAL]): j for j in found}


async def report(bed: lab.Lab, number: int, phase: str, loss: float | None, step: int = 1) -> None:
    now = rfc3339(bed.clock.now())
    status: JSON = {"phase": phase, "startedAt": now}
    if loss is not None:
        status["progress"] = {"step": step, "metrics": {"loss": loss}, "updatedAt": now}
    if phase in ("Succeeded", "Failed"):
        status["finishedAt"] = now
    await bed.patch(TrainingJob, f"s-{number}", {"status": status}, subresource="status")
    await asyncio.sleep(0.5)


async def seen(bed: lab.Lab) -> Sweep:
    return await bed.get(Sweep, "s")


def states(found: Sweep) -> list[str]:
    return [trial.state for trial in found.status.trials]


def test_trials_run_a_few_at_a_time_and_the_best_is_told() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(), Sweep)
        await asyncio.sleep(1)
        made = await jobs(bed)
        assert sorted(made) == [0, 1]
        told = msgspec.json.decode(made[0].metadata.annotations[labels.PARAMETERS])
        command = made[0].spec.roles[0].template["spec"]["containers"][0]["command"]
        assert command == ["train", f"--x={told['x']}"]
        assert made[0].metadata.labels[labels.SWEEP] == "s"
        for number, loss in enumerate([5, 3, 4, 1, 2, 6]):
            await report(bed, number, "Succeeded", loss)
        done = await seen(bed)
        assert (done.status.phase, done.status.done) == ("Succeeded", "6/6")
        assert done.status.best is not None
        assert (done.status.best.trial, done.status.best.value) == ("s-3", 1)
        assert done.status.best.parameters == done.status.trials[3].parameters
        await report(bed, 5, "Succeeded", 0.5)  # last words come late
        assert (await seen(bed)).status.best == sweeps_best("s-5", 0.5, done)

    live(main)


def sweeps_best(trial: str, value: float, done: Sweep) -> object:
    row = done.status.trials[int(trial.partition("-")[2])]
    old = done.status.best
    assert old is not None
    return msgspec.structs.replace(old, trial=trial, value=value, parameters=row.parameters)


def test_a_grid_has_as_many_trials_as_points() -> None:
    async def main(bed: lab.Lab) -> None:
        grid = [{"name": "x", "type": "Int", "min": 1, "max": 3}]
        await bed.create(sweep(parameters=grid, algorithm={"name": "Grid"}, parallelism=9), Sweep)
        await asyncio.sleep(1)
        for number in range(3):
            await report(bed, number, "Succeeded", number)
        done = await seen(bed)
        assert [t.parameters["x"] for t in done.status.trials] == [1, 2, 3]
        assert done.status.phase == "Succeeded"

    live(main)


def test_asha_stops_those_behind() -> None:
    async def main(bed: lab.Lab) -> None:
        stop = {"minSteps": 10, "reduction": 2}
        await bed.create(sweep(earlyStop=stop, parallelism=4, maxTrials=4), Sweep)
        await asyncio.sleep(1)
        await report(bed, 0, "Running", 1.0, step=5)
        assert (await seen(bed)).status.trials[0].rungs == []
        await report(bed, 0, "Running", 1.0, step=12)
        await report(bed, 1, "Running", 2.0, step=10)
        await report(bed, 2, "Running", 0.5, step=10)
        await report(bed, 3, "Running", 0.7, step=25)
        found = await seen(bed)
        assert states(found) == ["Running", "Pruned", "Running", "Running"]
        assert found.status.trials[3].rungs == [0.7, 0.7]
        assert found.status.trials[1].message == "not among the best at step 10"
        assert sorted(await jobs(bed)) == [0, 2, 3], "what is stopped gives its hardware back"
        for number in (0, 2, 3):
            await report(bed, number, "Succeeded", 0.1 * number + 0.1, step=40)
        done = await seen(bed)
        assert (done.status.phase, done.status.best and done.status.best.trial) == (
            "Succeeded", "s-0",
        )  # fmt: skip

    live(main)


def test_a_budget_ends_it() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(budget={"gpuHours": "2"}, parallelism=1), Sweep)
        await asyncio.sleep(1)
        await report(bed, 0, "Running", 1.0)
        await asyncio.sleep(1800)
        await report(bed, 0, "Succeeded", 1.0)
        # the job's own start moved with the second report, as a restart would move it
        await report(bed, 1, "Running", 2.0)
        await asyncio.sleep(3590)
        assert (await seen(bed)).status.phase == "Running"
        await asyncio.sleep(60)
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Succeeded", "BudgetSpent")
        assert states(done) == ["Succeeded", "Stopped"]
        assert sorted(await jobs(bed)) == [0]

    live(main)


def test_too_many_failures_end_it() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(maxFailed=1), Sweep)
        await asyncio.sleep(1)
        await report(bed, 0, "Failed", None)
        await report(bed, 1, "Succeeded", None)
        assert states(await seen(bed))[:2] == ["Failed", "Running"]
        await asyncio.sleep(6)
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Failed", "TooManyFailures")
        assert "it reported no metric 'loss'" in done.status.message
        assert states(done) == ["Failed", "Failed", "Stopped"]

    live(main)


def test_suspended_with_all_its_trials() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(), Sweep)
        await asyncio.sleep(1)
        for to, phase in ((True, "Suspended"), (False, "Running")):
            await bed.patch(Sweep, "s", {"spec": {"suspend": to}})
            await asyncio.sleep(1)
            assert (await seen(bed)).status.phase == phase
            assert [j.spec.suspend for j in (await jobs(bed)).values()] == [to, to]

    live(main)


def test_a_trial_that_was_made_and_not_written_down_is_found_again() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(), Sweep)
        task = start(bed)
        await asyncio.sleep(1)
        await stop(task)
        before = await jobs(bed)
        await bed.patch(Sweep, "s", {"status": {"trials": None}}, subresource="status")
        task = start(bed)
        await asyncio.sleep(1)
        after = await jobs(bed)
        assert {n: j.metadata.uid for n, j in after.items()} == {
            n: j.metadata.uid for n, j in before.items()
        }
        assert states(await seen(bed)) == ["Running", "Running"]
        await stop(task)

    live(main, control=False)


def test_a_trial_that_somebody_deletes_is_not_made_again() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(sweep(maxTrials=3), Sweep)
        await asyncio.sleep(1)
        await bed.client(_delete("s-0"))
        await asyncio.sleep(65)
        assert states(await seen(bed)) == ["Stopped", "Running", "Running"]
        assert sorted(await jobs(bed)) == [1, 2]

    live(main)


def _delete(name: str) -> Any:
    return calls.delete(of(TrainingJob), name, "default")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"parameters": []}, "spec.parameters"),
        ({"parameters": [{"name": "x", "type": "Int", "min": 3, "max": 1}]}, "min not above max"),
        ({"parameters": [{"name": "x", "type": "Choice"}]}, "a Choice needs choices"),
        ({"parameters": [{"name": "x", "min": 0, "max": 1, "log": True}]}, "above 0"),
        ({"parameters": [{"name": "x", "min": 0, "max": 1,
                          "when": {"parameter": "y", "values": ["a"]}}]}, "another parameter"),
        ({"objective": {"metric": ""}}, "spec.objective.metric"),
        ({"objective": {"metric": "loss", "goal": "Better"}}, "spec.objective.goal"),
        ({"algorithm": {"name": "Magic"}}, "spec.algorithm.name"),
        ({"maxTrials": 0}, "spec.maxTrials"),
        ({"earlyStop": {"reduction": 1}}, "spec.earlyStop.reduction"),
        ({"budget": {"gpuHours": "much"}}, "spec.budget.gpuHours"),
    ],
)  # fmt: skip
def test_wrong_sweeps_are_refused_when_they_are_written(spec: JSON, words: str) -> None:
    async def main(bed: lab.Lab) -> None:
        with pytest.raises(ApiError, match=words):
            await bed.create(sweep(**spec), Sweep)

    live(main)


def test_a_name_that_stands_for_nothing_is_told() -> None:
    async def main(bed: lab.Lab) -> None:
        wrong = sweep()
        wrong["spec"]["template"]["spec"]["outputs"] = "/tmp/${parameters.y}"
        await bed.create(wrong, Sweep)
        await asyncio.sleep(1)
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Failed", "InvalidSpec")
        assert "${parameters.y} stands for nothing; there are ${parameters.x}" in (
            done.status.message
        )

    live(main)


def test_a_template_that_is_refused_ends_it() -> None:
    async def main(bed: lab.Lab) -> None:
        wrong = sweep()
        wrong["spec"]["template"]["spec"]["outputs"] = "here"
        await bed.create(wrong, Sweep)
        await asyncio.sleep(5)
        done = await seen(bed)
        assert (done.status.phase, done.status.reason) == ("Failed", "InvalidTemplate")
        assert "spec.outputs" in done.status.message

    live(main)
