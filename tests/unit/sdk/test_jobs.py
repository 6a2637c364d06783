"""Operations on the real server, controllers and simulated nodes, in virtual time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from athanor import AsyncClient
from athanor.api import reach
from athanor.api.core import Node, PersistentVolumeClaim
from athanor.api.scheduling import Gang
from athanor.assembly import bootstrap
from athanor.assembly.controllers import all_controllers
from athanor.cli import overview
from athanor.sdk.drive_async import AsyncDriver
from athanor.sdk.jobs import WaitTimeout
from athanor.sdk.submission import Submission
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire.status import ApiError


def client_of(world: lab.Lab) -> AsyncClient:
    return AsyncClient(driver=AsyncDriver(world.client.transport))


async def ready(world: lab.Lab) -> AsyncClient:
    wanted = [m for m in bootstrap.manifests() if m["kind"] in ("Pool", "Queue")]
    await bootstrap.ensure(world.client, wanted)
    return client_of(world)


def asked(name: str, **more: object) -> Submission:
    return Submission(**{"framework": "generic", "name": name, "command": ["x"], **more})


def short(pod: object) -> Life:
    return Life(runs=5.0)


def broken(pod: object) -> Life:
    return Life(runs=1.0, exit_code=3, reason="Error")


def test_a_job_is_submitted_waited_for_and_listed() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), script=short) as world:
            client = await ready(world)
            made = await client.submit(asked("a", workers=2))
            assert made.metadata.name == "a"
            running = await client.wait("a", until="running")
            assert running.status.phase == "Running"
            done = await client.wait("a", timeout=60)
            assert done.status.phase == "Succeeded"
            assert [job.metadata.name for job in await client.list_jobs()] == ["a"]
            said = await client.why("a")
            assert said.phase == "Succeeded"

    virtual.run(main)


def test_a_failing_job_says_who_failed_first_and_how() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), script=broken) as world:
            client = await ready(world)
            await client.submit(asked("b", retries=0))
            done = await client.wait("b", timeout=60)
            assert done.status.phase == "Failed"
            said = await client.why("b")
            assert "worker-0 failed first: exit code 3" in said.headline

    virtual.run(main)


def test_a_job_that_never_fits_says_so() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), script=short) as world:
            client = await ready(world)
            await client.submit(asked("c", cpu="1000"))
            with pytest.raises(WaitTimeout) as late:
                await client.wait("c", timeout=3)
            assert late.value.job.status.phase == "Queued"
            assert "NeverFits" in (await client.why("c")).headline

    virtual.run(main)


def test_suspend_gives_the_hardware_back_and_resume_takes_it_again() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            await client.submit(asked("d"))
            await client.wait("d", until="running", timeout=60)
            await client.suspend("d")
            for _ in range(100):
                if (await client.job("d")).status.phase == "Suspended":
                    break
                await asyncio.sleep(1)
            assert (await client.job("d")).status.phase == "Suspended"
            await client.resume("d")
            again = await client.wait("d", until="running", timeout=60)
            assert again.status.phase == "Running"

    virtual.run(main)


def test_waiting_for_a_job_that_is_deleted_ends() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            await client.submit(asked("e"))
            await client.wait("e", until="running", timeout=60)
            await client.delete_job("e")
            gone = await client.wait("e", until="deleted", timeout=60)
            assert gone.metadata.name == "e"
            with pytest.raises(ApiError, match="not found"):
                await client.wait("e")

    virtual.run(main)


def test_the_data_of_a_job_goes_with_it_unless_it_is_kept() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            for name in ("taken", "kept"):
                await client.submit(asked(name, outputs=f"/srv/outputs/{name}"))
                await client.wait(name, until="running", timeout=60)
            claims = {name: [f"{name}-checkpoints"] for name in ("taken", "kept")}
            assert await client.job_claims() == claims
            assert await client.keep_data("kept") == ["kept-checkpoints"]
            assert await client.keep_data("kept") == []
            assert await client.job_claims() == {"taken": ["taken-checkpoints"]}
            for name in claims:
                await client.delete_job(name)
                await client.wait(name, until="deleted", timeout=60)
            await asyncio.sleep(120)
            left = await world.list(PersistentVolumeClaim, "default")
            assert [claim.metadata.name for claim in left] == ["kept-checkpoints"]

    virtual.run(main)


def test_simulated_gpus_are_called_so_when_a_job_waits_for_them() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            await client.submit(asked("g", gpus="1"))
            await client.wait("g", until="queued", timeout=60)
            await world.until(Gang, "g", lambda gang: bool(gang.status.reasons))
            real = await client.why("g")
            assert "gpu" in real.headline and "the GPUs here are simulated" not in real.facts
            marks = {"metadata": {"labels": {"athanor.dev/simulated-gpus": "true"}}}
            await world.patch(Node, "node-0", marks, namespace=None)
            assert "the GPUs here are simulated" in (await client.why("g")).facts

    virtual.run(main)


def test_lines_say_what_the_jobs_say() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            await client.submit(asked("b", workers=2))
            await client.submit(asked("a", suspend=True, min_workers=1, max_workers=4))
            await client.resize("a", 1, most=3)
            await client.wait("b", until="running")
            jobs, lines = await client.list_jobs(), await client.job_lines()
            shown: Any = SimpleNamespace(clock=world.clock)
            for wide in (True, False):
                rows = [overview.rows(shown, x, True, wide) for x in (jobs, lines)]
                assert rows[0] == rows[1]
                assert [row[4] for row in sorted(rows[0])] == ["0/3", "2/2"]
            assert sorted(line.metadata.name for line in lines) == ["a", "b"]
            assert await client.job_lines(namespace="other") == []

    virtual.run(main)


def test_a_workspace_has_ranks_and_an_explanation() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            container = {"name": "main", "image": "host", "command": ["serve"]}
            pods = [{"name": "main", "template": {"spec": {"containers": [container]}}}]
            meta = {"name": reach.workspace_gang("web"), "namespace": "default"}
            await world.create({"metadata": meta, "spec": {"podSets": pods}}, Gang)
            await world.until(Gang, "ws-web", lambda gang: gang.status.phase == "Running")
            assert [pod.metadata.name for pod in await client.ranks("web")] == [reach.pod("web")]
            assert (await client.why("web")).phase == "Running"
            with pytest.raises(ApiError, match="not found"):
                await client.why("nothing")

    virtual.run(main)
