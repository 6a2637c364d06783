"""The watchman over small real processes: start, readiness, restart, giving up, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from athanor.assembly import processes
from athanor.assembly.layout import DataDir

READY = (
    "import os,signal,time; fd=int(os.environ['ATHANOR_READY_FD']); os.write(fd,b'ready\\n');"
    "os.close(fd); signal.pause()"
)


class Watched:
    """A watchman in a scratch folder, with parts of our own."""

    def __init__(self, folder: Path, parts: dict[str, str]) -> None:
        self.data = DataDir(folder)
        self.data.make()
        lock = processes.lock(self.data.lock)
        reader, writer = os.pipe()
        said = [
            {"name": name, "command": [sys.executable, "-S", "-c", code]}
            for name, code in parts.items()
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "athanor.assembly.watchman", str(folder), str(lock), "0",
             str(writer), "https://x", json.dumps(said)],
            pass_fds=[lock, writer], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(lock)
        os.close(writer)
        self.reader = reader

    def heard(self) -> str:
        text = os.read(self.reader, 4096).decode()
        os.close(self.reader)
        return text

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=20)
        return said

    def pid(self, name: str, not_: int = 0) -> int:
        for _ in range(1000):
            found = processes.read(self.data.run / f"{name}.pid")
            if found.alive() and found.pid != not_:
                return found.pid
            time.sleep(0.01)
        raise AssertionError(f"{name} was not started")


def test_parts_become_ready_are_restarted_and_end(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"one": READY, "two": READY})
    assert watched.heard() == "ready\n"
    assert processes.held(watched.data.lock)
    first = watched.pid("one")
    os.kill(first, signal.SIGKILL)
    second = processes.seen(watched.pid("one", not_=first))
    two = processes.seen(watched.pid("two"))
    said = watched.end()
    assert "one ended (SIGKILL)" in said
    assert not second.alive()
    assert not two.alive()
    assert not list(watched.data.run.glob("*.pid"))
    assert not processes.held(watched.data.lock)


def test_a_part_that_can_never_work_ends_the_start(tmp_path: Path) -> None:
    watched = Watched(
        tmp_path, {"one": READY, "two": "import sys; print('disk is upside down'); sys.exit(78)"}
    )
    assert watched.heard() == "failed disk is upside down\n"
    assert watched.process.wait(timeout=20) == 78
    assert watched.process.stdout is not None
    watched.process.stdout.close()
    assert not processes.held(watched.data.lock)


def test_parts_end_when_the_watchman_is_killed(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {"one": READY})
    watched.heard()
    one = processes.seen(watched.pid("one"))
    watched.process.kill()
    watched.process.wait()
    assert watched.process.stdout is not None
    watched.process.stdout.close()
    assert processes.wait_gone(one, 10)
