"""`python -m athanor.assembly.together`: server, controllers and agent in one process.

For small machines and tests. Controllers and agent are the same identities as in processes of
their own, with the same rights; only the way to the server is shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence

from athanor.assembly import identities
from athanor.assembly.controllers import work
from athanor.assembly.layout import DataDir
from athanor.assembly.server import Server, adopted
from athanor.assembly.watchman import GIVE_UP
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.kit import loop
from athanor.kit.clock import SystemClock
from athanor.local.agent import main as agents
from athanor.local.agent.agent import Agent
from athanor.local.store.model import StoreError
from athanor.wire.request import User


async def serve(options: argparse.Namespace, sockets: Sequence[socket.socket]) -> None:
    """Everything until SIGTERM or SIGINT; the first part that fails ends all."""
    data, clock = DataDir(options.data), SystemClock()
    server = Server(data, clock)
    settings = agents.configure(options)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    tasks: list[asyncio.Task[object]] = []
    try:
        await server.open(sockets)
        parts = {
            part: Client(InProcess(server.api.handle, user=User(name=name, groups=groups)))
            for part, (name, groups) in identities.of(settings.name).items()
        }
        agent = Agent(settings, parts["agent"], clock)
        tasks = [
            asyncio.ensure_future(work(parts["controllers"], clock, data, _quiet)),
            asyncio.ensure_future(agent.run()),
            asyncio.ensure_future(ended.wait()),
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.close()


def _quiet() -> None:
    """The agent speaks for all: it is ready last."""


def main() -> int:
    """Read the command line and serve."""
    parser = agents.parser()
    parser.prog = "athanor-together"
    parser.add_argument("--sockets", required=True, help="descriptors of listening sockets")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        loop.run(serve(options, adopted(options.sockets)))
    except StoreError as error:
        print(error, file=sys.stderr)
        return GIVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
