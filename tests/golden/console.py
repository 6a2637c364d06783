"""A console on a whole cluster in this thread: the real CLI, server and controllers, virtual time.

Commands run one after another; between them nothing happens but what they themselves wait for,
or `sleep` lets happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.assembly import bootstrap
from athanor.assembly.controllers import all_controllers
from athanor.cli.root import invoke
from athanor.cli.world import World
from athanor.client.inproc import InProcess
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.visibility import Visibility
from athanor.sdk.client import Client
from athanor.sdk.drive_async import AsyncDriver
from athanor.sdk.steps import Op
from athanor.testing import lab
from athanor.testing.nodes import Life
from athanor.testing.virtual import LoopClock, VirtualLoop
from athanor.wire.request import Answer, Request


class LoopDriver:
    """Carries operations out on a loop that stands still in between."""

    def __init__(self, loop: asyncio.AbstractEventLoop, driver: AsyncDriver) -> None:
        self._loop = loop
        self._driver = driver

    def run(self, op: Op[Any]) -> Any:
        """The operation's value."""
        return self._loop.run_until_complete(self._driver.run(op))

    def iterate(self, op: Op[Any]) -> Iterator[Any]:
        """The values the operation emits."""
        values = self._driver.iterate(op)
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield self._loop.run_until_complete(anext(values))


class Console:
    """`run` a command line, read what it printed. A context manager."""

    def __init__(self, nodes: Mapping[str, JSON], lives: Mapping[str, JSON]) -> None:
        self._loop = VirtualLoop()
        self._stack = contextlib.AsyncExitStack()
        self._nodes = nodes
        self._lives = {name: Life(**life) for name, life in lives.items()}
        self._clock = LoopClock(self._loop)

    def __enter__(self) -> Console:
        self._loop.run_until_complete(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _start(self) -> None:
        planner = Planner()
        cluster = lab.cluster(
            all_controllers(planner=planner), nodes=self._nodes, script=self._life
        )
        self.lab = await self._stack.enter_async_context(cluster)
        self._visibility = Visibility(planner)
        kinds = ("Pool", "Queue", "Service", "APIService")
        wanted = [m for m in bootstrap.manifests() if m["kind"] in kinds]
        await bootstrap.ensure(self.lab.client, wanted)

    async def _answer(self, request: Request) -> Answer:
        return self._visibility.answer(request)

    def _life(self, pod: Pod) -> Life:
        return next(
            (life for name, life in self._lives.items() if name in pod.metadata.name), Life()
        )

    def _connect(self, world: World) -> Client:
        backends = {"localhost:443": self._answer}
        transport = InProcess(self.lab.server.handle, user=lab.ADMIN, backends=backends)
        driver = LoopDriver(self._loop, AsyncDriver(transport))
        return Client(driver=driver, namespace=world.namespace)

    def run(self, line: str, folder: Path) -> str:
        """What a command line prints, both streams as a person sees them, and its exit code."""
        words = shlex.split(line)
        if words[0] == "sleep":
            self._loop.run_until_complete(asyncio.sleep(float(words[1])))
            return ""
        assert words[0] == "athanor", line
        said = io.StringIO()
        env = {"HOME": str(folder), "NO_COLOR": "1", "VIRTUAL_ENV": "/venv", "COLUMNS": "100"}
        with (
            mock.patch.dict(os.environ, env, clear=False),
            contextlib.chdir(folder),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            code = invoke(words[1:], World(self._connect, self._clock))
        text = said.getvalue().replace(str(folder), "/project")
        return text + (f"(exit code {code})\n" if code else "")
