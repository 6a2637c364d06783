"""Namespaces that a test makes, and all that lives in them: they end with one process, by its id.

A network of its own has no name and no way out: it goes with its last process, and so do the
mounts. Killing the first process of a process namespace kills the others.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from tests.conformance.kube import guard
from tests.conformance.product import until

FIRST = "while sleep 1000; do :; done"  # a shell waits for whoever loses its parent


class Walls:
    """Namespaces of network, mounts and processes."""

    def __init__(self, stack: ExitStack) -> None:
        apart = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        self._outside = subprocess.Popen(
            ["unshare", *apart, "sh", "-c", FIRST],
            process_group=guard.group(),
            stderr=subprocess.DEVNULL,  # util-linux 2.38 complains at its end without a reason
        )
        self._entered = [self._outside]
        stack.callback(self._end)
        self.first: int = until(lambda: started(self._outside.pid, "sh"))
        self.run("ip", "link", "set", "lo", "up")

    def _end(self) -> None:
        os.kill(self.first, signal.SIGKILL)
        for process in self._entered:
            process.wait(30)

    def inside(self, *words: str, network_only: bool = False) -> list[str]:
        """The command that runs this one within."""
        kinds = ("--net",) if network_only else ("--net", "--mount", "--pid")
        return ["nsenter", "--target", str(self.first), *kinds, "--", *words]

    def run(self, *words: str) -> None:
        """Run a command within. Raises AssertionError when it fails."""
        done = subprocess.run(self.inside(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def start(self, log: IO[bytes], *words: str, **env: str) -> int:
        """Start a command within; its process id out here."""
        process = subprocess.Popen(
            self.inside(*words), stdout=log, stderr=log, env={**os.environ, **env},
            process_group=guard.group(),
        )  # fmt: skip
        self._entered.append(process)
        return int(until(lambda: started(process.pid, Path(words[0]).name)))


def started(parent: int, name: str) -> int:
    """The process id of a child that runs this program by now; 0: not yet."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = [int(c) for c in children if Path(f"/proc/{c}/comm").read_text().strip() == name[:15]]
    return found[0] if found else 0
