"""The audit log: who did what, one JSON line a request, in rotated files of mode 0600.

Lines are `audit.k8s.io/v1` Events at level Metadata: never a body, so never a secret. Every write
is recorded, every refusal, and every reading of Secrets; other reads, and the heartbeats of nodes
and leaders, are not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339_micro
from athanor.local.apiserver.route import Target
from athanor.wire.request import Request, User

FILE_BYTES = 64 << 20
"""Size at which a file is rotated away."""
FILES = 5
"""How many rotated files are kept."""
FLUSH = 0.2
"""Seconds that lines wait for company before they are written."""

_READS = frozenset(("get", "list", "watch", "head", "options"))
_HEARTBEATS = frozenset(("leases", "events", "tokenreviews", "subjectaccessreviews"))
_log = logging.getLogger(__name__)


class _ObjectRef(Struct, rename="camel", omit_defaults=True):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    api_group: str = ""
    api_version: str = ""
    subresource: str = ""


class _Status(Struct):
    code: int


class _Who(Struct):
    username: str
    groups: tuple[str, ...]


class _Event(Struct, rename="camel"):
    level: str
    audit_id: str = msgspec.field(name="auditID")
    stage: str
    request_uri: str = msgspec.field(name="requestURI")
    verb: str
    user: _Who
    source_ips: tuple[str, ...] = msgspec.field(name="sourceIPs")
    user_agent: str
    object_ref: _ObjectRef
    response_status: _Status
    request_received_timestamp: str
    stage_timestamp: str
    kind: str = "Event"
    api_version: str = "audit.k8s.io/v1"


_NOBODY = User(name="")
_encode = msgspec.json.Encoder().encode


class Audit:
    """An audit log in one file and its predecessors (`NAME.1` is the youngest)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = -1
        self._size = 0
        self._failing = False

    def wants(self, target: Target | None, code: int) -> bool:
        """Whether the policy records such a request."""
        if target is None or code in (401, 403):
            return True
        if target.verb in _READS:
            return target.resource == "secrets"
        return target.resource not in _HEARTBEATS

    def record(
        self, request: Request, target: Target | None, user: User | None, code: int, took: float
    ) -> None:
        """Note an answered request; `took` is in seconds."""
        if not self.wants(target, code):
            return
        now = self._clock.now()
        target = target or Target(request.method.lower(), request.path)
        who = user or _NOBODY
        event = _Event(
            level="Metadata",
            audit_id=request.headers.get("audit-id") or secrets.token_hex(8),
            stage="ResponseComplete",
            request_uri=request.path,
            verb=target.verb,
            user=_Who(who.name, who.groups),
            source_ips=(request.remote,),
            user_agent=request.headers.get("user-agent", ""),
            object_ref=_ObjectRef(
                target.resource, target.namespace, target.name, target.group, target.version,
                target.subresource,
            ),
            response_status=_Status(code),
            request_received_timestamp=rfc3339_micro(now - took),
            stage_timestamp=rfc3339_micro(now),
        )  # fmt: skip
        self._lines.append(_encode(event))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH, self.flush)

    def flush(self) -> None:
        """Write what has gathered. A full disk costs lines, not requests, and is logged once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        data = b"\n".join(self._lines) + b"\n"
        self._lines.clear()
        try:
            if self._descriptor < 0 or self._size + len(data) > FILE_BYTES:
                self._rotate()
            written = os.write(self._descriptor, data)
            self._size += written
            self._failing = False
        except OSError as error:
            if not self._failing:
                _log.error("audit lines are lost, %s cannot be written: %s", self._path, error)
            self._failing = True

    def close(self) -> None:
        """Write the rest and close."""
        self.flush()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _rotate(self) -> None:
        """Open the file, after moving a full one away."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        path = self._path
        if path.exists() and path.stat().st_size >= FILE_BYTES // 2:
            for number in range(FILES - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            path.replace(path.with_name(f"{path.name}.1"))
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
