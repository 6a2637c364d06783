"""The scheduling controller as a process of its own, for experiments in real time.

`python -m bench.traces.scheduler KUBECONFIG [gangs]`: with `gangs`, admitted gangs become pods too.
It prints what it counted when it is ended.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client, Transport
from athanor.features.gangs import apply as gangs
from athanor.features.scheduling import apply as scheduling
from athanor.kit import loop, memory
from athanor.kit.clock import SystemClock
from athanor.runtime.controller import Controller
from athanor.runtime.manager import Manager
from athanor.wire.request import Request, Response, Stream
from bench.harness import Served, cpu_seconds
from tests.conformance.kube import guard


class Counting:
    """A transport that counts the requests it carries, by verb and kind."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.counts: Counter[str] = Counter()

    async def send(self, request: Request) -> Response:
        """The whole answer."""
        self.counts[_sort(request)] += 1
        return await self._transport.send(request)

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks."""
        self.counts[_sort(request)] += 1
        return await self._transport.stream(request)

    async def close(self) -> None:
        """Give connections back."""
        await self._transport.close()


def _sort(request: Request) -> str:
    """`PATCH gangs/status`: the verb, the kind and the subresource."""
    parts = request.path.strip("/").split("/")
    parts = parts[2 if parts[0] == "api" else 3 :]
    parts = parts[2:] if parts[0] == "namespaces" and len(parts) > 2 else parts
    return f"{request.method} {'/'.join(parts[::2])}"


async def work(kubeconfig: Path, *, pods: bool) -> None:
    """Schedule until SIGTERM."""
    transport = Counting(Http(load([kubeconfig]).target()))
    controllers: list[Controller[Any]] = [scheduling.controller()]
    controllers += [gangs.controller()] if pods else []
    manager = Manager(Client(transport), controllers, SystemClock(), random.random)
    running = asyncio.ensure_future(manager.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await manager.filled()
    memory.settle()
    print("ready", flush=True)
    await asyncio.gather(running, return_exceptions=True)
    await transport.close()
    counted: dict[str, Any] = {
        one.controller.name: msgspec.to_builtins(one.measures) for one in manager.loops
    }
    counted["requests"] = dict(transport.counts.most_common())
    print(json.dumps(counted), flush=True)


@contextmanager
def scheduler(served: Served, *, pods: bool) -> Iterator[subprocess.Popen[str]]:
    """The process, ready; what it counted is in `scheduler.log` of the server's folder after."""
    words = [sys.executable, "-m", "bench.traces.scheduler", str(served.folder / "admin")]
    with (served.folder / "scheduler.err").open("w") as errors:
        process = subprocess.Popen(
            [*words, *(["gangs"] if pods else [])], stdout=subprocess.PIPE, stderr=errors,
            text=True, process_group=guard.group(),
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError((served.folder / "scheduler.err").read_text())
            yield process
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=30)
            (served.folder / "scheduler.log").write_text(said)


def counted(served: Served) -> dict[str, Any]:
    """What the process counted, once it has ended."""
    said = (served.folder / "scheduler.log").read_text().strip()
    found: dict[str, Any] = msgspec.json.decode(said) if said else {}
    return found


def spent(served: Served, process: subprocess.Popen[str]) -> dict[str, float]:
    """CPU seconds so far: of the scheduler, of the server, and of this runner."""
    return {
        "scheduler": cpu_seconds(process.pid), "server": cpu_seconds(served.pid),
        "runner": time.process_time(),
    }  # fmt: skip


def main() -> int:
    """Schedule."""
    logging.basicConfig(level=logging.ERROR)
    task = work(Path(sys.argv[1]), pods="gangs" in sys.argv[2:])
    profile = os.environ.get("ATHANOR_PROFILE")
    if not profile:
        loop.run(task)
        return 0
    profiler = cProfile.Profile()
    profiler.enable()
    loop.run(task)
    profiler.disable()
    profiler.dump_stats(profile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
