"""How long gangs run is learned from those that ended, end to end: seen in the next admission."""

import asyncio

from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.core.history import REFRESH
from athanor.features.scheduling.runtimes import SAVE_EVERY
from athanor.kit.times import parse_rfc3339
from athanor.runtime.manager import Manager
from athanor.testing.lab import Lab, cluster
from athanor.testing.nodes import Life
from athanor.testing.virtual import run
from athanor.wire import calls

NODE = {"cpu": "32", "memory": "64Gi", "pods": "50"}
RUNS = 100.0


def gang(name: str) -> JSON:
    asks = {"requests": {"cpu": "1"}}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    meta: JSON = {"name": name, "namespace": "default", "annotations": {"athanor.dev/user": "ann"}}
    sets = [{"name": "worker", "count": 1, "template": template}]
    return {"metadata": meta, "spec": {"podSets": sets, "queue": "team"}}


async def expected(lab: Lab, name: str) -> float | None:
    """Seconds that a gang is expected to run, as its admission says."""
    await lab.create(gang(name), Gang)
    made = (await lab.until(Gang, name, lambda g: g.status.admission is not None)).status.admission
    if made is None or made.expected_end is None:
        return None
    return parse_rfc3339(made.expected_end) - parse_rfc3339(made.admitted_at)


def test_what_ended_gangs_taught_is_expected_of_the_next_and_survives_a_restart() -> None:
    async def main() -> None:
        lives = {"node-0": NODE}
        async with cluster([gangs()], nodes=lives, script=lambda _: Life(runs=RUNS)) as lab:
            await lab.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
            await lab.create({"metadata": {"name": "team"}, "spec": {}}, Queue)
            scheduler = start(lab)
            assert await expected(lab, "eval-0") is None
            for number in range(1, 12):
                await lab.create(gang(f"eval-{number}"), Gang)
            await lab.until(Gang, "eval-11", lambda g: g.status.phase == "Succeeded", within=600)
            await asyncio.sleep(REFRESH)
            learned = await expected(lab, "eval-12")
            assert learned is not None and 0.7 * RUNS < learned < 1.5 * RUNS
            await asyncio.sleep(2 * SAVE_EVERY)
            told = (await lab.get(Queue, "team", None)).status.runtimes
            assert "ann" not in str(told) and "eval" not in str(told)
            scheduler.cancel()
            await asyncio.gather(scheduler, return_exceptions=True)
            for number in range(13):
                await lab.client(calls.delete(of(Gang), f"eval-{number}", "default"))
            scheduler = start(lab)
            again = await expected(lab, "eval-13")
            assert again is not None and 0.7 * RUNS < again < 1.5 * RUNS
            scheduler.cancel()
            await asyncio.gather(scheduler, return_exceptions=True)

    run(main)


def start(lab: Lab) -> asyncio.Task[None]:
    manager = Manager(lab.connect(), [scheduling()], lab.clock, lab.dice.random)
    return asyncio.ensure_future(manager.run())
