"""A pod as a row: what its containers' states add up to, in kubectl's words.

Pages of pods are the tables people look at most, so only what is printed is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from athanor.wire.printing.duration import human, moment_of, since

NONE = "<none>"


class _Part(Struct, frozen=True, gc=False, rename="camel"):
    """A part of a pod as far as it is printed."""


class _Terminated(_Part, frozen=True, gc=False):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    finished_at: str | None = None

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        return f"Signal:{self.signal}" if self.signal else f"ExitCode:{self.exit_code}"


class _Waiting(_Part, frozen=True, gc=False):
    reason: str | None = None


class _Running(_Part, frozen=True, gc=False):
    pass


class _State(_Part, frozen=True, gc=False):
    waiting: _Waiting | None = None
    running: _Running | None = None
    terminated: _Terminated | None = None


class _Status(_Part, frozen=True, gc=False):
    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: _State | None = None
    last_state: _State | None = None


class _Condition(_Part, frozen=True, gc=False):
    type: str = ""
    status: str = ""
    reason: str = ""


class _Address(_Part, frozen=True, gc=False):
    ip: str = NONE


class PodStatus(_Part, frozen=True, gc=False):
    """The status as far as it is printed."""

    phase: str = ""
    reason: str | None = None
    conditions: list[_Condition] | None = None
    container_statuses: list[_Status] | None = None
    init_container_statuses: list[_Status] | None = None
    pod_ips: list[_Address] | None = field(default=None, name="podIPs")
    nominated_node_name: str | None = None

    def is_true(self, type_: str) -> bool:
        """Whether a condition is met."""
        return any(c.type == type_ and c.status == "True" for c in self.conditions or ())


class _Container(_Part, frozen=True, gc=False):
    name: str = ""
    restart_policy: str | None = None


class _Gate(_Part, frozen=True, gc=False):
    condition_type: str = ""


class _Spec(_Part, frozen=True, gc=False):
    containers: list[_Running] | None = None  # only counted
    init_containers: list[_Container] | None = None
    readiness_gates: list[_Gate] | None = None
    node_name: str | None = None


class _Meta(_Part, frozen=True, gc=False):
    name: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Pod(Struct, frozen=True, gc=False):
    """A pod as far as it is printed; its metadata also as it stands."""

    metadata: msgspec.Raw
    spec: _Spec = _Spec()
    status: PodStatus = PodStatus()


class _Bare(Struct):
    metadata: msgspec.Raw


_pod = msgspec.json.Decoder(Pod).decode
_bare = msgspec.json.Decoder(_Bare).decode
_meta = msgspec.json.Decoder(_Meta).decode


def read(body: bytes) -> Pod:
    """A stored pod, from its JSON; one with values of odd types shows its metadata only."""
    try:
        return _pod(body)
    except msgspec.ValidationError:
        return Pod(metadata=_bare(body).metadata)


def cells(pod: Pod, now: float) -> list[Any]:
    """Name, Ready, Status, Restarts, Age; IP, Node, Nominated Node, Readiness Gates."""
    meta, spec, status = _meta(pod.metadata), pod.spec, pod.status
    seen = _Seen(spec, status)
    if meta.deletion_timestamp:
        if status.reason == "NodeLost":
            seen.reason = "Unknown"
        elif status.phase not in ("Succeeded", "Failed"):
            seen.reason = "Terminating"
    restarts = str(seen.restarts)
    if seen.restarts and seen.last_restart is not None:
        restarts = f"{restarts} ({human(now - seen.last_restart)} ago)"
    return [
        meta.name,
        f"{seen.ready}/{seen.total}",
        seen.reason,
        restarts,
        since(meta.creation_timestamp, now),
        status.pod_ips[0].ip if status.pod_ips else NONE,
        spec.node_name or NONE,
        status.nominated_node_name or NONE,
        _gates(spec.readiness_gates, status) if spec.readiness_gates else NONE,
    ]


def _gates(gates: Sequence[_Gate], status: PodStatus) -> str:
    return f"{sum(status.is_true(gate.condition_type) for gate in gates)}/{len(gates)}"


class _Seen:
    """What the containers' statuses add up to."""

    def __init__(self, spec: _Spec, status: PodStatus) -> None:
        self.ready = 0
        self.total = len(spec.containers or ())
        self.restarts = 0
        self.last_restart: float | None = None
        self.reason = status.reason or status.phase
        for condition in status.conditions or ():
            if condition.reason == "SchedulingGated":
                self.reason = "SchedulingGated"
        initializing = False
        if spec.init_containers:
            initializing = self._init(spec.init_containers, status)
        if not initializing or status.is_true("Initialized"):
            self._main(status)

    def _init(self, containers: Sequence[_Container], status: PodStatus) -> bool:
        """Count init containers; True when one of them still keeps the pod from starting."""
        sidecars = {c.name for c in containers if c.restart_policy == "Always"}
        self.total += len(sidecars)
        of_sidecars, last_of_sidecars = 0, None
        blocked = False
        for number, container in enumerate(status.init_container_statuses or ()):
            self._count(container)
            sidecar = container.name in sidecars
            if sidecar:
                of_sidecars += container.restart_count
                last_of_sidecars = _later(last_of_sidecars, _last_end(container))
            if not self._init_done(container, sidecar):
                self.reason = _init_reason(container, number, len(containers))
                blocked = True
                break
        if not blocked or status.is_true("Initialized"):
            self.restarts, self.last_restart = of_sidecars, last_of_sidecars
        return blocked

    def _init_done(self, container: _Status, sidecar: bool) -> bool:
        ended = container.state.terminated if container.state else None
        if ended is not None and ended.exit_code == 0:
            return True
        if sidecar and container.started:
            self.ready += container.ready
            return True
        return False

    def _main(self, status: PodStatus) -> None:
        running = False
        for container in reversed(status.container_statuses or ()):
            self._count(container)
            state = container.state
            if state is None:
                continue
            if state.waiting is not None and state.waiting.reason:
                self.reason = state.waiting.reason
            elif state.terminated is not None:
                self.reason = str(state.terminated)
            elif container.ready and state.running is not None:
                running = True
                self.ready += 1
        if running and self.reason == "Completed":
            self.reason = "Running" if status.is_true("Ready") else "NotReady"

    def _count(self, container: _Status) -> None:
        self.restarts += container.restart_count
        if container.last_state is not None:
            self.last_restart = _later(self.last_restart, _last_end(container))


def _init_reason(container: _Status, number: int, total: int) -> str:
    state = container.state or _State()
    if state.terminated is not None:
        return f"Init:{state.terminated}"
    if state.waiting and state.waiting.reason not in (None, "", "PodInitializing"):
        return f"Init:{state.waiting.reason}"
    return f"Init:{number}/{total}"


def _last_end(container: _Status) -> float | None:
    ended = container.last_state.terminated if container.last_state else None
    if ended is None or not ended.finished_at:
        return None
    try:
        return moment_of(ended.finished_at)
    except ValueError:
        return None


def _later(one: float | None, other: float | None) -> float | None:
    return max(one, other) if one is not None and other is not None else one or other
