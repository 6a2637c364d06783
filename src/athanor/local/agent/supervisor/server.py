"""The supervisor's socket: requests and events as JSON lines, files by SCM_RIGHTS.

A request is {"id", "op", ...}; its answer carries the same id and `ok`, or `ok: false` with
`error`, and with `unborn` when nothing was begun (a start that failed later has an exit, as any
container). Exits come unasked as {"event": "exit", ...}. Only the same user, or root, may connect.

ops: hello, list, sandbox, unsandbox, start, stop, execute, signal, forget, socket, listen, divert,
stdin, usage, shutdown.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from typing import Any

from athanor.local.agent.supervisor import linux, spawn, walls
from athanor.local.agent.supervisor.cgroups import Cgroups
from athanor.local.agent.supervisor.containers import Containers, Reply
from athanor.local.agent.supervisor.journal import Journal
from athanor.local.agent.supervisor.network import Network

PROTOCOL = 1
_LIMIT = 64 * 1024 * 1024
_GRACE = 10.0  # seconds that pods get when the supervisor is told to shut down


class Connection:
    """One client's side of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.inbox = b""

    def send(self, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send one line; a client that does not read for a while is cut off."""
        data = (json.dumps(message) + "\n").encode()
        try:
            if fds:
                sent = socket.send_fds(self.socket, [data], fds)
                data = data[sent:]
            if data:
                self.socket.sendall(data)
        except OSError:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class Supervisor:
    """The loop: one thread, epoll over pipes and sockets, signals by a wake-up pipe."""

    def __init__(self, run: str, tag: str, gateway: str, wanted: str) -> None:
        self._run = run
        self._lock = _only_one(run)
        self.missing: list[str] = []
        self._pid = os.getpid()
        self.isolation, network = self._isolate(wanted, gateway)
        self.cgroups = Cgroups(tag)
        journal = Journal(os.path.join(run, "exits"))
        self.containers = Containers(
            run, journal, self.cgroups, network, self.isolation, self._tell
        )
        self._clients: dict[int, Connection] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._going = True
        self._until = 0.0
        self._listen()
        self._signals()

    def serve(self) -> None:
        """Work until told to shut down."""
        containers = self.containers
        while self._going or (containers.live and time.monotonic() < self._until):
            due = containers.due()
            for fd, _ in containers.poll.poll(-1 if due is None else due, 256):
                reader = containers.readers.get(fd)
                if reader is not None:
                    reader()
            containers.tick()
        containers.shutdown()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._run, "supervisor.sock"))

    def _isolate(self, wanted: str, gateway: str) -> tuple[str, Network | None]:
        if linux.LINUX:
            linux.become_subreaper()
        if wanted == "process" or not linux.LINUX:
            self.missing.append("namespaces: " + ("not wished" if linux.LINUX else "not on Linux"))
            return "process", None
        why = _tried(self._run, gateway)
        if why:
            self.missing.append(f"namespaces: {why}")
            return "process", None
        if os.geteuid() == 0:
            return "sandbox", Network(gateway)
        self._pid = _own_user_namespace()
        return "userns", Network(gateway)

    def _listen(self) -> None:
        path = os.path.join(self._run, "supervisor.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        self._door.bind(path)
        os.umask(old)
        self._door.listen(64)
        self.containers.watch(self._door.fileno(), self._accept)

    def _signals(self) -> None:
        wake, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.containers.watch(wake, lambda: self._signalled(wake))

    def _signalled(self, wake: int) -> None:
        numbers = os.read(wake, 4096)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._going = False
        self.containers.reap()

    def _accept(self) -> None:
        sock, _ = self._door.accept()
        if linux.LINUX:
            raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if struct.unpack("iII", raw)[1] not in (0, os.getuid()):
                sock.close()
                return
        sock.settimeout(5)
        self._clients[sock.fileno()] = Connection(sock)
        self.containers.watch(sock.fileno(), lambda: self._read(self._clients[sock.fileno()]))

    def _read(self, client: Connection) -> None:
        try:
            data = client.socket.recv(1 << 20)
        except OSError:
            data = b""
        client.inbox += data
        if not data or len(client.inbox) > _LIMIT:
            self.containers.unwatch(client.socket.fileno())
            self._clients.pop(client.socket.fileno(), None)
            client.socket.close()
            return
        *lines, client.inbox = client.inbox.split(b"\n")
        for line in lines:
            self._answer(client, line)

    def _answer(self, client: Connection, line: bytes) -> None:
        number = None
        try:
            request = json.loads(line)
            number = request["id"]

            def reply(message: dict[str, Any], fds: list[int]) -> None:
                client.send({"id": number, **message}, fds)

            getattr(self, "_op_" + request["op"])(request, reply)
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            said = f"{type(error).__name__}: {error}"
            client.send({"id": number, "ok": False, "unborn": True, "error": said})

    def _tell(self, event: dict[str, Any]) -> None:
        for client in list(self._clients.values()):
            client.send(event)

    def _op_hello(self, request: dict[str, Any], reply: Reply) -> None:
        reply({
            "ok": True, "protocol": PROTOCOL, "pid": self._pid, "isolation": self.isolation,
            "cgroups": sorted(self.cgroups.able), "missing": self.missing,
            "landlock": walls.landlock_version() if linux.LINUX else 0,
        }, [])  # fmt: skip

    def _op_list(self, request: dict[str, Any], reply: Reply) -> None:
        sandboxes = [
            {"pod": s.pod, "address": s.address} for s in self.containers.sandboxes.values()
        ]
        reply({"ok": True, "containers": list(self.containers.seen()), "sandboxes": sandboxes}, [])

    def _op_sandbox(self, request: dict[str, Any], reply: Reply) -> None:
        network, pod = self.containers.network, request["pod"]
        if network is not None and pod not in self.containers.sandboxes:
            self.containers.sandboxes[pod] = network.sandbox(
                pod, request["hostname"], request.get("address", "")
            )
        reply({"ok": True}, [])

    def _op_unsandbox(self, request: dict[str, Any], reply: Reply) -> None:
        self.containers.remove_sandbox(request["pod"])
        reply({"ok": True}, [])

    def _op_start(self, request: dict[str, Any], reply: Reply) -> None:
        self.containers.start(request["key"], request["spec"], reply)

    def _op_execute(self, request: dict[str, Any], reply: Reply) -> None:
        self.containers.execute(request["key"], request["spec"], reply)

    def _op_stop(self, request: dict[str, Any], reply: Reply) -> None:
        self.containers.stop(request["key"], request["signal"], request["grace"])
        reply({"ok": True}, [])

    def _op_signal(self, request: dict[str, Any], reply: Reply) -> None:
        for process in self.containers.live.values():
            if process.key == request["key"]:
                os.kill(process.pid, request["signal"])
        reply({"ok": True}, [])

    def _op_forget(self, request: dict[str, Any], reply: Reply) -> None:
        self.containers.forget(request["keys"])
        reply({"ok": True}, [])

    def _op_stdin(self, request: dict[str, Any], reply: Reply) -> None:
        process = self.containers.running.get(request["key"])
        if process is None or process.stdin < 0:
            reply({"ok": False, "error": "the container has no standard input"}, [])
            return
        reply({"ok": True}, [process.stdin])
        if request.get("once"):
            os.close(process.stdin)
            process.stdin = -1

    def _op_socket(self, request: dict[str, Any], reply: Reply) -> None:
        kind = socket.SOCK_DGRAM if request.get("udp") else socket.SOCK_STREAM
        with self._socket(request["pod"], kind) as sock:
            reply({"ok": True}, [sock.fileno()])

    def _op_listen(self, request: dict[str, Any], reply: Reply) -> None:
        """A listening socket in the routing namespace, kept here so that its address stays."""
        kind = socket.SOCK_DGRAM if request.get("udp") else socket.SOCK_STREAM
        name = f"{kind.name} {request['address']}:{request['port']}"
        if name not in self._listeners:
            sock = self._socket("", kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((request["address"], request["port"]))
            if kind == socket.SOCK_STREAM:
                sock.listen(512)
            self._listeners[name] = sock
        reply({"ok": True}, [self._listeners[name].fileno()])

    def _op_divert(self, request: dict[str, Any], reply: Reply) -> None:
        if self.containers.network is None:
            raise OSError("pods have no networks of their own")
        try:
            self.containers.network.divert(request["network"], request["port"])
        except OSError as error:
            self.missing.append(f"egress: pods reach no other machine: {error}")
            raise
        reply({"ok": True}, [])

    def _op_usage(self, request: dict[str, Any], reply: Reply) -> None:
        used = {
            process.key: self.cgroups.usage(process.group)
            for process in self.containers.running.values()
        }
        reply({"ok": True, "usage": used}, [])

    def _op_shutdown(self, request: dict[str, Any], reply: Reply) -> None:
        grace = float(request.get("grace", _GRACE))
        self._until = time.monotonic() + grace + 1
        self._going = False
        self.containers.closing = True
        for key in list(self.containers.running):
            self.containers.stop(key, signal.SIGTERM, grace)
        reply({"ok": True}, [])

    def _socket(self, pod: str, kind: socket.SocketKind) -> socket.socket:
        network = self.containers.network
        if network is None:
            return socket.socket(socket.AF_INET, kind)
        return network.open_socket(self.containers.sandboxes[pod] if pod else None, kind)


def _only_one(run: str) -> int:
    fd = os.open(os.path.join(run, "supervisor.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"athanor supervisor: another one already serves {run}")
    return fd


def _tried(run: str, gateway: str) -> str:
    """Build a whole sandbox in a child and throw it away; returns why that fails, or ""."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            linux.die_with_parent(signal.SIGKILL)  # it holds the lock, too
            userns = os.geteuid() != 0
            if userns:
                _own_user_namespace()
            Network(gateway).sandbox("trial", "trial", "169.254.0.2").enter()
            linux.unshare(linux.NEWPID)
            inner = os.fork()
            if inner:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0x7F)
            base = os.path.join(run, "root")
            os.makedirs(base, exist_ok=True)
            spawn.enter_files(base, {"mounts": []}, (), userns)
            os._exit(0)
        except BaseException as error:
            os.write(writer, str(error).encode()[:400])
        finally:
            os._exit(1)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    said = os.read(reader, 400).decode(errors="replace")
    os.close(reader)
    return "" if status == 0 else said or "a trial of them failed"


def _own_user_namespace() -> int:
    """Become root of namespaces of our own, without rights outside; returns our pid out there.

    The first process stays behind as a stub with that pid: it waits, and we die with it.
    """
    uid, gid, outside = os.geteuid(), os.getegid(), os.getpid()
    linux.unshare(linux.NEWUSER)
    for file, line in (
        ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"),
    ):  # fmt: skip
        with open(f"/proc/self/{file}", "w", encoding="utf-8") as handle:
            handle.write(line)
    linux.unshare(linux.NEWNS | linux.NEWIPC | linux.NEWUTS | linux.NEWPID)
    child = os.fork()
    if child:
        signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0x7F)
    linux.die_with_parent(signal.SIGKILL)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    return outside


def main() -> None:
    """Read the command line, detach from the terminal, serve."""
    parser = argparse.ArgumentParser(prog="athanor-supervisor")
    parser.add_argument("--run", required=True, help="folder for socket, lock and journal")
    parser.add_argument("--tag", required=True, help="names the control groups of this node")
    parser.add_argument("--gateway", default="10.88.0.1", help="the pods' gateway address")
    parser.add_argument("--isolation", default="best", choices=("best", "process"))
    options = parser.parse_args()
    os.makedirs(options.run, mode=0o700, exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Supervisor(options.run, options.tag, options.gateway, options.isolation).serve()
