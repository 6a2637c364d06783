"""What the agent says of its node, on the real server in virtual time."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from athanor.api.core import Node
from athanor.api.labels import GIVES_DEVICES
from athanor.api.processes import TAINT
from athanor.api.registry import of
from athanor.client.inproc import Handle
from athanor.kit.times import rfc3339
from athanor.local.agent.devices import GPU, LABELS, Devices, Simulated
from athanor.local.agent.heartbeat import ROLE, Heartbeat
from athanor.local.agent.node import Joined, Settings
from athanor.testing import lab
from athanor.testing.virtual import run
from athanor.wire import calls
from athanor.wire.request import Answer, Request
from athanor.wire.status import ApiError


def node(world: lab.Lab, folder: Path, missing: list[str], joined: Joined | None = None) -> Any:
    hello = {"isolation": "sandbox", "missing": missing, "cgroups": ["memory", "cpu", "pids"]}
    return SimpleNamespace(
        settings=Settings(name="n", data=folder, joined=joined), client=world.client,
        clock=world.clock, hello=hello, devices=Devices([]),
    )  # fmt: skip


class Switch:
    """A way to the server that is cut while `away`."""

    away = False

    def cut(self, handle: Handle) -> Handle:
        async def gate(request: Request) -> Answer:
            if self.away:
                raise ApiError("ServiceUnavailable", "no way")
            return await handle(request)

        return gate


def test_conditions_say_since_when_across_restarts_of_the_agent(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            first = rfc3339(world.clock.now())
            one = node(world, tmp_path, [])
            await Heartbeat(one, 1, one.client).register()
            await asyncio.sleep(60)
            second = rfc3339(world.clock.now())
            two = node(world, tmp_path, ["seccomp"])
            again = Heartbeat(two, 1, two.client)
            await again.register()
            since = {
                c.type: c.last_transition_time
                for c in (await world.get(Node, "n", None)).status.conditions
            }
            assert since["Ready"] == since["PIDPressure"] == first != second
            assert since["athanor.dev/WeakIsolation"] == second
            told = await world.get(Node, "n", None)
            await asyncio.sleep(60)
            await again.report()
            assert await world.get(Node, "n", None) == told
            await asyncio.sleep(300)
            await again.report()
            assert (await world.get(Node, "n", None)).metadata != told.metadata

    run(main)


def test_devices_that_are_gone_are_offered_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            one = node(world, tmp_path, [])
            one.devices = Devices([Simulated("8xA100")])
            await Heartbeat(one, 1, one.client).register()
            offering = await world.get(Node, "n", None)
            assert ROLE in offering.metadata.labels
            assert offering.status.capacity[GPU] == offering.status.allocatable[GPU] == "8"
            assert offering.metadata.labels[GIVES_DEVICES] == "true"
            await world.client(
                calls.patch(of(Node), "n", None, {"metadata": {"labels": {"rack": "r1"}}})
            )
            two = node(world, tmp_path, [])
            await Heartbeat(two, 1, two.client).register()
            now = await world.get(Node, "n", None)
            assert GPU not in now.status.capacity and GPU not in now.status.allocatable
            assert not {*LABELS, ROLE} & set(now.metadata.labels)
            assert now.metadata.labels["rack"] == "r1"

    run(main)


def test_a_disk_that_is_nearly_full_is_said_until_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            one = node(world, tmp_path, [])
            beat = Heartbeat(one, 1, one.client)
            await beat.register()
            for free, wanted in ((1, "True"), (9, "True"), (11, "False"), (6, "False")):
                disk = SimpleNamespace(total=1 << 40, free=free << 30)
                monkeypatch.setattr(shutil, "disk_usage", lambda _, disk=disk: disk)
                await beat.report()
                found = (await world.get(Node, "n", None)).status.conditions
                assert {c.type: c.status for c in found}["DiskPressure"] == wanted, free

    run(main)


def test_a_server_that_is_away_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            switch = Switch()
            one = node(world, tmp_path, [])
            beating = asyncio.ensure_future(Heartbeat(one, 1, world.connect(switch.cut)).run())
            for _ in range(2):
                await asyncio.sleep(15)
                switch.away = True
                await asyncio.sleep(3600)
                switch.away = False
            await asyncio.sleep(15)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    run(main)
    assert caplog.messages.count("heartbeat: no way") == 2


def test_who_was_away_says_that_it_is_ready_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            switch = Switch()
            one = node(world, tmp_path, [])
            beating = asyncio.ensure_future(Heartbeat(one, 1, world.connect(switch.cut)).run())
            await asyncio.sleep(15)
            switch.away = True
            await asyncio.sleep(50)
            unknown = [{"type": "Ready", "status": "Unknown"}]
            await world.patch(
                Node, "n", {"status": {"conditions": unknown}}, subresource="status", namespace=None
            )
            switch.away = False
            await asyncio.sleep(2)
            found = (await world.get(Node, "n", None)).status.conditions
            assert {c.type: c.status for c in found}["Ready"] == "True"
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    run(main)


def test_a_node_that_exists_gets_the_taint_it_is_started_with_and_loses_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:

            async def start(*taints: dict[str, str]) -> list[str]:
                one = node(world, tmp_path, [], Joined(client_ca="", taints=taints))
                await Heartbeat(one, 1, one.client).register()
                found = await world.get(Node, "n", None)
                return [taint.key for taint in found.spec.taints]

            assert await start(TAINT) == [TAINT["key"]]
            theirs = {"key": "theirs", "effect": "NoSchedule"}
            await world.patch(Node, "n", {"spec": {"taints": [theirs, TAINT]}}, namespace=None)
            assert await start() == ["theirs"]
            assert await start(TAINT) == ["theirs", TAINT["key"]]

    run(main)


def test_a_refused_node_asks_ever_more_rarely_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            refused, asked = True, 0

            def cut(handle: Handle) -> Handle:
                async def gate(request: Request) -> Answer:
                    nonlocal asked
                    asked += 1
                    if refused:
                        raise ApiError("Forbidden", "not allowed to set this label")
                    return await handle(request)

                return gate

            one = node(world, tmp_path, [])
            beat = Heartbeat(one, 1, world.connect(cut))
            beating = asyncio.ensure_future(beat.run())
            await asyncio.sleep(600)
            assert 5 < asked < 20
            assert [r.levelno for r in caplog.records if "not allowed" in r.message] == [
                logging.ERROR
            ]
            refused = False
            await asyncio.sleep(61)
            assert beat.registered.is_set()
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    run(main)
