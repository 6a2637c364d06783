"""`python -m athanor.local.agent`: the node agent as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from athanor.client import identity
from athanor.client.http import Http
from athanor.client.kubeconfig import load, reader
from athanor.client.protocol import Client
from athanor.client.target import Target
from athanor.kit.clock import SystemClock
from athanor.local.agent.agent import Agent
from athanor.local.agent.node import Settings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="athanor-agent", description=__doc__)
    made.add_argument("--kubeconfig", required=True)
    made.add_argument("--data", required=True, type=Path, help="the platform's data directory")
    made.add_argument("--node-name", required=True)
    made.add_argument("--simulate-gpus", default="", metavar="8xA100")
    made.add_argument("--isolation", default="best", choices=("best", "process"))
    made.add_argument(
        "--no-egress", dest="egress", action="store_false", help="no way out for pods"
    )
    made.add_argument("--allow-host-path", action="append", default=[], metavar="DIR")
    made.add_argument("--network", default="10.88.0.0/16", help="addresses for pods")
    return made


def configure(options: argparse.Namespace) -> Settings:
    """What the command line says. Raises ApiError for a kubeconfig that cannot be used."""
    target = load([options.kubeconfig]).target()
    server = urlsplit(target.server)
    data = options.data.resolve()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Settings(
        name=options.node_name, data=data, isolation=options.isolation, network=options.network,
        egress=options.egress, simulate_gpus=options.simulate_gpus, ca=target.ca,
        allowed_roots=tuple(str(Path(p).resolve()) for p in options.allow_host_path),
        api=(server.hostname or "127.0.0.1", server.port or 443),
    )  # fmt: skip


async def main(settings: Settings, who: Callable[[], Target]) -> None:
    """Run the agent until SIGTERM or SIGINT; its pods go on. `who` it is, is asked again and again.

    Raises ApiError when that cannot be said at first.
    """
    target = who()
    transport, pulse = Http(target), Http(target, connections=1)
    agent = Agent(settings, Client(transport), SystemClock(), Client(pulse))
    renewing = asyncio.ensure_future(identity.keep(who, transport, pulse))
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    renewing.cancel()
    await transport.close()
    await pulse.close()


def run() -> None:
    """The entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = parser().parse_args()
    asyncio.run(main(configure(options), reader([options.kubeconfig])))
