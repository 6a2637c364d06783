"""The scheduling controller as a process of its own, for experiments in real time.

`python -m bench.traces.scheduler KUBECONFIG [gangs]`: with `gangs`, admitted gangs become pods too.
It prints what it counted when it is ended.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client
from athanor.features.gangs import apply as gangs
from athanor.features.scheduling import apply as scheduling
from athanor.kit import loop
from athanor.kit.clock import SystemClock
from athanor.runtime.controller import Controller
from athanor.runtime.manager import Manager
from bench.harness import Served

COLLECT = (20_000, 20, 50)


async def work(kubeconfig: Path, *, pods: bool) -> None:
    """Schedule until SIGTERM."""
    transport = Http(load([kubeconfig]).target())
    controllers: list[Controller[Any]] = [scheduling.controller()]
    controllers += [gangs.controller()] if pods else []
    manager = Manager(Client(transport), controllers, SystemClock(), random.random)
    running = asyncio.ensure_future(manager.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await manager.filled()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    print("ready", flush=True)
    await asyncio.gather(running, return_exceptions=True)
    await transport.close()
    counted = {one.controller.name: msgspec.to_builtins(one.measures) for one in manager.loops}
    print(json.dumps(counted), flush=True)


@contextmanager
def scheduler(served: Served, *, pods: bool) -> Iterator[subprocess.Popen[str]]:
    """The process, ready; what it counted is in `scheduler.log` of the server's folder after."""
    words = [sys.executable, "-m", "bench.traces.scheduler", str(served.folder / "admin")]
    with (served.folder / "scheduler.err").open("w") as errors:
        process = subprocess.Popen(
            [*words, *(["gangs"] if pods else [])], stdout=subprocess.PIPE, stderr=errors,
            text=True,
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
