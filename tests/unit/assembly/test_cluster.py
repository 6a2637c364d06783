"""What runs on a cluster beside Kubernetes' own controllers."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from athanor.api import labels, reach
from athanor.api.core import Pod, Secret
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Queue
from athanor.api.workspaces import Workspace
from athanor.assembly.cluster import LAPTOP_ONLY, Replica, Seat
from athanor.assembly.cluster_gateway import shared_secret
from athanor.assembly.controllers import all_controllers
from athanor.features.workspaces.build import TOKEN
from athanor.kit import memory
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual


def test_what_a_cluster_has_itself_is_named_as_the_controllers_are() -> None:
    assert {one.name for one in all_controllers()} >= LAPTOP_ONLY


def samples(replica: Replica) -> set[str]:
    """What a replica publishes, without the values."""
    lines = replica.told().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


@contextmanager
def restored() -> Iterator[None]:
    """What a replica does to the garbage collection of its process is undone."""
    often = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*often)


@pytest.fixture
def collection() -> Iterator[None]:
    """What these tests do to the process is undone."""
    with restored():
        yield


@pytest.mark.usefixtures("collection")
def test_a_lost_lease_leaves_no_caches_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What start-up made is kept from the garbage collector while a replica leads, not longer."""
    terms: list[weakref.ref[Manager]] = []
    left: list[bool] = []

    async def main() -> None:
        async with lab.server() as bed:
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)

            async def lead(work: Callable[[], Awaitable[None]]) -> None:
                if terms:
                    left.append(terms[0]() is not None)
                    raise asyncio.CancelledError
                controllers = all_controllers()
                terms.append(weakref.ref(Manager(bed.client, controllers, bed.clock, lambda: 0.5)))
                memory.settle()

            monkeypatch.setattr(replica.elector, "lead", lead)
            with pytest.raises(asyncio.CancelledError):
                await replica.run()

    virtual.run(main)
    assert left == [False]


@pytest.mark.usefixtures("collection")
def test_a_secret_that_was_deleted_stops_no_scheduling(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with lab.server() as bed:
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)
            running = asyncio.ensure_future(replica.run())
            await asyncio.sleep(60)
            assert not running.done() and "athanor_leader 1" in replica.told().decode()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    virtual.run(main)
    assert "nobody looks after workspaces" in caplog.text


@pytest.mark.usefixtures("collection")
def test_workspaces_have_a_secret_before_the_gateway_has_an_address() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            await bed.create(
                {"metadata": {"name": "athanor-gateway", "namespace": "default"}}, Secret
            )
            await bed.create(
                {"metadata": {"name": "w", "namespace": "default"}, "spec": {}}, Workspace
            )
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)
            running = asyncio.ensure_future(replica.run())
            await asyncio.sleep(60)
            gang = await bed.get(Gang, "ws-w")
            container: JSON = gang.spec.pod_sets[0].template["spec"]["containers"][0]
            env = {one["name"]: one["value"] for one in container["env"]}
            secret = await shared_secret(bed.client, "default")
            uid = (await bed.get(Workspace, "w")).metadata.uid
            assert env[TOKEN] == reach.token(secret, uid) != reach.token("", uid)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    virtual.run(main)


@pytest.mark.usefixtures("collection")
def test_who_leads_publishes_what_its_controllers_count_and_who_stands_by_does_not() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)
            assert samples(replica) == {"athanor_leader"}
            await bed.create({"metadata": {"name": "q"}, "spec": {}}, Queue)
            running = asyncio.ensure_future(replica.run())
            await asyncio.sleep(60)
            queues = 'athanor_gangs_waiting{queue="q"}'
            errors = 'athanor_errors_total{controller="training"}'
            assert samples(replica) >= {queues, errors, "athanor_watch_troubles_total"}
            assert "athanor_leader 1" in replica.told().decode()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert not samples(replica) & {queues, errors, "athanor_watch_troubles_total"}
            assert "athanor_leader 0" in replica.told().decode()

    virtual.run(main)


@pytest.mark.usefixtures("collection")
def test_pods_of_others_do_not_say_there_whose_they_are() -> None:
    """No server writes it into them on a cluster: whoever says it could use up another's limit."""

    async def main() -> None:
        async with lab.server() as bed:
            replica = Replica(bed.client, Seat(identity="a", namespace="default"), bed.clock)
            running = asyncio.ensure_future(replica.run())
            meta = {"name": "p", "namespace": "default", "annotations": {labels.USER: "somebody"}}
            box = {"name": "main", "image": "busybox"}
            spec = {"schedulerName": "athanor", "containers": [box]}
            await bed.create({"metadata": meta, "spec": spec}, Pod)
            await asyncio.sleep(60)
            found = await bed.list(Gang)
            assert [labels.USER in gang.metadata.annotations for gang in found] == [False]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    virtual.run(main)
