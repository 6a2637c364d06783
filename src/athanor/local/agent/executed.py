"""Processes executed inside running containers: for kubectl exec, exec probes and hooks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Iterator

from athanor.api.meta import JSON
from athanor.local.agent import streams
from athanor.local.agent.supervised import Refused, Supervised

_ERROR, _OUT = 2, 1


class Executed:
    """One process with its streams. `close` when done."""

    def __init__(self, key: str, supervised: Supervised, exit_: asyncio.Future[JSON]) -> None:
        self.key = key
        self._supervised = supervised
        self._exit = exit_
        self.stdin: streams.Writer | None = None
        self.terminal = -1
        self._readers: dict[int, streams.Reader] = {}

    def take(self, names: list[str], files: list[int]) -> None:
        """The descriptors that the supervisor handed over."""
        for name, fd in zip(names, files, strict=True):
            if name == "stdin":
                self.stdin = streams.Writer(fd)
            elif name == "tty":
                self.terminal = fd
                self.stdin = streams.Writer(os.dup(fd))
                self._readers[_OUT] = streams.Reader(fd)
            else:
                self._readers[_OUT if name == "stdout" else _ERROR] = streams.Reader(fd)

    def outputs(self) -> Iterator[tuple[int, streams.Reader]]:
        """(1 for standard output or 2 for standard error, its reader)."""
        yield from self._readers.items()

    async def ended(self) -> int:
        """Wait for the exit code."""
        exit_ = await asyncio.shield(self._exit)
        return int(exit_["code"])

    async def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(Refused):
            await self._supervised.ask("signal", key=self.key, signal=int(signal.SIGKILL))

    def close(self) -> None:
        """Give the streams back."""
        if self.stdin is not None:
            self.stdin.close()
        for reader in self._readers.values():
            reader.close()


class Executor:
    """Starts processes in containers and hears of their ends."""

    def __init__(self, supervised: Supervised) -> None:
        self._supervised = supervised
        self._numbers = itertools.count(os.getpid() << 20)
        self._exits: dict[str, asyncio.Future[JSON]] = {}

    async def start(
        self, container: str, argv: list[str], *, stdin: bool = False, tty: bool = False
    ) -> Executed:
        """Run a command in the container run of that key. Raises Refused."""
        key = f"exec-{next(self._numbers)}"
        exit_: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()
        self._exits[key] = exit_
        spec = {"container": container, "argv": argv, "stdin": stdin, "tty": tty}
        try:
            answer, files = await self._supervised.ask_files("execute", key=key, spec=spec)
        except (Refused, OSError):
            self._exits.pop(key, None)
            raise
        process = Executed(key, self._supervised, exit_)
        process.take(answer["files"], files)
        return process

    async def output(self, container: str, argv: list[str], seconds: float) -> tuple[int, bytes]:
        """Exit code and output of a command. Raises Refused, TimeoutError."""
        process = await self.start(container, argv)
        said: list[bytes] = []

        async def collect(reader: streams.Reader) -> None:
            while data := await reader.read():
                said.append(data[:4096])

        collecting = asyncio.gather(*(collect(reader) for _, reader in process.outputs()))
        try:
            async with asyncio.timeout(seconds):
                code = await process.ended()
            return code, b"".join(said)[:10240]
        except TimeoutError:
            await process.kill()
            raise
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            process.close()

    def told(self, event: JSON) -> bool:
        """Take an exit event; False when it is about something else."""
        future = self._exits.pop(event["key"], None)
        if future is not None and not future.done():
            future.set_result(event["exit"])
        return future is not None or event["key"].startswith("exec-")
