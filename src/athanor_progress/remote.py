#!/usr/bin/env python3
"""Executes a command in a pod through the Kubernetes API; launchers call it instead of ssh.

    ssh [options] [user@]HOST COMMAND...

HOST is a pod's name, with or without its subdomain. Standard library only, one file, Python 3.8 or
newer: it is put into pods of any image. The pod's own service account has to have the right to
`pods/exec`. Waits until the pod runs, at most ATHANOR_LAUNCH_SECONDS (300). The exit code is the
command's; 255 when it could not be run, as ssh does.

Speaks the channel protocol v5.channel.k8s.io (KEP-4006) over WebSocket (RFC 6455).
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from urllib.parse import quote, urlencode

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOL = "v5.channel.k8s.io"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
WITH_VALUE = "BbcDEeFIiJLlmOopQRSWw"
"""Options of ssh that take a value."""

COULD_NOT = 255
_CONTINUATION, _TEXT, _BINARY, _END, _PING, _PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The server did not open the channel: HTTP's status, and the whole answer."""

    def __init__(self, status: int, body: bytes, line: str) -> None:
        super().__init__(message(body) or line)
        self.status = status
        self.body = body


class Channels:
    """One remote command's channels over a WebSocket. `send` may be called from any thread."""

    def __init__(
        self, connection: socket.socket, host: str, path: str, headers: dict[str, str]
    ) -> None:
        self._socket = connection
        self._buffer = b""
        self._lock = threading.Lock()
        self._shake_hands(host, path, headers)

    def _shake_hands(self, host: str, path: str, headers: dict[str, str]) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket"]
        key = base64.b64encode(os.urandom(16)).decode()
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"Sec-WebSocket-Protocol: {PROTOCOL}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        if status == 101:
            return
        told = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
        want = int(told.get("content-length", "0"))
        try:
            while len(self._buffer) < want:
                self._more()
        except EOFError:
            pass  # as much of the answer as there is
        raise Refused(status, self._buffer, first)

    def _more(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise EOFError("the connection was closed")
        self._buffer += data

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def send(self, channel: int, data: bytes) -> None:
        """Some bytes on a channel."""
        self._frame(_BINARY, bytes([channel]) + data)

    def _frame(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
        # the mask protects caches on the way from scripts in browsers: neither is here
        with self._lock:
            self._socket.sendall(head + b"\0\0\0\0" + data)

    def receive(self) -> tuple[int, bytes] | None:
        """The next (channel, bytes); None at the end. Raises EOFError when it breaks."""
        whole = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size >= 126:
                kind = "!H" if size == 126 else "!Q"
                (size,) = struct.unpack(kind, self._take(struct.calcsize(kind)))
            data = self._take(size)
            opcode = first & 0x0F
            if opcode == _END:
                return None
            if opcode == _PING:
                self._frame(_PONG, data)
            elif opcode in (_CONTINUATION, _TEXT, _BINARY):
                whole += data
                if first & 0x80 and whole:
                    return whole[0], whole[1:]

    def close(self) -> None:
        """End it; a receive in another thread ends too."""
        try:
            self._frame(_END, b"")
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster
        finally:
            self._socket.close()


def exit_code(said: bytes) -> tuple[int, str]:
    """What the last message (a Status) says: the command's exit code, or why it did not run."""
    try:
        status = json.loads(said)
    except ValueError:
        return COULD_NOT, said.decode(errors="replace")
    if status.get("status") == "Success":
        return 0, ""
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"]), ""
    return COULD_NOT, str(status.get("message", ""))


def path_of(namespace: str, pod: str, command: list[str], stdin: bool) -> str:
    """The URL path that executes a command."""
    query = [("command", word) for word in command] + [("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if stdin else []
    base = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec"
    return f"{base}?{urlencode(query)}"


def parse(words: list[str]) -> tuple[str, list[str]]:
    """The host and the command of a command line as ssh has it: options on both sides of the host.

    Raises ValueError.
    """
    host = _options(words, 0)
    if host >= len(words):
        raise ValueError("usage: ssh [options] HOST COMMAND...")
    # what follows -- is the host and then the command, options or not
    command = host + 1 if "--" in words[:host] else _options(words, host + 1)
    if command >= len(words):
        raise ValueError("usage: ssh [options] HOST COMMAND...")
    return words[host].rpartition("@")[2], words[command:]


def _options(words: list[str], at: int) -> int:
    """Where the options that begin there end."""
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        word = words[at]
        if word == "--":
            return at + 1
        at += 2 if word[1] in WITH_VALUE and len(word) == 2 else 1
    return at


def connect() -> tuple[socket.socket, str, dict[str, str]]:
    """A connection to the API server as this pod's service account; the host; the headers."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    account = os.environ.get("ATHANOR_ACCOUNT", ACCOUNT)
    with open(os.path.join(account, "token"), encoding="utf-8") as file:
        token = file.read().strip()
    tls = ssl.create_default_context(cafile=os.path.join(account, "ca.crt"))
    plain = socket.create_connection((host, port), timeout=30)
    connection = tls.wrap_socket(plain, server_hostname=host)
    connection.settimeout(None)
    return connection, host, {"Authorization": f"Bearer {token}"}


def namespace() -> str:
    """The namespace of this pod."""
    account = os.environ.get("ATHANOR_ACCOUNT", ACCOUNT)
    with open(os.path.join(account, "namespace"), encoding="utf-8") as file:
        return file.read().strip()


def opened(pod: str, command: list[str], seconds: float) -> Channels:
    """The channels of a command, as soon as the pod runs. Raises Refused, OSError."""
    end = time.monotonic() + seconds
    path = path_of(namespace(), pod, command, stdin=True)
    while True:
        try:
            connection, host, headers = connect()
            return Channels(connection, host, path, headers)
        except (Refused, OSError, EOFError) as problem:
            # not there yet, not running yet, or the server is restarted at this moment
            final = isinstance(problem, Refused) and problem.status == 401
            if final or time.monotonic() > end:
                raise
        time.sleep(0.2)


def run(channels: Channels) -> int:
    """Carry standard input and output until the command ends; its exit code."""
    threading.Thread(target=_feed, args=(channels,), daemon=True).start()
    while True:
        arrived = channels.receive()
        if arrived is None:
            return COULD_NOT
        channel, data = arrived
        if channel == ERROR:
            code, why = exit_code(data)
            if why:
                print(f"ssh: {why}", file=sys.stderr)
            return code
        if channel in (STDOUT, STDERR) and data:
            out = sys.stdout.buffer if channel == STDOUT else sys.stderr.buffer
            out.write(data)
            out.flush()


def _feed(channels: Channels) -> None:
    try:
        while True:
            data = os.read(0, 1 << 15)
            if not data:
                channels.send(CLOSE, bytes([STDIN]))
                return
            channels.send(STDIN, data)
    except OSError:
        return  # the command is over


def message(body: bytes) -> str:
    """What a Status, or any other answer, says."""
    try:
        return str(json.loads(body).get("message", ""))
    except (ValueError, AttributeError):
        return body.decode(errors="replace").strip()


def main(words: list[str]) -> int:
    """Run one command line."""
    try:
        host, command = parse(words)
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return COULD_NOT
    line = " ".join(command)
    pod = host.split(".")[0]
    if pod in ("localhost", socket.gethostname()):
        return subprocess.call(["sh", "-c", line])
    try:
        seconds = float(os.environ.get("ATHANOR_LAUNCH_SECONDS", "300"))
        channels = opened(pod, ["sh", "-c", line], seconds)
        return run(channels)
    except (Refused, OSError, EOFError, KeyError) as problem:
        print(f"ssh: {host}: {problem}", file=sys.stderr)
        return COULD_NOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
