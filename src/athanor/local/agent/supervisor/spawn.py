"""Starting one process of a container: the fork, and what the child does before the program.

The child tells how it went over a socket that closes when the program starts: nothing (all well),
a terminal's file, or one line of error.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import select
import signal
import socket
import stat
import struct
import termios
from collections.abc import Callable, Sequence
from typing import Any

from athanor.local.agent.supervisor import linux, walls
from athanor.local.agent.supervisor.network import Sandbox
from athanor.local.agent.supervisor.root import enter_root

_ENTER = (
    ("ipc", linux.NEWIPC), ("uts", linux.NEWUTS), ("net", linux.NEWNET), ("mnt", linux.NEWNS),
)  # fmt: skip
_TIOCSPTLCK, _TIOCGPTN = 0x40045431, 0x80045430


class Stdio:
    """The pipes of a new process: the child's ends and ours. A terminal comes later, by socket."""

    def __init__(self, stdin: bool, tty: bool) -> None:
        self.tty = tty
        self.ours: dict[str, int] = {}
        self._theirs: dict[str, int] = {}
        if tty:
            return
        for name in ("stdout", "stderr"):
            self.ours[name], self._theirs[name] = os.pipe2(os.O_CLOEXEC)
        if stdin:
            self._theirs["stdin"], self.ours["stdin"] = os.pipe2(os.O_CLOEXEC)
        else:
            self._theirs["stdin"] = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def take(self) -> None:
        """In the child: make these ends its 0, 1, 2."""
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(self._theirs[name], number, inheritable=True)

    def parent_done(self) -> None:
        """In the parent: the child has its ends now."""
        for fd in self._theirs.values():
            os.close(fd)
        self._theirs = {}


def start(
    spec: dict[str, Any], stdio: Stdio, sandbox: Sandbox | None, entries: Sequence[str],
    place: Callable[[], None], own_pid_namespace: int | None,
) -> tuple[int, socket.socket]:  # fmt: skip
    """Fork a container's first process; returns its pid and the socket that tells how it went.

    `place` builds its file system (or does nothing); with a pid namespace fd of our own, the child
    becomes process 1 of a new one.
    """
    us = _ourselves()
    if own_pid_namespace is not None:
        linux.unshare(linux.NEWPID)
    try:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _child(spec, stdio, theirs, us, lambda: _first(sandbox, entries, place))
    finally:
        _close(us)
        if own_pid_namespace is not None:
            linux.setns(own_pid_namespace, linux.NEWPID)
    theirs.close()
    stdio.parent_done()
    return pid, ours


def start_inside(
    spec: dict[str, Any], stdio: Stdio, target: int, entries: Sequence[str],
    own_pid_namespace: int | None,
) -> tuple[int, socket.socket]:  # fmt: skip
    """Fork a process into the namespaces of a running container (kubectl exec, exec probes)."""
    files = []
    us = _ourselves()
    if own_pid_namespace is not None:
        files = [
            (os.open(f"/proc/{target}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), flag)
            for name, flag in _ENTER
        ]
        inside = os.open(f"/proc/{target}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        linux.setns(inside, linux.NEWPID)
        os.close(inside)
    try:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _child(spec, stdio, theirs, us, lambda: _join(files, entries))
    finally:
        _close(us)
        if own_pid_namespace is not None:
            linux.setns(own_pid_namespace, linux.NEWPID)
        for fd, _ in files:
            os.close(fd)
    theirs.close()
    stdio.parent_done()
    return pid, ours


def enter_files(base: str, spec: dict[str, Any], extra: Sequence[str], userns: bool) -> None:
    """The `place` of the sandbox class."""
    linux.unshare(linux.NEWNS)
    enter_root(base, spec, extra, userns)


def _first(sandbox: Sandbox | None, entries: Sequence[str], place: Callable[[], None]) -> None:
    _enter_groups(entries)
    if sandbox is not None:
        sandbox.enter()
    place()


def _join(files: Sequence[tuple[int, int]], entries: Sequence[str]) -> None:
    _enter_groups(entries)
    for fd, flag in files:
        linux.setns(fd, flag)


def _enter_groups(entries: Sequence[str]) -> None:
    for path in entries:
        with open(path, "w", encoding="utf-8") as file:
            file.write("0")


def _ourselves() -> int:
    return os.pidfd_open(os.getpid()) if linux.LINUX else -1


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


def _tie(parent: int) -> None:
    """End with the supervisor, also when it ended just before this could be asked for."""
    if not linux.LINUX:
        return
    linux.die_with_parent(signal.SIGKILL)
    ended = select.poll()
    ended.register(parent, select.POLLIN)
    if ended.poll(0):
        os._exit(127)


def _child(
    spec: dict[str, Any], stdio: Stdio, report: socket.socket, parent: int,
    before: Callable[[], None],
) -> None:  # fmt: skip
    doing = "set up"
    try:
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(name, signal.SIG_DFL)
        os.setsid()
        _tie(parent)
        before()
        if stdio.tty:
            _terminal(report)
        else:
            stdio.take()
        _become(spec, parent)
        doing = "enter"
        os.chdir(spec.get("cwd") or "/")
        doing = "start"
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    except BaseException as error:
        number = error.errno if isinstance(error, OSError) else 0
        said = str(error)
        if doing == "start" and number == errno.ENOENT and "/" not in spec["argv"][0]:
            said = f'exec: "{spec["argv"][0]}": executable file not found in $PATH'
        report.send(f"{doing}|{number or 0}|{said}".encode()[:2000])
    finally:
        os._exit(127)


def _become(spec: dict[str, Any], parent: int) -> None:
    os.umask(0o022)
    for name, value in spec.get("rlimits", {}).items():
        number = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(number)[1]
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (ceiling, ceiling))
    if "oomScore" in spec and linux.LINUX:
        _write_own("/proc/self/oom_score_adj", str(spec["oomScore"]))
    if linux.LINUX:
        linux.no_new_privileges()
        if os.geteuid() == 0 or spec.get("userns"):
            linux.drop_bounding_set()
    if os.geteuid() == 0 and not spec.get("userns"):
        for fd in (0, 1, 2):  # so that it may open /proc/1/fd/1, as container runtimes allow
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.fchown(fd, spec["uid"], spec["gid"])
        os.setgroups(spec.get("groups", []))
        os.setresgid(spec["gid"], spec["gid"], spec["gid"])
        os.setresuid(spec["uid"], spec["uid"], spec["uid"])
    _tie(parent)  # a change of uid unties
    if linux.LINUX:
        walls.apply(spec)


def _write_own(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    except PermissionError:
        return  # lowering one's score takes a privilege; the default is fine then


def _terminal(report: socket.socket) -> None:
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, struct.pack("i", 0)))[0]
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.fchmod(slave, 0o666)  # nobody but this container sees this devpts instance
    for fd in (0, 1, 2):
        os.dup2(slave, fd, inheritable=True)
    socket.send_fds(report, [b"T"], [master])
