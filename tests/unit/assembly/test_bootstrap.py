"""The objects a cluster starts with: created once, ours kept current, other people's left alone."""

from __future__ import annotations

from athanor.api.registry import find
from athanor.assembly import bootstrap, rights
from athanor.testing import lab, virtual
from athanor.wire import calls


def test_all_are_created_once_and_then_left_alone() -> None:
    async def main() -> None:
        async with lab.server() as world:
            assert await bootstrap.ensure(world.client, bootstrap.manifests()) > 5
            assert await bootstrap.ensure(world.client, bootstrap.manifests()) == 0

    virtual.run(main)


def test_ours_are_brought_up_to_date_theirs_are_not() -> None:
    async def main() -> None:
        async with lab.server() as world:
            await bootstrap.ensure(world.client, bootstrap.manifests())
            roles, queues = find("clusterroles"), find("queues")
            assert roles is not None
            assert queues is not None
            name = "athanor:controllers"
            await world.client(calls.patch(roles, name, None, {"rules": []}))
            body = {"spec": {"ordering": "StrictFIFO"}}
            await world.client(calls.patch(queues, "default", None, body))
            assert await bootstrap.ensure(world.client, bootstrap.manifests()) == 1
            role = await world.client(calls.raw("GET", roles.path(None, name)))
            assert role["rules"] == rights.rules([*rights.controllers(), *rights.laptop()])
            queue = await world.client(calls.raw("GET", queues.path(None, "default")))
            assert queue["spec"]["ordering"] == "StrictFIFO"

    virtual.run(main)
