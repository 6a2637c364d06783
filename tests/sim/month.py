"""A month of crons in virtual time, over a change of the clock, with controllers that die."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from athanor.api import labels
from athanor.api.crons import Cron
from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.features.crons import apply as crons
from athanor.kit.times import rfc3339
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.testing.virtual import LoopClock

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2027, 3, 1, 12, 0, tzinfo=ZONE)
"""The clock goes forward on the 28th."""

SCHEDULES = {"nightly": "30 2 * * *", "weekdays": "0 9 * * MON-FRI", "often": "0 */6 * * *"}


def expected(days: int) -> dict[str, list[str]]:
    """Every run by the calendar, counted by hand: day by day, not with the code under test."""
    found: dict[str, list[str]] = {name: [] for name in SCHEDULES}
    end = START + timedelta(days=days)
    for offset in range(days + 2):
        day = (START + timedelta(days=offset)).date()
        gap = day == datetime(2027, 3, 28).date()
        times = {"nightly": [3.0 if gap else 2.5], "often": [0.0, 6.0, 12.0, 18.0]}
        times["weekdays"] = [9.0] if day.weekday() < 5 else []
        for name, hours in times.items():
            for hour in hours:
                at = datetime(day.year, day.month, day.day, int(hour), int(hour % 1 * 60),
                              tzinfo=ZONE)  # fmt: skip
                if START.timestamp() < at.timestamp() <= end.timestamp():
                    found[name].append(rfc3339(at.timestamp()))
    return {name: sorted(stamps) for name, stamps in found.items()}


def live(days: int, seed: int = 0) -> dict[str, list[str]]:
    """The times of all runs that were made, by cron; jobs end after some minutes."""
    made: list[tuple[str, str]] = []

    async def everything() -> None:
        clock = LoopClock(asyncio.get_running_loop(), START.timestamp())
        async with lab.server(clock, seed=seed) as bed:
            bed.server.core.observers.append(
                lambda served, old, new: _note(made, served.resource.kind, old, new)
            )
            for name, schedule in SCHEDULES.items():
                await bed.create(_cron(name, schedule), Cron)
            tasks = [asyncio.ensure_future(_controllers(bed, random.Random(seed)))]
            tasks.append(asyncio.ensure_future(_jobs(bed)))
            await asyncio.sleep(days * 86400 + 5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    virtual.run(everything)
    assert max(Counter(made).values()) == 1, "a run is made once"
    return {name: sorted(at for n, at in made if n == name) for name in SCHEDULES}


def _note(made: list[tuple[str, str]], kind: str, old: JSON | None, new: JSON | None) -> None:
    if kind == "TrainingJob" and old is None and new is not None:
        meta = new["metadata"]
        made.append((meta["labels"][labels.CRON], meta["annotations"][labels.SCHEDULED_AT]))


def _cron(name: str, schedule: str) -> JSON:
    container = {"name": "main", "image": "host", "command": ["true"]}
    roles = [{"name": "worker", "template": {"spec": {"containers": [container]}}}]
    template = {"spec": {"framework": "generic", "roles": roles}}
    spec = {"schedule": schedule, "timeZone": "Europe/Berlin", "template": template}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def _controllers(bed: lab.Lab, dice: random.Random) -> None:
    """Controllers that are ended and started anew, every few hours, sometimes for long."""
    while True:
        manager = Manager(bed.connect(), [crons.controller(look=3600.0)], bed.clock, dice.random)
        task = asyncio.ensure_future(manager.run())
        try:
            await asyncio.sleep(dice.expovariate(1 / 20000))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(dice.choice([0.0, 1.0, 600.0, 7000.0]))


async def _jobs(bed: lab.Lab) -> None:
    """Jobs end after a quarter of an hour."""
    while True:
        await asyncio.sleep(900)
        for job in await bed.list(TrainingJob, "default"):
            if job.status.phase == "Pending":
                body = {"status": {"phase": "Succeeded", "finishedAt": rfc3339(bed.clock.now())}}
                await bed.patch(TrainingJob, job.metadata.name, body, subresource="status")
