"""Events of a name are those of the object that has it now, with its gang and pods."""

from __future__ import annotations

import asyncio

from athanor.api.core import Event
from athanor.api.meta import JSON
from athanor.api.registry import find
from athanor.assembly.controllers import all_controllers
from athanor.testing import lab, virtual
from tests.unit.sdk.test_jobs import asked, broken, ready


def told(kind: str, name: str, uid: str, at: str, reason: str, api_version: str = "v1") -> JSON:
    about = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid,
             "namespace": "default"}  # fmt: skip
    return {
        "metadata": {"name": f"{name}.{reason.lower()}", "namespace": "default"},
        "involvedObject": about, "reason": reason, "message": reason, "type": "Normal",
        "firstTimestamp": at, "lastTimestamp": at,
    }  # fmt: skip


def test_a_job_of_a_name_that_was_anothers_tells_its_own_story() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), script=broken) as world:
            client = await ready(world)
            await client.submit(asked("a", workers=2, retries=0))
            await client.wait("a", timeout=600)
            first = await client.events(about="a")
            assert "Failed" in {event.reason for event in first}
            await client.delete_job("a")
            await client.wait("a", until="deleted")
            await asyncio.sleep(60)  # its gang and pods go after it
            assert [e.metadata.uid for e in await client.events(about="a")] == [
                e.metadata.uid for e in first
            ], "of what has gone all is told"
            await client.submit(asked("a", suspend=True))
            await client.wait("a", until="suspended")
            now = await client.events(about="a")
            assert {event.reason for event in now} == {"Queued", "Suspended"}
            every = await client.events(about="a", earlier=True)
            assert len(every) == len(first) + len(now)

    virtual.run(main)


def test_pods_that_have_gone_belong_to_the_job_that_is_there() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers()) as world:
            client = await ready(world)
            await client.submit(asked("a"))
            await client.wait("a", until="running")
            stamp = (await client.job("a")).metadata.creation_timestamp or ""
            for one in (
                told("Pod", "a-worker-0", "old", "2001-01-01T00:00:00Z", "Older"),
                told("Pod", "a-worker-0", "old", stamp, "Killing"),
                told("Pod", "a-worker-0", "evicted", stamp, "Evicted"),
                told("Pod", "a-b-worker-0", "other", stamp, "Other"),
                told("Pod", "a-main", "stranger", stamp, "Stranger"),
            ):
                await world.create(one, Event)
            reasons = {event.reason for event in await client.events(about="a")}
            assert {"Evicted", "Running"} <= reasons
            assert not reasons & {"Older", "Killing", "Other", "Stranger"}
            alone = await client.events(about="a", kind=find("gang"))
            assert {event.involved_object.kind for event in alone} <= {"Gang"}
            pod = await client.events(about="a-worker-0", kind=find("pod"), earlier=True)
            assert {"Older", "Killing", "Evicted"} <= {event.reason for event in pod}

    virtual.run(main)


def test_a_node_is_called_by_its_name() -> None:
    async def main() -> None:
        async with lab.cluster(all_controllers(), nodes=1) as world:
            client = await ready(world)
            (node,) = (await client.list(find("nodes")))["items"]
            name = node["metadata"]["name"]
            await world.create(told("Node", name, name, "2026-01-01T00:00:00Z", "NodeReady"), Event)
            assert [e.reason for e in await client.events(about=name)] == ["NodeReady"]

    virtual.run(main)
