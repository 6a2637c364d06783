"""An agent is a node only when nobody else is it, on the real server in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from athanor.api.core import Lease
from athanor.local.agent.alone import Identity, alone, identity
from athanor.local.agent.heartbeat import Heartbeat
from athanor.local.agent.node import Joined
from athanor.testing import lab
from athanor.testing.virtual import run
from tests.unit.local.agent.test_heartbeat import node

ONE = Identity("boot", "data")


def test_a_node_that_another_machine_is_waits_until_that_is_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            here = node(world, tmp_path, [], Joined(client_ca=""))

            async def wait(me: Identity) -> None:
                await alone(here.client, here.clock, "n", me)

            await wait(ONE)
            beating = asyncio.ensure_future(Heartbeat(here, 1, here.client, ONE).run())
            await asyncio.sleep(1)
            await wait(ONE)  # it was restarted
            others = [Identity("again", "data"), Identity("boot", "other")]
            waiting = [asyncio.ensure_future(wait(other)) for other in others]
            await asyncio.sleep(600)
            assert not any(task.done() for task in waiting)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            async with asyncio.timeout(60):
                await asyncio.gather(*waiting)

    run(main)
    assert sum("--node-name NAME makes another node" in said for said in caplog.messages) == 2


def test_clocks_that_differ_make_no_two_machines_of_a_node(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            here = node(world, tmp_path, [], Joined(client_ca=""))
            await Heartbeat(here, 10250, here.client, ONE).register()
            ahead = {"spec": {"renewTime": "2099-01-01T00:00:00.000000Z"}}
            await world.patch(Lease, "n", ahead, namespace="kube-node-lease")
            began = world.clock.monotonic()
            await alone(here.client, here.clock, "n", Identity("other", "data"))
            assert 40 <= world.clock.monotonic() - began < 60

    run(main)


def test_an_agent_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = identity(tmp_path / "a")
    assert identity(tmp_path / "a") == first and first.data
    other = identity(tmp_path / "b")
    assert (other.boot, other.data != first.data) == (first.boot, True)
