"""The faults: each a coroutine that makes trouble for a while, and returns when it is over."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from athanor.api import core
from athanor.api.registry import of
from athanor.wire import calls
from bench.cluster.plane import HOME
from tests.conformance.faults.door import Jam
from tests.conformance.faults.trial import LEASE, Trial

Fault = Callable[[Trial], Awaitable[None]]


async def server_killed(t: Trial) -> None:
    """kube-apiserver crashes and comes back."""
    process = t.made.processes["kube-apiserver"]
    t.made.kill("kube-apiserver")
    await asyncio.sleep(t.dice.uniform(0, 4))
    await asyncio.to_thread(t.made.again, process, "kube-apiserver")


async def etcd_paused(t: Trial) -> None:
    """etcd stands still for 30 seconds."""
    pid = t.made.processes["etcd"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(30)
    finally:
        os.kill(pid, signal.SIGCONT)


def jammed(jam: Jam, least: float, most: float) -> Fault:
    """The doors of both replicas are jammed for a while."""

    async def fault(t: Trial) -> None:
        for door in t.doors.values():
            door.set(jam)
        await asyncio.sleep(t.dice.uniform(least, most))
        for door in t.doors.values():
            door.set("")

    return fault


async def flapping(t: Trial) -> None:
    """Connections are cut again and again."""
    for _ in range(t.dice.randint(3, 8)):
        door = t.doors[t.dice.choice(sorted(t.doors))]
        door.set("shut")
        await asyncio.sleep(t.dice.uniform(0, 1.5))
        door.set("")
        await asyncio.sleep(t.dice.uniform(0, 1.5))


def leader_jammed(jam: Jam) -> Fault:
    """Whoever leads hears, or is heard by, nobody for longer than his lease."""

    async def fault(t: Trial) -> None:
        leader = await t.leader()
        t.doors[leader].set(jam)
        await asyncio.sleep(t.dice.uniform(5, 25))
        t.doors[leader].set("")

    return fault


async def leader_killed(t: Trial) -> None:
    """The leader is killed between the writes of one plan."""
    leader = await t.leader()
    left = t.dice.randint(1, 12)
    killed = asyncio.Event()

    def passed(method: str, path: str) -> None:
        nonlocal left
        left -= method != "GET" and "/leases/" not in path
        if left == 0:
            t.made.processes[leader].kill()
            killed.set()

    t.doors[leader].passed = passed
    try:
        async with asyncio.timeout(10):
            await killed.wait()
    except TimeoutError:  # nothing was left to write
        t.made.processes[leader].kill()
    t.made.kill(leader)


async def leader_stopped(t: Trial) -> None:
    """The leader's process stands still until another leads, and goes on as if nothing was."""
    leader = await t.leader()
    pid = t.made.processes[leader].pid
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(t.dice.uniform(14, 24))
    os.kill(pid, signal.SIGCONT)


async def two_leaders(t: Trial) -> None:
    """The lease is given to the other, or is gone, while the leader works."""
    for _ in range(3):
        leader = await t.leader()
        if t.dice.random() < 0.5:
            await t.client(calls.delete(of(core.Lease), LEASE, HOME))
        else:
            other = next(name for name in t.doors if name != leader)
            body = {"spec": {"holderIdentity": other}}
            await t.client(calls.patch(of(core.Lease), LEASE, HOME, body))
        await asyncio.sleep(t.dice.uniform(1, 6))


async def node_parted(t: Trial) -> None:
    """A node is cut off for so long that it is given up, and comes back with what it ran."""
    name = t.dice.choice(sorted(t.wires))
    t.parted.add(name)
    t.wires[name].cut()
    await asyncio.sleep(t.dice.uniform(20, 60))
    t.wires[name].restore()


FAULTS: Mapping[str, Fault] = {
    "API server killed": server_killed,
    "etcd paused 30 s": etcd_paused,
    "429 for everything": jammed("busy", 5, 15),
    "410 for every watch": jammed("expired", 5, 15),
    "connections cut": flapping,
    "requests lost": leader_jammed("deaf"),
    "answers lost": leader_jammed("mute"),
    "leader killed in mid-plan": leader_killed,
    "leader stopped": leader_stopped,
    "two leaders": two_leaders,
    "node parted": node_parted,
}
SKEWED = 60.0
"""Seconds between the clocks of the replicas, in every second trial."""
