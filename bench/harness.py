"""What the figures share: the line they print, CPU time of processes, a server to measure.

The server is the real one as a process: SQLite on disk with full sync, TLS 1.3, RBAC and audit on.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import yaml
from msgspec import Struct

from athanor.assembly.layout import DataDir
from athanor.client.kubeconfig import load
from athanor.client.sync import SyncHttp
from athanor.client.target import Target, context
from athanor.kit.clock import SystemClock
from athanor.local.pki import Pki
from athanor.wire import calls
from athanor.wire.status import ApiError
from tests.conformance.kube import guard


class Figure(Struct, kw_only=True):
    """One measured figure and its bar."""

    name: str
    value: float
    unit: str
    limit: float
    better: Literal["low", "high"]
    runs: int = 1
    machine: str = ""
    ok: bool = False

    def line(self) -> str:
        """The JSON line, complete."""
        self.value = float(f"{self.value:.4g}")
        self.ok = self.value <= self.limit if self.better == "low" else self.value >= self.limit
        self.machine = machine()
        return msgspec.json.encode(self).decode()


def machine() -> str:
    """Cores, processor and kernel in a few words."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}"


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, in nanoseconds' steps.

    By the process's CPU clock (clock_getcpuclockid(3)): /proc counts in steps of 10 ms, which is
    a tenth of what a short run takes.
    """
    return time.clock_gettime((~pid << 3) | 2)


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which a part (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Served(Struct):
    """A running API server: its process, its folder, an administrator and an ordinary user."""

    pid: int
    folder: Path
    admin: Target
    user: Target


Server = Callable[[], AbstractContextManager[Served]]
"""Starts an API server and ends it."""


@contextmanager
def api_server() -> Iterator[Served]:
    """The API server alone, on a free port of loopback, in a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as scratch:
        data = DataDir(Path(scratch))
        data.make()
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        port = listening.getsockname()[1]
        url = f"https://127.0.0.1:{port}"
        pki = Pki(data.pki, SystemClock().now())
        admin, user = Path(scratch) / "admin", Path(scratch) / "user"
        for file, name, groups in ((admin, "admin", ["system:masters"]), (user, "bench", [])):
            said = yaml.safe_load(pki.kubeconfig(name, groups, url, "default"))
            file.write_text(json.dumps(said))  # as `athanor up` writes it
        with (Path(scratch) / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "athanor.assembly.server", "--data", scratch,
                 "--sockets", str(listening.fileno())],
                pass_fds=[listening.fileno()], stdout=log, stderr=log,
                process_group=guard.group(),
            )  # fmt: skip
        listening.close()
        try:
            served = Served(
                process.pid, Path(scratch), load([admin]).target(), load([user]).target()
            )
            _wait(served, process)
            _grant(served)
            yield served
        finally:
            process.terminate()
            process.wait(30)


def _wait(served: Served, process: subprocess.Popen[bytes]) -> None:
    """Until /readyz says so."""
    transport = SyncHttp(served.admin, timeout=5)
    for _ in range(200):
        try:
            if transport.send(calls.raw("GET", "/readyz").request).status == 200:
                transport.close()
                return
        except ApiError:
            if process.poll() is not None:
                break
        time.sleep(0.05)
    raise RuntimeError((served.folder / "server.log").read_text())


def _grant(served: Served) -> None:
    """The user may do what is measured, by RBAC."""
    client = SyncHttp(served.admin)
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["", "athanor.dev"], "resources": ["*"], "verbs": ["*"]}]
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "bench"}}
    subject = {"kind": "User", "name": "bench", "apiGroup": rbac}
    ref = {"kind": "ClusterRole", "name": "bench", "apiGroup": rbac}
    base = f"/apis/{rbac}/v1"
    client(calls.raw("POST", f"{base}/clusterroles", body={**role, "rules": rules}))
    binding = {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "bench"},
        "subjects": [subject], "roleRef": ref,
    }  # fmt: skip
    client(calls.raw("POST", f"{base}/clusterrolebindings", body=binding))
    client.close()


class Raw:
    """The cheapest HTTP/1.1 client: what is measured is the server, not this."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str = ""
    ) -> None:
        self.reader, self.writer = reader, writer
        self._head = "Host: bench\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")

    @classmethod
    async def connect(cls, target: Target, tls: ssl.SSLContext | None = None) -> Raw:
        """One connection."""
        host, _, port = target.server.removeprefix("https://").partition(":")
        settings = tls or context(target)
        return cls(
            *await asyncio.open_connection(
                host, int(port), ssl=settings, server_hostname=host, limit=1 << 26
            ),
            token=target.bearer(),
        )

    async def ask(
        self, method: str, path: str, body: bytes = b"", accept: str = "application/json",
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:  # fmt: skip
        """Status and body of one request."""
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\n{self._head}Content-Type: {content_type}\r\n"
            f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if b"transfer-encoding: chunked" in head:
            return status, await self._chunked()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return status, await self.reader.readexactly(length)

    async def _chunked(self) -> bytes:
        chunks = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            chunks.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(chunks)

    async def follow(self, path: str) -> None:
        """Begin a stream; `reader` then has its chunks."""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()
