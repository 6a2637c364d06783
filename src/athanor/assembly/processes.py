"""Processes by number and start time, so that only what we started is ever signalled.

Standard library only: the watchman imports it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple


class Seen(NamedTuple):
    """A process that cannot be mistaken for a later one with its number."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return bool(self.started) and start_of(self.pid) == self.started


def start_of(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return ""
        return _without_proc(pid)
    except (ProcessLookupError, PermissionError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "?"


def seen(pid: int) -> Seen:
    """That process, as it is now."""
    return Seen(pid, start_of(pid))


def write(path: Path, process: Seen) -> None:
    """Note a process in a file, in one step."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(process._asdict()) + "\n", encoding="utf-8")
    beside.replace(path)


def read(path: Path) -> Seen:
    """The process noted in a file; one that is not alive when there is none."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Seen(int(said["pid"]), str(said["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Seen(0, "")


def stop(process: Seen, grace: float) -> bool:
    """SIGTERM, after `grace` seconds SIGKILL; False when it was not running."""
    if not process.alive():
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    if not wait_gone(process, grace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        wait_gone(process, 5)
    return True


def wait_gone(process: Seen, seconds: float) -> bool:
    """Wait for the end of a process; False when it did not come in time."""
    end = time.monotonic() + seconds
    while process.alive():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Busy(Exception):
    """Another process holds the lock; `holder` is its number."""

    def __init__(self, holder: int) -> None:
        super().__init__(f"held by process {holder}")
        self.holder = holder


def lock(path: Path) -> int:
    """Take the lock for this process and those that inherit it; returns its descriptor.

    Raises Busy when another process holds it, OSError when it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy(read(path).pid) from None
    note(descriptor)
    return descriptor


def note(descriptor: int) -> None:
    """Write this process into the lock's file, for whoever finds it taken."""
    me = seen(os.getpid())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(me._asdict()) + "\n").encode(), 0)


def held(path: Path) -> bool:
    """Whether somebody holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def resident(pid: int) -> int:
    """Proportional memory of a process in MiB (what it shares counts in parts); 0 when unknown."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", encoding="utf-8") as file:
            for line in file:
                if line.startswith(key):
                    return round(int(line.split()[1]) / 1024)
    return 0
