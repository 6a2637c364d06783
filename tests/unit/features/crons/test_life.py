"""Crons on the real server in virtual time; their jobs end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from athanor.api import labels
from athanor.api.core import Event
from athanor.api.crons import Cron
from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.features.crons import apply as crons
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.testing.virtual import LoopClock
from athanor.wire.status import ApiError

Main = Callable[[lab.Lab], Coroutine[Any, Any, None]]
CONTAINER = {"name": "main", "image": "host", "command": ["true"]}
JOB: JSON = {
    "framework": "generic",
    "roles": [{"name": "worker", "template": {"spec": {"containers": [CONTAINER]}}}],
}


def cron(schedule: str = "*/10 * * * *", **spec: object) -> JSON:
    template = {"kind": "TrainingJob", "metadata": {"labels": {"a": "b"}}, "spec": JOB}
    return {
        "metadata": {"name": "c", "namespace": "default", "annotations": {labels.USER: "ann"}},
        "spec": {"schedule": schedule, "template": template, **spec},
    }


def live(main: Main, start: str = "2027-01-15T08:00") -> None:
    async def everything() -> None:
        begin = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
        bed_clock = LoopClock(asyncio.get_running_loop(), begin)
        async with lab.server(bed_clock) as bed:
            await main(bed)

    virtual.run(everything)


class Controllers:
    """The crons controller, which can be ended and started anew."""

    def __init__(self, bed: lab.Lab) -> None:
        self._bed = bed

    async def __aenter__(self) -> Controllers:
        every = [crons.controller(look=300.0)]
        manager = Manager(self._bed.connect(), every, self._bed.clock, lambda: 0.5)
        self._task = asyncio.ensure_future(manager.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def jobs(bed: lab.Lab) -> list[TrainingJob]:
    found = await bed.list(TrainingJob, "default")
    return sorted(found, key=lambda j: j.metadata.annotations.get(labels.SCHEDULED_AT, ""))


async def end(bed: lab.Lab, job: TrainingJob, phase: str = "Succeeded") -> None:
    body = {"status": {"phase": phase, "finishedAt": "2027-01-15T09:00:00Z"}}
    await bed.patch(TrainingJob, job.metadata.name, body, subresource="status")


def stamps(found: list[TrainingJob]) -> list[str]:
    return [j.metadata.annotations[labels.SCHEDULED_AT][5:16] for j in found]


def test_jobs_are_made_on_time_and_say_where_they_come_from() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron(), Cron)
        async with Controllers(bed):
            await asyncio.sleep(1301)
            found = await jobs(bed)
            assert stamps(found) == ["01-15T07:10", "01-15T07:20"]
            meta = found[0].metadata
            assert meta.labels == {"a": "b", labels.CRON: "c"}
            assert meta.annotations[labels.USER] == "ann"
            assert meta.owner_references[0].kind == "Cron"
            seen = await bed.get(Cron, "c")
            assert (seen.status.phase, seen.status.running) == ("Active", 2)
            assert seen.status.next_schedule_time == "2027-01-15T07:30:00Z"
            assert seen.status.active == [j.metadata.name for j in found]

    live(main)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("Allow", ["01-15T07:10", "01-15T07:20", "01-15T07:30"]),
        ("Forbid", ["01-15T07:10"]),
        ("Replace", ["01-15T07:30"]),
    ],
)
def test_concurrency(policy: str, expected: list[str]) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron(concurrencyPolicy=policy), Cron)
        async with Controllers(bed):
            await asyncio.sleep(1850)
            assert stamps(await jobs(bed)) == expected
            await end(bed, (await jobs(bed))[0])
            await asyncio.sleep(1)
            # what Forbid held back starts when the last one has ended
            latest = expected if policy != "Forbid" else ["01-15T07:10", "01-15T07:30"]
            assert stamps(await jobs(bed)) == latest

    live(main)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["01-15T07:40"]),
        ({"catchUp": "All"}, ["01-15T07:10", "01-15T07:20", "01-15T07:30", "01-15T07:40"]),
        ({"catchUp": "All", "startingDeadlineSeconds": 1000}, ["01-15T07:30", "01-15T07:40"]),
        ({"catchUp": "None"}, []),
        ({"startingDeadlineSeconds": 60}, []),
    ],
)
def test_what_was_missed(more: JSON, expected: list[str]) -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron(**more), Cron)
        async with Controllers(bed):
            await asyncio.sleep(5)
        await asyncio.sleep(2500)  # 07:41:45
        async with Controllers(bed):
            await asyncio.sleep(5)
            assert stamps(await jobs(bed)) == expected
            told = [e.reason for e in await bed.list(Event, "default")]
            assert ("MissedSchedule" in told) == (more.get("catchUp") != "All" or len(expected) < 4)
        async with Controllers(bed):  # planning anew makes nothing twice
            await asyncio.sleep(5)
            assert stamps(await jobs(bed)) == expected

    live(main)


def test_history_is_limited() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron(successfulHistoryLimit=2, failedHistoryLimit=1), Cron)
        async with Controllers(bed):
            for number in range(8):
                await asyncio.sleep(601 if number == 0 else 600)
                newest = (await jobs(bed))[-1]
                await end(bed, newest, "Failed" if number % 2 else "Succeeded")
            await asyncio.sleep(1)
            assert [j.status.phase for j in await jobs(bed)] == ["Succeeded", "Succeeded", "Failed"]
            seen = await bed.get(Cron, "c")
            assert seen.status.last_successful_time == "2027-01-15T09:00:00Z"

    live(main)


def test_suspended_crons_wait_and_changed_ones_follow() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron(suspend=True, catchUp="None"), Cron)
        async with Controllers(bed):
            await asyncio.sleep(1300)
            assert await jobs(bed) == []
            assert (await bed.get(Cron, "c")).status.phase == "Suspended"
            await bed.patch(Cron, "c", {"spec": {"suspend": False, "schedule": "*/2 * * * *"}})
            await asyncio.sleep(125)
            assert stamps(await jobs(bed)) == ["01-15T07:22"]

    live(main)


def test_wrong_schedules_are_refused_when_they_are_written() -> None:
    async def main(bed: lab.Lab) -> None:
        for spec, words in (
            ({"schedule": "every day"}, "spec.schedule: .*five fields"),
            ({"schedule": "0 24 * * *"}, "spec.schedule: .*five fields"),
            ({"schedule": "0 3 * * 1-5,"}, "spec.schedule: .*five fields"),
            ({"timeZone": "+02:00"}, "spec.timeZone"),
            ({"timeZone": "Europe/Berln"}, "spec.timeZone: .*Europe/Berlin or UTC"),
            ({"concurrencyPolicy": "Never"}, "spec.concurrencyPolicy"),
            ({"template": {"kind": "Pod", "spec": {}}}, "spec.template.kind"),
            ({"startingDeadlineSeconds": 0}, "spec.startingDeadlineSeconds"),
        ):
            made = cron()
            made["spec"] |= spec
            with pytest.raises(ApiError, match=words):
                await bed.create(made, Cron)
        long = cron()
        long["metadata"]["name"] = "c" * 41
        with pytest.raises(ApiError, match=r"metadata.name: .*40"):
            await bed.create(long, Cron)
        for good in ("0 3 * * 1-5", "*/5 8-18/2 1,15,L * MON-FRI", "@daily", "0 0 * JAN SUN#2"):
            made = cron(good)
            made["metadata"]["name"] = f"g{len(await bed.list(Cron))}"
            await bed.create(made, Cron)

    live(main)


def test_days_that_never_come_are_told_by_a_condition() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron("0 0 31 2 *"), Cron)
        async with Controllers(bed):
            await asyncio.sleep(1)
            seen = await bed.get(Cron, "c")
            assert seen.status.phase == "Invalid"
            assert "spec.schedule" in seen.status.conditions[0].message
            await bed.patch(Cron, "c", {"spec": {"schedule": "@daily"}})
            await asyncio.sleep(1)
            seen = await bed.get(Cron, "c")
            assert (seen.status.phase, seen.status.message) == ("Scheduled", "")
            assert seen.status.conditions[0].status == "True"

    live(main)


def test_a_template_that_is_refused_is_told_and_the_next_time_tried_again() -> None:
    async def main(bed: lab.Lab) -> None:
        wrong = cron()
        wrong["spec"]["template"]["spec"] = {**JOB, "outputs": "here"}
        await bed.create(wrong, Cron)
        async with Controllers(bed):
            await asyncio.sleep(700)
            seen = await bed.get(Cron, "c")
            assert "spec.outputs" in seen.status.message
            assert seen.status.handled_until == "2027-01-15T07:10:00Z"
            spec = {"template": {"spec": {"outputs": "/here"}}}
            await bed.patch(Cron, "c", {"spec": spec})
            await asyncio.sleep(600)
            assert stamps(await jobs(bed)) == ["01-15T07:20"]

    live(main)


def test_the_clock_goes_forward_in_the_night() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(cron("30 2 * * *", timeZone="Europe/Berlin"), Cron)
        async with Controllers(bed):
            await asyncio.sleep(6 * 3600)
            assert stamps(await jobs(bed)) == ["03-28T01:00"]

    live(main, "2027-03-28T00:00")
