"""What the whole node shares with each of its pods' workers."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from msgspec import Struct

from athanor.api.core import ConfigMap, Namespace, Secret
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.local.agent.claims import Claims
from athanor.local.agent.devices import Devices
from athanor.local.agent.executed import Executor
from athanor.local.agent.launch import tag
from athanor.local.agent.overlay import Overlays
from athanor.local.agent.ports import PortBlocks
from athanor.local.agent.supervised import Supervised
from athanor.local.agent.uids import Uids
from athanor.wire import calls
from athanor.wire.status import ApiError

UID_ANNOTATION = "athanor.dev/uid"
ROOT_CA = "kube-root-ca.crt"
_KNOWN = 5.0  # seconds that a namespace's user is not asked for again


class Joined(Struct, frozen=True, kw_only=True):
    """What belongs to a node of a cluster whose API server is not the platform's own."""

    client_ca: str  # a file: who vouches for the API server's client certificate
    labels: dict[str, str] = {}
    taints: tuple[dict[str, str], ...] = ()


class Settings(Struct, frozen=True, kw_only=True):
    """How this agent was started."""

    name: str
    data: Path
    address: str = "127.0.0.1"
    network: str = "10.88.0.0/16"
    isolation: str = "best"
    egress: bool = True  # whether pods with networks of their own reach other machines
    allowed_roots: tuple[str, ...] = ()
    simulate_gpus: str = ""
    api: tuple[str, int] = ("127.0.0.1", 0)
    ca: str = ""
    max_pods: int = 2000
    port: int = 0  # of the kubelet's endpoints; 0 takes a free one
    joined: Joined | None = None

    @property
    def tag(self) -> str:
        """A short name of the data directory, unique on the machine."""
        return tag(self.data)

    @property
    def pods(self) -> Path:
        """Folders of the pods: volumes and files."""
        return self.data / "node" / "pods"

    @property
    def logs(self) -> Path:
        """Log files of the containers."""
        return self.data / "node" / "logs"

    @property
    def archive(self) -> Path:
        """Logs of pods that are gone."""
        return self.data / "node" / "archive"

    @property
    def claims(self) -> Path:
        """Folders of the local StorageClass."""
        return self.data / "node" / "claims"

    @property
    def library(self) -> Path:
        """The folder that is on every pod's PYTHONPATH."""
        return self.data / "node" / "lib"


class Node(Struct, kw_only=True):
    """The shared parts."""

    settings: Settings
    client: Client
    clock: Clock
    supervised: Supervised
    hello: JSON
    executor: Executor
    devices: Devices
    ports: PortBlocks
    overlays: Overlays
    claims: Claims
    uids: Uids
    users: dict[str, tuple[float, int]] = {}  # of namespaces: until when it is known, and who
    authorities: dict[str, JSON] = {}

    async def uid_of(self, namespace: str) -> int:
        """Whom a namespace's pods run as: its annotation says, which only administrators write.

        Without one, an unprivileged number of the namespace's own; without root, ourselves. Asked
        again soon: a namespace may be deleted, and another one have its name. Raises OSError.
        """
        if os.getuid() != 0:
            return os.getuid()
        now = self.clock.monotonic()
        until, uid = self.users.get(namespace, (0.0, 0))
        if until <= now:
            said = ""
            try:
                found = await self.client(calls.get(Namespace, namespace))
                said = found.metadata.annotations.get(UID_ANNOTATION, "")
            except ApiError as error:
                if error.code != 403:  # a cluster's nodes may not read namespaces
                    raise
            named = said.isdecimal() and int(said) > 0
            uid = int(said) if named else self.uids.of(namespace)
            self.users[namespace] = (now + _KNOWN, uid)
        return uid

    async def read(self, kind: str, namespace: str, name: str) -> JSON | None:
        """A ConfigMap or Secret, or None. The authority's certificate is kept: it never changes."""
        kept = self.authorities.get(namespace)
        if name == ROOT_CA and kept is not None:
            return kept
        resource = of(ConfigMap) if kind == "ConfigMap" else of(Secret)
        try:
            found = await self.client(calls.raw("GET", resource.path(namespace, name)))
        except ApiError as error:
            if error.code not in (403, 404):
                raise
            return None
        if name == ROOT_CA:
            self.authorities[namespace] = found
        return found

    async def dial_datagrams(self, pod: str, address: str, port: int) -> socket.socket:
        """A UDP socket in a pod's network that speaks to one port. Raises OSError, Refused."""
        _, files = await self.supervised.ask_files("socket", pod=pod, udp=True)
        sock = socket.socket(fileno=files[0])
        sock.setblocking(False)
        try:
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    async def dial(
        self, pod: str, address: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect from inside a pod's network. Raises OSError, Refused."""
        loop = asyncio.get_running_loop()
        _, files = await self.supervised.ask_files("socket", pod=pod)
        sock = socket.socket(fileno=files[0])
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (address, port))
        except OSError:
            sock.close()
            raise
        return await asyncio.open_connection(sock=sock)

    @property
    def apart(self) -> bool:
        """Whether pods have namespaces of their own."""
        return bool(self.hello["isolation"] != "process")


def log_path(settings: Settings, pod: JSON, container: str, attempt: int) -> Path:
    """Where a run's output lies."""
    return log_folder(settings, pod) / container / f"{attempt}.log"


def log_folder(settings: Settings, pod: JSON) -> Path:
    """Where the output of a pod's containers lies."""
    meta = pod["metadata"]
    return settings.logs / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
