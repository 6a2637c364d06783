"""A pod as a row: what its containers' states add up to, in kubectl's words."""

from __future__ import annotations

from typing import Any

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.wire.printing.duration import human, since

NONE = "<none>"


def pod(obj: JSON, now: float) -> list[Any]:
    """Name, Ready, Status, Restarts, Age; IP, Node, Nominated Node, Readiness Gates."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    seen = _Seen(spec, status)
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            seen.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            seen.reason = "Terminating"
    restarts = str(seen.restarts)
    if seen.restarts and seen.last_restart is not None:
        restarts = f"{restarts} ({human(now - seen.last_restart)} ago)"
    addresses = status.get("podIPs")
    gates = spec.get("readinessGates")
    return [
        meta.get("name", ""),
        f"{seen.ready}/{seen.total}",
        seen.reason,
        restarts,
        since(meta.get("creationTimestamp"), now),
        addresses[0].get("ip", NONE) if addresses else NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(gates, status) if gates else NONE,
    ]


def _gates(gates: list[JSON], status: JSON) -> str:
    true = {c["type"] for c in status.get("conditions") or () if c.get("status") == "True"}
    return f"{sum(g.get('conditionType') in true for g in gates)}/{len(gates)}"


class _Seen:
    """What the containers' statuses add up to."""

    def __init__(self, spec: JSON, status: JSON) -> None:
        self.ready = 0
        self.total = len(spec.get("containers") or ())
        self.restarts = 0
        self.last_restart: float | None = None
        self.reason: str = status.get("reason") or status.get("phase") or ""
        conditions = status.get("conditions") or ()
        if any(c.get("reason") == "SchedulingGated" for c in conditions):
            self.reason = "SchedulingGated"
        initializing = False
        if spec.get("initContainers"):
            initializing = self._init(spec["initContainers"], status)
        if not initializing or _is_true(conditions, "Initialized"):
            self._main(status.get("containerStatuses") or (), conditions)

    def _init(self, containers: list[JSON], status: JSON) -> bool:
        """Count init containers; True when one of them still keeps the pod from starting."""
        sidecars = {c.get("name") for c in containers if c.get("restartPolicy") == "Always"}
        self.total += len(sidecars)
        of_sidecars, last_of_sidecars = 0, None
        blocked = False
        for number, container in enumerate(status.get("initContainerStatuses") or ()):
            self._count(container)
            sidecar = container.get("name") in sidecars
            if sidecar:
                of_sidecars += container.get("restartCount", 0)
                last_of_sidecars = _later(last_of_sidecars, _last_end(container))
            if not self._init_done(container, sidecar):
                self.reason = _init_reason(container, number, len(containers))
                blocked = True
                break
        if not blocked or _is_true(status.get("conditions") or (), "Initialized"):
            self.restarts, self.last_restart = of_sidecars, last_of_sidecars
        return blocked

    def _init_done(self, container: JSON, sidecar: bool) -> bool:
        ended = (container.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode", 0) == 0:
            return True
        if sidecar and container.get("started"):
            self.ready += bool(container.get("ready"))
            return True
        return False

    def _main(self, statuses: list[JSON] | tuple[()], conditions: Any) -> None:
        running = False
        for container in reversed(statuses):
            self._count(container)
            state = container.get("state") or {}
            waiting, ended = state.get("waiting"), state.get("terminated")
            if waiting and waiting.get("reason"):
                self.reason = waiting["reason"]
            elif ended is not None:
                self.reason = ended.get("reason") or _exit(ended)
            elif container.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if _is_true(conditions, "Ready") else "NotReady"

    def _count(self, container: JSON) -> None:
        restarts = container.get("restartCount")
        if restarts:
            self.restarts += restarts
        if container.get("lastState"):
            self.last_restart = _later(self.last_restart, _last_end(container))


def _init_reason(container: JSON, number: int, total: int) -> str:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if ended is not None:
        return f"Init:{ended.get('reason') or _exit(ended)}"
    if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
        return f"Init:{waiting['reason']}"
    return f"Init:{number}/{total}"


def _exit(ended: JSON) -> str:
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _is_true(conditions: Any, type_: str) -> bool:
    return any(c.get("type") == type_ and c.get("status") == "True" for c in conditions)


def _last_end(container: JSON) -> float | None:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    moment = ended.get("finishedAt")
    try:
        return parse_rfc3339(moment) if moment else None
    except ValueError:
        return None


def _later(one: float | None, other: float | None) -> float | None:
    return max(one, other) if one is not None and other is not None else one or other
