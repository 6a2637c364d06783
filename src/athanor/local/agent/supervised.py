"""The agent's side of the supervisor's socket: ask, be told of exits, receive open files.

A supervisor is first asked who it is and what it has; only when the agent has taken that in may
its workers ask for anything. What they start is therefore never mistaken for something that the
supervisor before this one had and lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.agent.launch import supervisor_command

log = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds that a fresh supervisor gets to open its socket
_AGAIN = 0.3  # seconds between two tries to start one


class Refused(Exception):
    """The supervisor could not do what was asked; the message says why."""


class Unborn(Refused):
    """A container was not started, and no exit of it will follow."""


class Gone(Refused):
    """The supervisor went away before it answered: what was asked may be done or not."""


class Met(Struct, frozen=True):
    """What a supervisor said when it was met: itself, its containers, pod → its address."""

    hello: JSON
    containers: list[JSON]
    sandboxes: dict[str, str]


class Supervised:
    """A connection that is made again when it breaks; `told` hears events."""

    def __init__(self, data: Path, gateway: str, isolation: str = "best") -> None:
        self._data = data
        self._gateway = gateway
        self._isolation = isolation
        self._path = str(data / "run" / "supervisor.sock")
        self._waiting: dict[int, asyncio.Future[JSON]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self.told: Callable[[JSON], None] = lambda event: None
        self.pid = 0

    async def connect(self, met: Callable[[Met], None]) -> None:
        """Connect, starting a supervisor when none is there; `met` hears before anyone may ask."""
        child: subprocess.Popen[bytes] | None = None
        async with asyncio.timeout(_PATIENCE):
            while (writer := await self._open()) is None:
                if child is None or child.poll() is not None:
                    # one that ends at once found another's lock: that one may be about to end
                    await asyncio.sleep(0 if child is None else _AGAIN)
                    child = self._launch()
                await asyncio.sleep(0.02)
        try:
            hello = await self._ask(writer, "hello")
            listed = await self._ask(writer, "list")
        except Refused:
            writer.close()
            raise
        self.pid = hello["pid"]
        sandboxes = {s["pod"]: s["address"] for s in listed["sandboxes"]}
        met(Met(hello, listed["containers"], sandboxes))
        if not self._reader_done.done():
            self._writer = writer

    async def run(self, met: Callable[[Met], None]) -> None:
        """Keep the connection; each new one is `met` like the first."""
        while True:
            await asyncio.wait([self._reader_done])
            log.warning("the supervisor's connection broke; connecting again")
            try:
                await self.connect(met)
            except (OSError, TimeoutError, Refused) as error:
                log.error("no supervisor: %s", error or "it did not open its socket in time")
                await asyncio.sleep(1)

    @property
    def connected(self) -> bool:
        """Whether there is a supervisor that may be asked."""
        return self._writer is not None

    async def ask(self, op: str, **arguments: object) -> JSON:
        """One request. Raises Refused."""
        if self._writer is None:
            raise Refused("the supervisor is not connected")
        return await self._ask(self._writer, op, **arguments)

    async def _ask(self, writer: asyncio.StreamWriter, op: str, **arguments: object) -> JSON:
        self._number += 1
        number = self._number
        future: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        line = json.dumps({"id": number, "op": op, **arguments})
        writer.write(line.encode() + b"\n")
        return _good(await future)

    async def ask_files(self, op: str, **arguments: object) -> tuple[JSON, list[int]]:
        """One request that is answered with open files, over a connection of its own."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, self._path)
            line = json.dumps({"id": 1, "op": op, **arguments}).encode() + b"\n"
            await loop.sock_sendall(sock, line)
            data, files = b"", list[int]()
            while True:  # news of other containers may come before the answer
                await _readable(loop, sock)
                part, fds, _, _ = socket.recv_fds(sock, 1 << 16, 8)
                files += fds
                data += part
                if not part:
                    raise Refused("the supervisor closed the connection")
                answers = [json.loads(row) for row in data.splitlines(True) if row.endswith(b"\n")]
                for answer in answers:
                    if answer.get("id") == 1:
                        return _good(answer), files
        finally:
            sock.close()

    async def close(self) -> None:
        """Disconnect; the supervisor and its pods live on."""
        if self._writer is not None:
            self._writer.close()
            await asyncio.wait([self._reader_done])

    async def _open(self) -> asyncio.StreamWriter | None:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 26)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        self._reader_done = asyncio.ensure_future(self._read(reader, writer))
        return writer

    def _launch(self) -> subprocess.Popen[bytes]:
        run = self._data / "run"
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(run / "supervisor.log", "ab") as output:
            return subprocess.Popen(
                supervisor_command(self._data, self._gateway, self._isolation),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, cwd="/",
            )  # fmt: skip

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "event" in message:
                    self.told(message)
                    continue
                future = self._waiting.pop(message["id"], None)
                if future is not None and not future.done():
                    future.set_result(message)
        except (OSError, ValueError) as error:
            log.warning("the supervisor's connection: %s", error)
        finally:
            # also while `connect` waits for a hello: a dying supervisor may still accept; and
            # nobody may ask into a connection whose answers nobody reads
            self._writer = None
            writer.close()
            waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                if not future.done():
                    future.set_result({"ok": False, "gone": True, "error": "it went away"})


def _good(answer: JSON) -> JSON:
    if answer.get("ok"):
        return answer
    why = answer.get("error", "refused")
    if answer.get("gone"):
        raise Gone(why)
    raise Unborn(why) if answer.get("unborn") else Refused(why)


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    future: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not future.done():
            future.set_result(None)

    loop.add_reader(sock.fileno(), ready)
    try:
        await future
    finally:
        loop.remove_reader(sock.fileno())
