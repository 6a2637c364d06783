"""`athanor up` in a warm environment: seconds until a gang is admitted; memory and CPU when idle.

The clock starts before the command does and stops when a watcher sees the first Gang's admission:
server ready, node registered and Ready, controllers leading. A data directory that exists already
is the usual case (the first start also makes keys).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from athanor.api.meta import JSON
from athanor.api.registry import find
from athanor.api.scheduling import Gang
from athanor.assembly import processes, supervisor
from athanor.assembly.layout import DataDir
from athanor.client.kubeconfig import load
from athanor.client.sync import SyncHttp
from athanor.sdk.client import Client
from athanor.wire import calls
from bench.harness import Figure, cpu_seconds, quantile

PARTS = ("server", "agent", "controllers")
WARM = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""A warm environment has its bytecode."""


def command(data: DataDir, *words: str) -> list[str]:
    """A command line on this data directory."""
    return [sys.executable, "-m", "athanor.cli", "--data", str(data.root), *words]


@contextmanager
def platform(*options: str) -> Iterator[tuple[DataDir, Client]]:
    """A whole platform in a scratch folder, and its administrator's client."""
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as scratch:
        data = DataDir(Path(scratch) / "data")
        up = command(data, "up", "--detach", "--port", "0", *options)
        subprocess.run(up, check=True, capture_output=True, env=WARM)
        try:
            with Client(kubeconfig=str(data.admin)) as client:
                yield data, client
        finally:
            subprocess.run(command(data, "down", "--yes"), check=False, capture_output=True)


def until(true: Callable[[], object], seconds: float, pause: float = 0.02) -> None:
    """Look again and again until it is true. Raises TimeoutError."""
    end = time.perf_counter() + seconds
    while not true():
        if time.perf_counter() > end:
            raise TimeoutError(f"it was not so within {seconds:g} s")
        time.sleep(pause)


def gang(name: str) -> JSON:
    """The smallest gang: one pod of one core's tenth."""
    container = {
        "name": "main", "image": "host", "command": ["true"],
        "resources": {"requests": {"cpu": "100m"}},
    }  # fmt: skip
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    return {
        "apiVersion": "athanor.dev/v1alpha1", "kind": "Gang",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"podSets": [{"name": "worker", "count": 1, "template": template}]},
    }  # fmt: skip


def start(data: DataDir, name: str) -> float:
    """Seconds from the command to the first admission."""
    began = time.perf_counter()
    subprocess.run(
        command(data, "up", "--detach", "--port", "0"), check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=WARM,
    )  # fmt: skip
    client = SyncHttp(load([data.admin]).target())
    kind = find("gangs")
    assert kind is not None
    client(calls.create(kind, gang(name)))
    while client(calls.get(Gang, name, "default")).status.admission is None:
        time.sleep(0.005)
    took = time.perf_counter() - began
    client.close()
    return took


def pids(data: DataDir) -> list[int]:
    """All processes of the platform: the watchman, its parts, the supervisor."""
    hello = supervisor.ask(data.run, "hello") or {}
    found = [processes.read(data.run / f"{part}.pid").pid for part in PARTS]
    return [processes.read(data.lock).pid, *found, int(hello.get("pid", 0))]


def memory(pid: int) -> float:
    """Proportional set size in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(full: bool) -> list[Figure]:
    """All figures of this bench."""
    runs, idle = (9, 60.0) if full else (5, 20.0)
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as scratch:
        data = DataDir(scratch)
        took = []
        try:
            start(data, "warm-up")
            for number in range(runs):
                subprocess.run(command(data, "down", "--yes"), check=True, capture_output=True)
                took.append(start(data, f"gang-{number}"))
            time.sleep(5)
            running = pids(data)
            before = sum(map(cpu_seconds, running))
            since = time.perf_counter()
            time.sleep(idle)
            used = sum(map(cpu_seconds, running)) - before
            busy = 100 * used / (time.perf_counter() - since)
            size = sum(map(memory, running))
        finally:
            subprocess.run(command(data, "down", "--yes"), check=False, capture_output=True)
    return [
        Figure(name="up_to_first_admission", value=quantile(took, 0.5), unit="s", limit=2.0,
               better="low", runs=runs),
        Figure(name="idle_memory_pss", value=size, unit="MB", limit=200, better="low"),
        Figure(name="idle_cpu", value=busy, unit="% of a core", limit=1.0, better="low"),
    ]  # fmt: skip


if __name__ == "__main__":
    for figure in run(full=False):
        print(figure.line())
