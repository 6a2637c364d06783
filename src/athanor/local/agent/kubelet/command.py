"""Exec and attach: a process's streams and a client's WebSocket, joined."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from athanor.kit.http import WebSocket
from athanor.local.agent import streams
from athanor.local.agent.executed import Executed
from athanor.local.agent.kubelet import channels

_DRAIN = 1.0  # seconds that output may still come after a command has ended


async def execute(socket: WebSocket, process: Executed) -> None:
    """Carry streams until the process ends, then tell how."""
    inbound = asyncio.ensure_future(_inbound(socket, process.stdin, process.terminal))
    outbound = [
        asyncio.ensure_future(_outbound(socket, channel, reader))
        for channel, reader in process.outputs()
    ]
    ended = asyncio.ensure_future(process.ended())
    try:
        done, _ = await asyncio.wait({inbound, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended not in done and inbound.result():  # the client has gone
            await process.kill()
        code = await ended
        await asyncio.wait(outbound, timeout=_DRAIN)
        await socket.send(channels.status(channels.exited(code)))
    finally:
        await _end(inbound, ended, *outbound)
        process.close()


async def attach(
    socket: WebSocket, stdin: streams.Writer | None, log: Callable[[str], AsyncIterator[bytes]],
    tty: bool,
) -> None:  # fmt: skip
    """Follow a running container's output and feed its input."""
    names = ("stdout",) if tty else ("stdout", "stderr")

    async def follow(name: str) -> None:
        channel = channels.STDOUT if name == "stdout" else channels.STDERR
        async for data in log(name):
            await socket.send(channels.message(channel, data))

    inbound = asyncio.ensure_future(_inbound(socket, stdin, stdin.fd if stdin and tty else -1))
    outbound = [asyncio.ensure_future(follow(name)) for name in names]
    try:
        ended = asyncio.ensure_future(asyncio.wait(outbound))
        await asyncio.wait({inbound, ended}, return_when=asyncio.FIRST_COMPLETED)
        await socket.send(channels.status(channels.success()))
    finally:
        await _end(inbound, *outbound)


async def _inbound(socket: WebSocket, stdin: streams.Writer | None, terminal: int) -> bool:
    """Input, sizes, closings from the client; True when it went away."""
    while (data := await socket.receive()) is not None:
        if not data:
            continue
        channel, rest = data[0], data[1:]
        if channel == channels.STDIN and stdin is not None:
            await stdin.write(rest)
        elif channel == channels.CLOSE and rest[:1] == b"\0" and stdin is not None:
            stdin.close()
        elif channel == channels.RESIZE and terminal >= 0:
            with contextlib.suppress(msgspec.DecodeError, KeyError, OSError):
                streams.resize(terminal, *channels.size(rest))
    return True


async def _outbound(socket: WebSocket, channel: int, reader: streams.Reader) -> None:
    while data := await reader.read():
        await socket.send(channels.message(channel, data))


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks; none of them reads or writes any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
