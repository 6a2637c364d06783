"""Opens the way out for pods, and starts the process that carries it when one of them knocks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence

from athanor.local.agent.launch import outward_command
from athanor.local.agent.supervised import Refused, Supervised

log = logging.getLogger(__name__)
PORT = 3128  # at the gateway, where connections to elsewhere arrive
_REST = 1.0  # seconds until it is started again


class Egress:
    """The gateway's sockets for the world. `missing` says why there is no way out, or ""."""

    def __init__(
        self, supervised: Supervised, gateway: str, network: str, name_servers: Sequence[str] = ()
    ) -> None:
        """`name_servers`: "ADDRESS:PORT", instead of this machine's."""
        self._supervised = supervised
        self._gateway = gateway
        self._network = network
        self._name_servers = name_servers
        self._sockets: list[int] = []
        self._carrier: asyncio.Task[None] | None = None
        self.missing = ""

    async def open(self) -> None:
        """Divert what pods send elsewhere, and listen; again after a supervisor was replaced."""
        await self.close()
        try:
            await self._supervised.ask("divert", network=self._network, port=PORT)
            for port, udp in ((PORT, False), (53, False), (53, True)):
                _, files = await self._supervised.ask_files(
                    "listen", address=self._gateway, port=port, udp=udp
                )
                self._sockets += files
        except (Refused, OSError) as error:
            self.missing = f"egress: pods reach no other machine: {error}"
            log.warning("%s", self.missing)
            return
        self.missing = ""
        self._carrier = asyncio.ensure_future(self._carry())

    async def close(self) -> None:
        """End it, with the connections that are open."""
        if self._carrier is not None:
            self._carrier.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._carrier
            self._carrier = None
        for fd in self._sockets:
            os.close(fd)
        self._sockets = []

    async def _carry(self) -> None:
        """Wait for somebody who wants out, let the process work, wait again."""
        while True:
            await self._knock()
            process = await asyncio.create_subprocess_exec(
                *outward_command(self._sockets, self._name_servers),
                pass_fds=self._sockets, cwd="/", stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
            if code:
                log.warning("the way out ended with exit code %d", code)
            await asyncio.sleep(_REST if code else 0)

    async def _knock(self) -> None:
        loop = asyncio.get_running_loop()
        knocked: asyncio.Future[None] = loop.create_future()
        for fd in self._sockets:
            loop.add_reader(fd, _tell, knocked)
        try:
            await knocked
        finally:
            for fd in self._sockets:
                loop.remove_reader(fd)


def _tell(knocked: asyncio.Future[None]) -> None:
    if not knocked.done():
        knocked.set_result(None)
