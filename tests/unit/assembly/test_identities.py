"""A platform that is up for years lets nobody's certificate end, and touches nothing before."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

from athanor.assembly import start
from athanor.assembly.server import Server
from athanor.client import kubeconfig
from athanor.kit.clock import Clock, FixedClock, SystemClock
from athanor.local import minting
from athanor.local.validity import LIFE, RENEW

DAY = 86_400.0


def days_left(file: Path, clock: Clock) -> float:
    target = kubeconfig.load([file]).target()
    return (minting.facts(target.certificate.encode())[1] - clock.now()) / DAY


async def until(true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within a minute")


def test_a_platform_started_with_a_month_left_is_up_for_two_years(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FixedClock(SystemClock().now())
        wishes = start.Wishes(data=str(tmp_path), port=0)
        for pause in (LIFE - RENEW - DAY, 0):  # at the second start nothing has to be made
            made = start.prepare(wishes, clock)
            for descriptor in (made.lock, *made.sockets):
                os.close(descriptor)
            clock.advance(pause)
        data = made.data
        files = [data.admin, *map(data.kubeconfig, ("controllers", "gateway", "agent"))]
        assert all(30 < days_left(file, clock) < 32 for file in files)
        mine = json.loads(data.admin.read_text())
        mine["contexts"][0]["context"]["namespace"] = "lab"  # as kubectl config does
        data.admin.write_text(json.dumps(mine))
        before = {file: file.read_text() for file in files}
        server = Server(data, clock)
        await server.open([], every=0.01)
        await asyncio.sleep(0.1)
        assert before == {file: file.read_text() for file in files}
        onward = data.pki / "client-kube-apiserver-kubelet-client.crt"
        for _ in range(3):
            clock.advance(days_left(data.admin, clock) * DAY - DAY)
            await until(lambda: all(days_left(file, clock) > 300 for file in files))
            await until(lambda: minting.facts(onward.read_bytes())[1] - clock.now() > 300 * DAY)
        assert {kubeconfig.load([file]).target().server for file in files} == {made.server}
        await server.close()

    asyncio.run(main())
