"""The agent's side of the supervisor's socket: ask, be told of exits, receive open files."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from athanor.api.meta import JSON
from athanor.local.agent.launch import supervisor_command

log = logging.getLogger(__name__)
_PATIENCE = 10.0  # seconds that a fresh supervisor gets to open its socket


class Refused(Exception):
    """The supervisor could not do what was asked; the message says why."""


class Supervised:
    """A connection that is made again when it breaks; `told` hears events, `back` reconnections."""

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

    async def connect(self) -> JSON:
        """Connect, starting a supervisor when none is there; returns its `hello`."""
        if not await self._open():
            self._launch()
            async with asyncio.timeout(_PATIENCE):
                while not await self._open():  # noqa: ASYNC110 - another process, no event
                    await asyncio.sleep(0.02)
        hello = await self.ask("hello")
        self.pid = hello["pid"]
        return hello

    async def run(self, back: Callable[[JSON], None]) -> None:
        """Keep the connection; call `back` with the new `hello` after each loss."""
        while True:
            await self._reader_done
            log.warning("the supervisor's connection broke; connecting again")
            try:
                back(await self.connect())
            except (OSError, TimeoutError, Refused) as error:
                log.error("no supervisor: %s", error)
                await asyncio.sleep(1)

    async def ask(self, op: str, **arguments: Any) -> JSON:
        """One request. Raises Refused."""
        if self._writer is None or self._writer.is_closing():
            raise Refused("the supervisor is not connected")
        self._number += 1
        number = self._number
        future: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        line = json.dumps({"id": number, "op": op, **arguments})
        self._writer.write(line.encode() + b"\n")
        return _good(await future)

    async def ask_files(self, op: str, **arguments: Any) -> tuple[JSON, list[int]]:
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

    async def _open(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 26)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        self._writer = writer
        self._reader_done = asyncio.ensure_future(self._read(reader))
        return True

    def _launch(self) -> None:
        run = self._data / "run"
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(run / "supervisor.log", "ab") as output:
            subprocess.Popen(
                supervisor_command(self._data, self._gateway, self._isolation),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, cwd="/",
            )  # fmt: skip

    async def _read(self, reader: asyncio.StreamReader) -> None:
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
            # also while `connect` waits for a hello: a dying supervisor may still accept
            self._fail("the supervisor went away")

    def _fail(self, why: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_result({"ok": False, "error": why})


def _good(answer: JSON) -> JSON:
    if not answer.get("ok"):
        raise Refused(answer.get("error", "refused"))
    return answer


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


def close_all(files: list[int]) -> None:
    """Close descriptors that nobody wants after all."""
    for fd in files:
        os.close(fd)
