"""The containers of this node and what happens to each: start, output, signals, exit, removal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from athanor.local.agent.supervisor import root, spawn
from athanor.local.agent.supervisor.cgroups import Cgroups
from athanor.local.agent.supervisor.journal import Journal
from athanor.local.agent.supervisor.logs import LogFile, Stream
from athanor.local.agent.supervisor.network import Network, Sandbox

_CHUNK = 64 * 1024
_AGAIN = 1.0  # seconds until an exit that the disk did not take is tried again
_DRAIN = 2.0  # seconds that output may linger in a pipe somebody else still holds

Reply = Callable[[dict[str, Any], list[int]], None]


class Process:
    """One process we started: a container's first, or one executed inside it."""

    def __init__(self, key: str, spec: dict[str, Any], pid: int, stdio: spawn.Stdio) -> None:
        self.key = key
        self.spec = spec
        self.pid = pid
        self.stdio = stdio
        self.started_at = time.time()  # noqa: TID251 - the supervisor's own clock
        self.group: str = spec.get("group", "")
        self.log: LogFile | None = None
        self.streams: dict[int, Stream] = {}
        self.exit: dict[str, Any] | None = None
        self.kill_at: float | None = None
        self.stopped = 0  # the signal that stands in for one process 1 would not take
        self.drain_until = 0.0
        self.hold_until = 0.0  # an exit that could not be noted is tried again then
        self.reply: Reply | None = None  # waits for the start to be told
        self.stdin = -1

    def seen(self) -> dict[str, Any]:
        """What `list` says about it: its exit is told when it is on disk, not before."""
        return {
            "key": self.key, "pod": self.spec.get("pod", ""), "pid": self.pid,
            "startedAt": self.started_at, "exit": None, "labels": self.spec.get("labels", {}),
        }  # fmt: skip


class Containers:
    """All processes of the node. `tell` sends an event to the connected agents."""

    def __init__(
        self, run: str, journal: Journal, cgroups: Cgroups, network: Network | None,
        isolation: str, tell: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.poll = select.epoll()
        self.readers: dict[int, Callable[[], None]] = {}
        self.live: dict[int, Process] = {}
        self.running: dict[str, Process] = {}
        self.sandboxes: dict[str, Sandbox] = {}
        self.journal = journal
        # set when the platform goes down: exits from then on say nothing about the pods' work,
        # so they are not kept, and the next agent finds those containers lost, not failed
        self.closing = False
        self.cgroups = cgroups
        self.network = network
        self.isolation = isolation
        self._tell = tell
        self._base = os.path.join(run, "root")
        os.makedirs(self._base, exist_ok=True)
        self._extra = root.real_mounts() if isolation != "process" else []
        self._pid_namespace = (
            os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            if isolation != "process"
            else None
        )
        self._ended: list[Process] = []
        self._stale: list[str] = []

    def start(self, key: str, spec: dict[str, Any], reply: Reply) -> None:
        """Start a container; starting a known key again is answered with what is known."""
        if key in self.running or key in self.journal.exits:
            reply({"ok": True, "known": True}, [])
            return
        sandbox = self.sandboxes.get(spec.get("pod", ""))
        if sandbox is None and self._apart:
            raise LookupError(f"pod {spec.get('pod', '')} has no sandbox here")
        spec["userns"] = self.isolation == "userns"
        log = LogFile(spec["log"])  # whatever may fail does before the fork
        try:
            entries = self.cgroups.create(spec["group"], spec.get("limits", {}), not self._apart)
            stdio = spawn.Stdio(bool(spec.get("stdin")), bool(spec.get("tty")) and self._apart)
            place = self._place(spec)
            pid, report = spawn.start(spec, stdio, sandbox, entries, place, self._pid_namespace)
        except OSError:
            log.close()
            raise
        process = Process(key, spec, pid, stdio)
        process.log = log
        process.reply = reply
        self.live[pid] = process
        self.running[key] = process
        self._attach(process)
        self.watch(report.fileno(), lambda: self._reported(process, report))

    def execute(self, key: str, spec: dict[str, Any], reply: Reply) -> None:
        """Run one more process in a running container; its pipes go to the caller."""
        target = self.running.get(spec["container"])
        if target is None or target.exit is not None:
            reply({"ok": False, "error": f"container {spec['container']} is not running"}, [])
            return
        whole = {**target.spec, "rlimits": {}, "labels": {}, **spec}
        if spec.get("tty"):
            whole["env"] = {"TERM": "xterm", **whole["env"]}
        stdio = spawn.Stdio(bool(spec.get("stdin")), bool(spec.get("tty")) and self._apart)
        entries = self.cgroups.create(target.group, {}, not self._apart)
        pid, report = spawn.start_inside(whole, stdio, target.pid, entries, self._pid_namespace)
        process = Process(key, {"executed": True, "pod": target.spec.get("pod", "")}, pid, stdio)
        process.reply = reply
        self.live[pid] = process
        self.watch(report.fileno(), lambda: self._reported(process, report))

    def stop(self, key: str, number: int, grace: float) -> None:
        """Signal a container's first process, and kill its whole tree after `grace` seconds."""
        process = self.running.get(key)
        if process is None or process.exit is not None:
            return
        deadline = time.monotonic() + grace
        process.kill_at = min(process.kill_at or deadline, deadline)
        if grace <= 0 or self._deaf(process.pid, number):
            process.stopped = number if grace > 0 else 0
            self._kill(process)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def forget(self, keys: list[str]) -> None:
        """Drop the records of ended containers."""
        self.journal.forget(keys)

    def remove_sandbox(self, pod: str) -> None:
        """Let a pod's namespaces go, and kill what still runs in it."""
        for process in list(self.live.values()):
            if process.spec.get("pod") == pod:
                self._kill(process)
        sandbox = self.sandboxes.pop(pod, None)
        if sandbox is not None:
            sandbox.close()

    def seen(self) -> Iterator[dict[str, Any]]:
        """Everything known: running containers, and ended ones nobody has forgotten."""
        for process in self.running.values():
            yield process.seen()
        for key, exit_ in self.journal.exits.items():
            if key not in self.running:
                yield {"key": key, "pod": exit_.get("pod", ""), "startedAt": exit_["startedAt"],
                       "pid": 0, "exit": exit_, "labels": exit_.get("labels", {})}  # fmt: skip

    def due(self) -> float | None:
        """Seconds until `tick` has something to do; None when nothing is planned."""
        now = time.monotonic()
        times = [p.kill_at - now for p in self.live.values() if p.kill_at is not None]
        if self._ended or self._stale:
            times.append(0.02)
        return max(0.0, min(times)) if times else None

    def tick(self) -> None:
        """Kill what outstayed its grace, finish what has drained, remove empty groups."""
        now = time.monotonic()
        for process in list(self.live.values()):
            if process.kill_at is not None and process.kill_at <= now:
                process.kill_at = None
                self._kill(process)
        self._finish(now)
        self._stale = [group for group in self._stale if not self.cgroups.remove(group)]

    def reap(self) -> None:
        """Collect every child that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            process = self.live.pop(pid, None)
            if process is None:
                continue  # an orphan of some container: its parent was the one that counted
            code = os.waitstatus_to_exitcode(status)
            self._end(process, code)

    def shutdown(self) -> None:
        """Kill everything and give all of it back."""
        self.closing = True
        for process in list(self.live.values()):
            self._kill(process)
        deadline = time.monotonic() + 5
        while self.live and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.005)
        self._finish(time.monotonic() + _DRAIN)
        for pod in list(self.sandboxes):
            self.remove_sandbox(pod)
        self.cgroups.close()

    def watch(self, fd: int, reader: Callable[[], None]) -> None:
        """Call `reader` whenever `fd` can be read."""
        self.readers[fd] = reader
        self.poll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Stop that."""
        self.readers.pop(fd, None)
        with contextlib.suppress(OSError):
            self.poll.unregister(fd)

    @property
    def _apart(self) -> bool:
        return self.isolation != "process"

    def _place(self, spec: dict[str, Any]) -> Callable[[], None]:
        if not self._apart:
            return lambda: None
        userns = self.isolation == "userns"
        return lambda: spawn.enter_files(self._base, spec, self._extra, userns)

    def _attach(self, process: Process) -> None:
        for name, fd in process.stdio.ours.items():
            if name == "stdin":
                process.stdin = fd
            else:
                self._pump(process, name, fd)

    def _pump(self, process: Process, name: str, fd: int) -> None:
        assert process.log is not None
        os.set_blocking(fd, False)
        process.streams[fd] = Stream(name, process.log)
        self.watch(fd, lambda: self._read(process, fd))

    def _read(self, process: Process, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: the last holder of a terminal's other end is gone
        if data:
            process.streams[fd].feed(data)
            return
        self.unwatch(fd)
        process.streams.pop(fd).end()
        os.close(fd)
        if process.exit is not None and not process.streams:
            self._finish(time.monotonic())

    def _reported(self, process: Process, report: socket.socket) -> None:
        said, fds, _, _ = socket.recv_fds(report, 4096, 1)
        if fds:
            process.stdio.ours["tty"] = fds[0]
            return
        self.unwatch(report.fileno())
        report.close()
        reply, process.reply = process.reply, None
        if said:
            doing, number, text = said.decode(errors="replace").split("|", 2)
            process.spec["failed"] = {"doing": doing, "errno": int(number), "message": text}
        if reply is None:
            return
        if said:
            self._close_pipes(process, process.spec.get("executed", False))
            reply({"ok": False, "error": process.spec["failed"]["message"]}, [])
            return
        if process.spec.get("executed"):
            ours = process.stdio.ours
            names = sorted(ours)
            reply({"ok": True, "pid": process.pid, "files": names}, [ours[n] for n in names])
            self._close_pipes(process, True)
            return
        terminal = process.stdio.ours.get("tty")
        if terminal is not None:
            process.stdin = os.dup(terminal)
            self._pump(process, "stdout", terminal)
        reply({"ok": True, "pid": process.pid, "startedAt": process.started_at}, [])

    def _close_pipes(self, process: Process, executed: bool) -> None:
        if executed:
            for fd in process.stdio.ours.values():
                os.close(fd)
            process.stdio.ours = {}

    def _deaf(self, pid: int, number: int) -> bool:
        """Whether process 1 of a pid namespace would let a signal pass that kills any other.

        The kernel spares process 1 the default action; users expect `kubectl delete` of a plain
        `sleep` to be quick, as it is for any process.
        """
        if not self._apart:
            return False
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                fields = {key: value for key, _, value in (line.partition(":") for line in file)}
        except OSError:
            return False
        taken = int(fields["SigCgt"], 16) | int(fields["SigIgn"], 16) | int(fields["SigBlk"], 16)
        return not taken >> (number - 1) & 1

    def _kill(self, process: Process) -> None:
        if not self._apart and process.group and not process.spec.get("executed"):
            self.cgroups.kill(process.group)
            for pid in _tree(process.pid, process.spec.get("env", {}).get("ATHANOR_CONTAINER", "")):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)

    def _end(self, process: Process, code: int) -> None:
        oom = bool(process.group) and self.cgroups.oom_killed(process.group)
        number = -code if code < 0 else 0
        if process.stopped and number == signal.SIGKILL:
            number = process.stopped
        process.exit = {
            "code": 128 + number if number else code, "signal": number, "oom": oom,
            "startedAt": process.started_at, "finishedAt": time.time(),  # noqa: TID251
            "pod": process.spec.get("pod", ""), "labels": process.spec.get("labels", {}),
        }  # fmt: skip
        process.kill_at = None
        process.drain_until = time.monotonic() + _DRAIN
        if not process.spec.get("executed") and not self._apart:
            self._kill(process)  # what the first process leaves behind goes with it
        self._ended.append(process)

    def _finish(self, now: float) -> None:
        done = [
            p for p in self._ended
            if p.hold_until <= now
            and ((not p.streams and p.reply is None) or p.drain_until <= now)
        ]  # fmt: skip
        if not done:
            return
        self._ended = [p for p in self._ended if p not in done]
        for process in done:
            self._release(process)
            # its end may be seen before the report that it could not start
            if process.exit is not None and "failed" in process.spec:
                process.exit["failed"] = process.spec["failed"]
        contained = [p for p in done if not p.spec.get("executed")]
        if not self.closing and not self._record(contained):
            done = [p for p in done if p not in contained]
        for process in done:
            self.running.pop(process.key, None)
            if self.closing and process in contained:
                continue
            self._tell({"event": "exit", "key": process.key, "exit": process.exit})

    def _record(self, ended: list[Process]) -> bool:
        """Have exits on disk; False when it takes nothing: they are told when it does again."""
        try:
            self.journal.record([(p.key, p.exit or {}) for p in ended])
        except OSError as error:
            with contextlib.suppress(OSError):
                print(f"exits wait until they can be noted: {error}", file=sys.stderr, flush=True)
            for process in ended:
                process.hold_until = time.monotonic() + _AGAIN
            self._ended += ended
            return False
        return True

    def _release(self, process: Process) -> None:
        for fd, stream in list(process.streams.items()):
            self.unwatch(fd)
            stream.end()
            os.close(fd)
        process.streams.clear()
        if process.stdin >= 0:
            os.close(process.stdin)
            process.stdin = -1
        if process.log is not None:
            process.log.close()
            process.log = None
        if process.group and not self.cgroups.remove(process.group):
            self._stale.append(process.group)


def _tree(first: int, mark: str) -> set[int]:
    """A process and its descendants, also those that were orphaned but carry the mark."""
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            if mark:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if f"ATHANOR_CONTAINER={mark}\0".encode() in file.read() + b"\0":
                        marked.add(int(name))
    found = {first} | marked
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more
