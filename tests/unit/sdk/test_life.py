"""What is done to living jobs: restart, resize, move, prioritize, clone."""

from __future__ import annotations

import json

import pytest

from athanor.api.core import PriorityClass
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.assembly.controllers import all_controllers
from athanor.sdk import life
from athanor.sdk.jobs import Scope
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life
from athanor.wire.status import ApiError
from tests.unit.sdk.test_jobs import asked, ready


def test_a_life_with_everything_done_to_it() -> None:
    async def main() -> None:
        script = lambda _: Life(runs=300.0)  # noqa: E731
        async with lab.cluster(all_controllers(), script=script) as world:
            client = await ready(world)
            await world.create({"metadata": {"name": "high"}, "value": 9}, PriorityClass)
            await client.submit(asked("a", workers=2, suspend=True))
            await client.wait("a", until="queued")
            with pytest.raises(ApiError, match="athanor resume a"):
                await client.restart("a")
            await client.move("a", "default")
            with pytest.raises(ApiError, match="no queue 'nowhere'; athanor queue list"):
                await client.move("a", "nowhere")
            await client.prioritize("a", "high")
            with pytest.raises(ApiError, match="no PriorityClass 'hihg'; there are: high"):
                await client.prioritize("a", "hihg")
            assert (await client.wait("a", until="suspended")).status.phase == "Suspended"
            await client.resume("a")
            await client.wait("a", until="running")
            assert (await world.get(Gang, "a")).spec.priority_class_name == "high"
            with pytest.raises(ApiError, match="suspend it before"):
                await client.move("a", "other")
            with pytest.raises(ApiError, match="has 2 ranks already"):
                await client.resize("a", 2)
            with pytest.raises(ApiError, match="there are: worker"):
                await client.resize("a", 3, role="ps")
            with pytest.raises(ApiError, match="is not elastic"):
                await client.resize("a", 1, most=3)
            await client.restart("a")
            await client.resize("a", 1)
            await world.until(Gang, "a", lambda gang: gang.status.ready == "1/1")
            assert len(await client.ranks("a")) == 1
            done = await client.wait("a", timeout=900)
            assert (done.status.phase, done.status.retries) == ("Succeeded", 0)
            for refused in (client.restart("a"), client.suspend("a"), client.resize("a", 4)):
                with pytest.raises(ApiError, match="clone"):
                    await refused
            with pytest.raises(ApiError, match="athanor clone a"):
                await client.prioritize("a", "low")
            again = await client.clone("a", "b", changes={"scheduling": {"queue": "default"}})
            await client.submit(again)
            await client.wait("b", until="running")

    virtual.run(main)


def test_a_job_that_changes_meanwhile_is_looked_at_again() -> None:
    def read(version: str) -> JSON:
        meta = {"name": "a", "namespace": "default", "resourceVersion": version}
        spec = {"runPolicy": {"restarts": int(version)}}
        return {"metadata": meta, "spec": spec, "status": {"phase": "Running"}}

    steps = life.restart(Scope(), "a")
    next(steps)
    steps.send(read("1"))
    steps.throw(ApiError("Conflict", "the object has been modified"))
    written = steps.send(read("2"))
    body = json.loads(written.request.body)
    assert body["metadata"]["resourceVersion"] == "2"
    assert body["spec"] == {"runPolicy": {"restarts": 3}}


def test_a_clone_has_places_of_its_own_and_nothing_of_the_server() -> None:
    whole: JSON = {
        "apiVersion": "v", "kind": "TrainingJob",
        "metadata": {
            "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1",
            "labels": {"team": "x"}, "annotations": {"athanor.dev/user": "ada", "note": "y"},
        },
        "spec": {
            "framework": "jax", "suspend": True, "outputs": "/p/outputs/a",
            "checkpoints": {"enabled": True, "directory": "/c/a"},
            "runPolicy": {"restarts": 2, "backoffLimit": 1},
        },
        "status": {"phase": "Failed"},
    }  # fmt: skip
    made = life.copy(whole, "b", {"scheduling": {"queue": "q"}, "suspend": False}, {})
    assert made["metadata"] == {
        "name": "b", "namespace": "n", "labels": {"team": "x"}, "annotations": {"note": "y"}
    }  # fmt: skip
    assert made["spec"] == {
        "framework": "jax", "outputs": "/p/outputs/b", "scheduling": {"queue": "q"},
        "checkpoints": {"enabled": True, "directory": "/c/b"}, "runPolicy": {"backoffLimit": 1},
    }  # fmt: skip
    assert "status" not in made
