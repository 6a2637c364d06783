"""A person at the command line of a real platform in a scratch folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from athanor.api.registry import Resource, find
from athanor.assembly import processes, supervisor
from athanor.assembly.layout import DataDir
from athanor.sdk.client import Client

T = TypeVar("T")


class Console:
    """Runs `athanor` with a data directory of its own; `up` and `down` are a context."""

    def __init__(self, folder: Path) -> None:
        self.data = DataDir(folder / "athanor")
        self.project = folder / "project"
        self.project.mkdir()

    def __enter__(self) -> Console:
        self.run("up", "--detach", "--port", "0", "--allow-host-path", str(self.project))
        return self

    def __exit__(self, *_: object) -> None:
        self.run("down", "--yes", code=None)

    def run(self, *words: str, code: int | None = 0, seconds: float = 120) -> str:
        """What a command prints, both streams; `code` is the exit code it must have."""
        command = [sys.executable, "-m", "athanor.cli", "--data", str(self.data.root), *words]
        ran = subprocess.run(
            command, cwd=self.project, text=True, timeout=seconds, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        assert code is None or ran.returncode == code, f"{words}: {ran.returncode}: {ran.stdout}"
        assert not ran.stdout.startswith("Traceback") and "\nTraceback" not in ran.stdout
        return ran.stdout

    def client(self) -> Client:
        """The SDK, as the administrator."""
        return Client(kubeconfig=str(self.data.admin))

    @staticmethod
    def kind(word: str) -> Resource:
        """A kind by one of its names."""
        found = find(word)
        assert found is not None
        return found

    def process(self, part: str) -> processes.Seen:
        """One of the platform's processes."""
        if part == "supervisor":
            hello = supervisor.ask(self.data.run, "hello")
            return processes.seen(hello["pid"]) if hello else processes.Seen(0, "")
        return processes.read(self.data.run / f"{part}.pid")

    def kill(self, part: str) -> None:
        """kill -9 a part, and wait until a successor runs."""
        old = self.process(part)
        assert old.alive(), part
        os.kill(old.pid, signal.SIGKILL)

        def successor() -> bool | None:
            now = self.process(part)
            return True if now.alive() and now != old else None

        self.until(successor)

    def until(self, look: Callable[[], T | None], seconds: float = 60) -> T:
        """What `look` finds, as soon as it finds something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (found := look()) is not None:
                return found
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")


def open_way(folder: Path) -> None:
    """Let everybody pass to a folder of the tests: people's pods run as other users."""
    for each in (folder, *folder.parents):
        if each.is_relative_to("/tmp") and each.stat().st_uid == os.getuid():
            each.chmod(each.stat().st_mode | 0o011)
