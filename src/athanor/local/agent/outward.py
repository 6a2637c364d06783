"""The way out for pods: carries their connections to the world, and their questions for names.

A process of its own, standard library only, started when a pod first asks and gone a minute after
the last one did. What comes to the gateway's socket was meant for elsewhere (`supervisor.nat`); the
kernel remembers where. Data is spliced, so a download costs next to nothing. TCP and names only.

Pods get out, not in: this machine's loopback, link-local addresses (clouds keep credentials there)
and multicast are refused.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

from athanor.local.agent.supervisor import linux

QUIET = 60.0
"""Seconds without a connection or question until the process ends."""
_FLOWS, _QUESTIONS = 512, 64  # at once
_PATIENCE = 20.0  # seconds for a connection to open
_ANSWER = 3.0  # seconds for a name server
_CHUNK = 1 << 16
_NOBODY = 65534
_ORIGINAL_DST = 80  # SO_ORIGINAL_DST: where a diverted connection was to go
_SERVFAIL = 2

Address = tuple[str, int]


def refused(address: str) -> str:
    """Why pods may not speak to an address; "" when they may."""
    ip = ipaddress.ip_address(address)
    if ip.is_loopback or ip.is_unspecified:
        return "it is this machine's own"
    if ip.is_link_local:
        return "it is link-local"
    return "it is no host's address" if ip.is_multicast or ip.is_reserved else ""


def name_servers(text: str) -> list[Address]:
    """Those of a resolv.conf(5)."""
    rows = [line.split() for line in text.splitlines()]
    return [(row[1], 53) for row in rows if len(row) > 1 and row[0] == "nameserver"]


def resolv_conf(text: str, gateway: str) -> str:
    """A pod's resolv.conf: asks the gateway, within the machine's own search domains."""
    kept = [line for line in text.splitlines() if line.split()[:1] in (["search"], ["domain"])]
    return "\n".join([f"nameserver {gateway}", *kept, "options timeout:4 attempts:2"]) + "\n"


def servfail(question: bytes) -> bytes:
    """The answer that nobody can be asked (RFC 1035, 4.1.1)."""
    number, flags = struct.unpack_from(">HH", question)
    return struct.pack(">HH", number, flags | 0x8000 | _SERVFAIL) + question[4:]


class Outward:
    """The loop over the gateway's three sockets; a thread for each flow and each question."""

    def __init__(
        self, tcp: socket.socket, names: socket.socket, questions: socket.socket,
        servers: Sequence[Address],
    ) -> None:  # fmt: skip
        self._sockets = (tcp, names, questions)
        self._servers = servers
        self._flows = threading.BoundedSemaphore(_FLOWS)
        self._asked = threading.BoundedSemaphore(_QUESTIONS)
        self._live = 0
        self._lock = threading.Lock()

    def run(self, quiet: float = QUIET) -> None:
        """Serve until there was nothing to do for `quiet` seconds."""
        tcp, names, questions = self._sockets
        for sock in self._sockets:
            sock.setblocking(False)
        while True:
            ready, _, _ = select.select(self._sockets, (), (), quiet)
            if not ready and not self._live:
                return
            # another process of ours may have been quicker: then there is nothing to take
            with contextlib.suppress(BlockingIOError):
                if questions in ready:
                    data, asker = questions.recvfrom(4096)
                    self._begin(self._asked, partial(self._answer, data, asker))
            for listener in (tcp, names):
                with contextlib.suppress(BlockingIOError):
                    if listener in ready:
                        near, _ = listener.accept()
                        self._begin(self._flows, partial(self._carry, near, listener is names))

    def _begin(self, limit: threading.BoundedSemaphore, work: Callable[[], None]) -> None:
        limit.acquire()
        with self._lock:
            self._live += 1

        def whole() -> None:
            try:
                work()
            finally:
                limit.release()
                with self._lock:
                    self._live -= 1

        threading.Thread(target=whole, daemon=True).start()

    def _answer(self, question: bytes, asker: Address) -> None:
        if len(question) >= 12:
            self._sockets[2].sendto(self._ask(question), asker)

    def _ask(self, question: bytes) -> bytes:
        for server in self._known():
            with (
                contextlib.suppress(OSError),
                _dial(server, socket.SOCK_DGRAM, _ANSWER) as sock,
            ):
                sock.send(question)
                while (answer := sock.recv(65536))[:2] != question[:2]:
                    pass
                return answer
        return servfail(question)

    def _known(self) -> Sequence[Address]:
        if self._servers:
            return self._servers
        with contextlib.suppress(OSError), open("/etc/resolv.conf", encoding="utf-8") as file:
            return name_servers(file.read())  # read each time: laptops move
        return ()

    def _carry(self, near: socket.socket, names: bool) -> None:
        with near:
            try:
                to = self._known()[0] if names else _meant(near)
                if not names and (why := refused(to[0])):
                    raise PermissionError(f"{to[0]}: {why}")
                far = _dial(to, socket.SOCK_STREAM, _PATIENCE)
            except (OSError, IndexError) as error:
                _say(f"a pod's connection leads nowhere: {error}")
                # the pod's program shall see a reset, not the end of an empty answer
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with far:
                both(near, far)


def both(near: socket.socket, far: socket.socket) -> None:
    """Copy in both directions until both ends are through."""
    for sock in (near, far):
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    back = threading.Thread(target=_pump, args=(far, near), daemon=True)
    back.start()
    _pump(near, far)
    back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    reader, writer = os.pipe()
    try:
        while count := os.splice(source.fileno(), writer, _CHUNK):
            while count:
                count -= os.splice(reader, sink.fileno(), count)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one side broke: the other shall notice
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(reader)
        os.close(writer)


def _dial(to: Address, kind: socket.SocketKind, patience: float) -> socket.socket:
    """Connect to an address; nothing is looked up, so nothing is imported late."""
    sock = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, kind)
    try:
        sock.settimeout(patience)
        sock.connect(to)
    except OSError:
        sock.close()
        raise
    return sock


def _meant(sock: socket.socket) -> Address:
    raw = sock.getsockopt(socket.IPPROTO_IP, _ORIGINAL_DST, 16)
    port, address = struct.unpack_from(">2xH4s", raw)
    if (socket.inet_ntoa(address), port) == sock.getsockname():
        raise PermissionError("this port is not for speaking to")
    return socket.inet_ntoa(address), port


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line, give up all rights, serve."""
    parser = argparse.ArgumentParser(prog="athanor-outward")
    parser.add_argument("sockets", type=int, nargs=3, help="descriptors: TCP, names TCP, names UDP")
    parser.add_argument("--name-server", action="append", default=[], metavar="ADDRESS:PORT")
    options = parser.parse_args()
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    linux.die_with_parent(signal.SIGTERM)  # after the change of user, which would forget it
    split = [said.rpartition(":") for said in options.name_server]
    servers = [(host, int(port)) for host, _, port in split]
    tcp, names, questions = (socket.socket(fileno=fd) for fd in options.sockets)
    Outward(tcp, names, questions, servers).run()
