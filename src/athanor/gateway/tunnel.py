"""One way into one workspace: a socket file of ours that leads to its program's port.

The file lies in a folder that only we may enter; nothing listens on any network.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from athanor.client.portforward import PortForward
from athanor.kit.onward import Onward

log = logging.getLogger(__name__)


class Tunnel:
    """Requests to one pod's program, over connections through the API server."""

    def __init__(
        self, forward: PortForward, where: tuple[str, str, int], file: Path,
        sent: Callable[[], None],
    ) -> None:  # fmt: skip
        """`where`: namespace, pod, port. `sent` is called when bytes go to the program."""
        self._forward = forward
        self._where = where
        self._file = file
        self._sent = sent
        self._server: asyncio.Server | None = None
        self.onward = Onward(unix=str(file))

    async def open(self) -> None:
        """Begin to listen."""
        self._file.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._file)

    async def close(self) -> None:
        """End all connections."""
        await self.onward.close()
        if self._server is not None:
            self._server.close()
        self._file.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        namespace, pod, port = self._where
        try:
            await self._forward.pipe(namespace, pod, port, (reader, writer), self._sent)
        except OSError as error:
            log.info("%s", error)
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()
