"""`python -m athanor.assembly.controllers`: every controller of ours; one leader at a time."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from athanor.assembly import gateway
from athanor.assembly.layout import DataDir
from athanor.assembly.models import LazyModel
from athanor.assembly.visibility import door
from athanor.client import identity
from athanor.client.http import Http
from athanor.client.kubeconfig import reader
from athanor.client.protocol import Client
from athanor.features.crons import apply as crons
from athanor.features.gangs import apply as gangs
from athanor.features.nodes import apply as nodes
from athanor.features.scheduling import apply as scheduling
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.plan import Planner
from athanor.features.sweeps import apply as sweeps
from athanor.features.training import apply as training
from athanor.features.training.build import Defaults
from athanor.features.workflows import apply as workflows
from athanor.features.workflows.artifacts import Places
from athanor.features.workspaces import apply as workspaces
from athanor.features.workspaces.build import Gateway
from athanor.kit import loop, memory, ready
from athanor.kit.clock import Clock, SystemClock
from athanor.local.agent.launch import tag
from athanor.runtime.controller import Controller
from athanor.runtime.lease import Elector
from athanor.runtime.manager import Manager

log = logging.getLogger(__name__)

LEASE = ("kube-system", "athanor-controllers")


def all_controllers(
    checkpoint_root: str = "", planner: Planner | None = None, where: Gateway | None = None,
    image: str = "host", *, stamped: bool = True,
) -> Sequence[Controller[Any]]:  # fmt: skip
    """Every controller of ours. Checkpoints go below `checkpoint_root`, or to claims without it.

    Who gives the scheduler's planner can ask it why. `image` is where our helpers are. `stamped`:
    the server writes into pods, too, who submitted them.
    """
    agent = resources.files("athanor_progress").joinpath("remote.py").read_text()
    defaults = Defaults(checkpoint_root=checkpoint_root, launch_agent=agent, image=image)
    return [
        gangs.controller(),
        gangs.adopter(stamped=stamped),
        nodes.controller(),
        scheduling.controller(planner=planner),
        scheduling.singles(),
        training.controller(defaults),
        crons.controller(),
        sweeps.controller(LazyModel()),
        workflows.controller(Places(root=checkpoint_root)),
        workspaces.controller(where),
    ]


async def work(
    client: Client, clock: Clock, data: DataDir, filled: Callable[[], None] = ready.announce
) -> None:
    """Run all controllers and the gateway until cancelled; `filled` is called when caches are."""
    async with gateway.serving(data, clock) as where:
        await _control(client, clock, data, filled, where)


async def _control(
    client: Client, clock: Clock, data: DataDir, filled: Callable[[], None], where: Gateway
) -> None:
    planner = Planner(meters=Meters(time.perf_counter), home=LEASE[0])
    controllers = all_controllers(str(data.checkpoints), planner, where)
    manager = Manager(client, controllers, clock, random.random)
    running = asyncio.ensure_future(manager.run())
    try:
        filling = asyncio.ensure_future(manager.filled())
        await asyncio.wait((filling, running), return_when=asyncio.FIRST_COMPLETED)
        filling.cancel()
        memory.settle()
        async with door(client, planner, data, clock):
            filled()
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def lead(data: DataDir) -> None:
    """Work whenever we hold the lease, until SIGTERM or SIGINT."""
    clock = SystemClock()
    who = reader([data.kubeconfig("controllers")])
    transport = Http(who())
    client = Client(transport)
    renewing = asyncio.ensure_future(identity.keep(who, transport))
    # the watchman keeps one such process at a time: a successor need not wait for the lease's end
    me = f"{socket.gethostname()}-{tag(data.root)}"
    elector = Elector(client, *LEASE, me, clock)
    task = asyncio.ensure_future(_forever(elector, clock, data))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        await elector.release()
    finally:
        renewing.cancel()
        await transport.close()


async def _forever(elector: Elector, clock: Clock, data: DataDir) -> None:
    while True:
        await elector.lead(lambda: work(elector.client, clock, data))


def main() -> int:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="athanor-controllers", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="the data directory")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    loop.run(lead(DataDir(options.data)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
