"""Processes by number and start time; locks that die with their holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from athanor.assembly import processes


def sleeper(code: str = "import time; time.sleep(60)") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", code])


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    child = sleeper()
    try:
        known = processes.seen(child.pid)
        assert known.alive()
        assert not processes.Seen(child.pid, known.started + "0").alive()
    finally:
        child.kill()
        child.wait()
    assert not known.alive()


def test_a_zombie_is_not_alive() -> None:
    child = sleeper("")
    known = processes.seen(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not known.alive()
    child.wait()


def test_files_keep_processes(tmp_path: Path) -> None:
    me = processes.seen(os.getpid())
    processes.write(tmp_path / "a.pid", me)
    assert processes.read(tmp_path / "a.pid") == me
    assert not processes.read(tmp_path / "none").alive()
    (tmp_path / "torn").write_text('{"pid": 1')
    assert not processes.read(tmp_path / "torn").alive()


def test_stop_ends_what_is_deaf_to_sigterm() -> None:
    deaf = "import signal,time; signal.signal(15, signal.SIG_IGN)"
    code = f"{deaf}; print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    known = processes.seen(child.pid)
    assert processes.stop(known, 0.05)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    assert not processes.stop(known, 0.05)


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = processes.lock(path)
    assert processes.held(path)
    with pytest.raises(processes.Busy) as busy:
        processes.lock(path)
    assert busy.value.holder == os.getpid()
    os.close(descriptor)
    assert not processes.held(path)
    assert not processes.held(tmp_path / "none")
