"""The watchman: starts the platform's processes, starts them again when they die, ends them.

`python -m athanor.assembly.watchman DATA LOCK_FD SOCKET_FDS READY_FD SERVER PARTS` - PARTS is JSON.
It holds the server's listening sockets, so a client that comes while the server restarts waits
instead of being refused. Standard library only, about 10 MB, and asleep unless something happens.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from athanor.assembly import processes, supervisor
from athanor.assembly.layout import DataDir

GIVE_UP = 78
"""Exit code (EX_CONFIG) of a part that cannot work however often it is started."""

FIRST_PAUSE, LONGEST_PAUSE, CALM = 0.2, 10.0, 60.0
"""Seconds: pause before the first restart, the longest, and how long a part must live to be well"""

LOG_LIMIT = 20 << 20
_PDEATHSIG = 1


class Part:
    """One process that is to run: how it is started, and how it is."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.name: str = said["name"]
        self.command: list[str] = said["command"]
        self.sockets: bool = said.get("sockets", False)
        self.process = processes.Seen(0, "")
        self.child: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.pipe = -1
        self.ready = False
        self.restarts = 0
        self.pause = FIRST_PAUSE
        self.started = 0.0
        self.due: float | None = 0.0


class Watchman:
    """The loop over all parts: single-threaded, woken by exits, signals and due restarts."""

    def __init__(
        self, data: DataDir, parts: list[Part], sockets: list[int], ready_fd: int, server: str
    ) -> None:
        self.data = data
        self.parts = parts
        self.server = server
        self._sockets = sockets
        self._ready = ready_fd
        self._was_ready = False
        self._going = True
        self.failure = ""
        self._poll = select.poll()
        wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self._wake = wake
        self._poll.register(wake, select.POLLIN)

    def run(self) -> int:
        """Work until told to stop; returns the exit code."""
        for part in self.parts:
            self._end_leftover(part)
        while self._going:
            now = time.monotonic()
            for part in self.parts:
                if part.due is not None and part.due <= now:
                    self._start(part)
            self._sleep(now)
            self._look()
        self._stop()
        return GIVE_UP if self.failure else 0

    def _end_leftover(self, part: Part) -> None:
        """End a part that outlived the last watchman (where there is no PDEATHSIG)."""
        if processes.stop(processes.read(self._pid_file(part)), 5):
            self._say(f"{part.name} of an earlier run was still there and was ended")

    def _start(self, part: Part) -> None:
        reader, writer = os.pipe()
        keep = [writer] + (self._sockets if part.sockets else [])
        env = {**os.environ, "ATHANOR_READY_FD": str(writer)}
        part.due = None
        with self._log(part) as log:
            part.child = subprocess.Popen(
                part.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                pass_fds=keep, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        os.close(writer)
        os.set_blocking(reader, False)
        part.process = processes.seen(part.child.pid)
        part.started = time.monotonic()
        part.ready = False
        part.pipe = reader
        self._poll.register(reader, select.POLLIN)
        self._follow(part)
        processes.write(self._pid_file(part), part.process)
        self._report()

    def _follow(self, part: Part) -> None:
        with contextlib.suppress(AttributeError, OSError):  # not every system has pidfds
            part.pidfd = os.pidfd_open(part.process.pid)
            self._poll.register(part.pidfd, select.POLLIN)

    def _sleep(self, now: float) -> None:
        dues = [part.due - now for part in self.parts if part.due is not None]
        if any(part.pidfd < 0 and part.due is None for part in self.parts):
            dues.append(0.5)
        self._poll.poll(max(0.0, min(dues)) * 1000 if dues else None)
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(self._wake, 4096)
            if any(n in numbers for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)):
                self._going = False

    def _look(self) -> None:
        for part in self.parts:
            self._hear(part)
            if part.due is None and not self._alive(part):
                self._died(part)

    def _hear(self, part: Part) -> None:
        if part.pipe < 0:
            return
        try:
            said = os.read(part.pipe, 4096).decode(errors="replace").strip()
        except BlockingIOError:
            return
        self._poll.unregister(part.pipe)
        os.close(part.pipe)
        part.pipe = -1
        if not said:
            return
        part.ready = True
        self._say(f"{part.name} {said} after {time.monotonic() - part.started:.2f}s")
        self._report()
        if not self._was_ready and all(part.ready for part in self.parts):
            self._was_ready = True
            self._tell("ready\n")
            self._say(f"athanor is up at {self.server}")

    def _alive(self, part: Part) -> bool:
        if part.child is not None:
            return part.child.poll() is None
        return part.process.alive()

    def _died(self, part: Part) -> None:
        code = part.child.returncode if part.child else None
        if part.pidfd >= 0:
            self._poll.unregister(part.pidfd)
            os.close(part.pidfd)
            part.pidfd = -1
        lived = time.monotonic() - part.started
        if code == GIVE_UP:
            self.failure = last_line(self.data.log(part.name)) or f"{part.name} gave up"
            self._tell(f"failed {self.failure}\n")
            self._say(f"{part.name} cannot work: {self.failure}")
            self._going = False
            return
        part.pause = FIRST_PAUSE if lived > CALM else min(part.pause * 2, LONGEST_PAUSE)
        part.due = time.monotonic() + part.pause
        part.restarts += 1
        part.ready = False
        last = last_line(self.data.log(part.name)) if code else ""
        self._say(
            f"{part.name} ended ({_how(code)}) after {lived:.1f}s{last and ': ' + last}; "
            f"starting it again in {part.pause:.1f}s, see {self.data.log(part.name)}"
        )
        self._report()

    def _stop(self) -> None:
        """Whoever uses a part goes before it; the server last, so that all can say goodbye."""
        for part in reversed(self.parts):
            if part.process.alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(part.process.pid, signal.SIGTERM)
                if not self._gone(part, 10):
                    self._say(f"{part.name} did not end in 10 s and is killed")
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(part.process.pid, signal.SIGKILL)
                    self._gone(part, 5)
            self._pid_file(part).unlink(missing_ok=True)
            if part.name in ("agent", "together"):
                supervisor.shut_down(self.data.run)
        self.data.status.unlink(missing_ok=True)
        self._say("stopped")

    def _gone(self, part: Part, seconds: float) -> bool:
        if part.child is None:
            return processes.wait_gone(part.process, seconds)
        try:
            part.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _report(self) -> None:
        state = {
            "watchman": os.getpid(),
            "parts": [
                {"name": p.name, "pid": p.process.pid, "ready": p.ready, "restarts": p.restarts}
                for p in self.parts
            ],
        }
        beside = self.data.status.with_name(".status.new")
        with contextlib.suppress(OSError):  # a full disk must not end the platform
            beside.write_text(json.dumps(state) + "\n", encoding="utf-8")
            beside.replace(self.data.status)

    def _tell(self, text: str) -> None:
        if self._ready >= 0:
            with contextlib.suppress(OSError):
                os.write(self._ready, text.encode())
                os.close(self._ready)
            self._ready = -1

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def _pid_file(self, part: Part) -> Any:
        return self.data.run / f"{part.name}.pid"

    def _log(self, part: Part) -> Any:
        path = self.data.log(part.name)
        with contextlib.suppress(OSError):
            if path.stat().st_size > LOG_LIMIT:
                path.replace(path.with_suffix(".log.1"))
        return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def die_with_parent() -> None:
    """In the child: end when the watchman does, whatever ends it (prctl(2), Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _how(code: int | None) -> str:
    if code is None:
        return "unknown how"
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def last_line(path: Any) -> str:
    """The last line of a log; "" when there is none."""
    with contextlib.suppress(OSError):
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def main() -> int:
    """Read the command line and watch."""
    root, lock_fd, socket_fds, ready_fd, server, said = sys.argv[1:]
    processes.note(int(lock_fd))
    sockets = [int(number) for number in socket_fds.split(",")]
    parts = [Part(part) for part in json.loads(said)]
    return Watchman(DataDir(root), parts, sockets, int(ready_fd), server).run()


if __name__ == "__main__":
    sys.exit(main())
