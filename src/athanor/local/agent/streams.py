"""File descriptors of processes as asynchronous byte streams."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

_CHUNK = 1 << 16


class Reader:
    """Reads a pipe or a terminal; owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_blocking(fd, False)

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        while True:
            try:
                return os.read(self.fd, _CHUNK)
            except BlockingIOError:
                await _ready(self.fd, write=False)
            except OSError:
                return b""  # EIO: the terminal's other end is closed

    def close(self) -> None:
        """Give the descriptor back."""
        with contextlib.suppress(OSError):
            os.close(self.fd)


class Writer:
    """Writes a pipe or a terminal; owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._open = True
        os.set_blocking(fd, False)

    async def write(self, data: bytes) -> None:
        """All of it; nothing when the other side has closed."""
        while data and self._open:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                await _ready(self.fd, write=True)
            except OSError:
                self.close()

    def close(self) -> None:
        """Give the descriptor back: the process sees the end of its input."""
        if self._open:
            self._open = False
            os.close(self.fd)


def resize(fd: int, width: int, height: int) -> None:
    """Tell a terminal its size in characters."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


async def _ready(fd: int, *, write: bool) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def go() -> None:
        if not future.done():
            future.set_result(None)

    (loop.add_writer if write else loop.add_reader)(fd, go)
    try:
        await future
    finally:
        (loop.remove_writer if write else loop.remove_reader)(fd)
