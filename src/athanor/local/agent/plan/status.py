"""A pod's status as a kubelet writes it: phase, conditions, container states, QoS class."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.kit.times import rfc3339
from athanor.local.agent.plan.observed import Health, Hold, Observed, Run
from athanor.local.agent.plan.qos import qos_class

_FINE = Health()


def build(
    seen: Observed,
    waiting: Mapping[str, Hold],
    now: float,
    *,
    ended: Hold | None = None,
    done: bool = False,
) -> JSON:
    """The whole status. `ended` is why the pod is ended early; `done`: nothing of it runs."""
    spec, old = seen.pod["spec"], seen.pod.get("status") or {}
    final = old.get("phase") if old.get("phase") in ("Succeeded", "Failed") else ""
    inits = [_container(seen, c, waiting, init=True) for c in spec.get("initContainers") or []]
    mains = [_container(seen, c, waiting, init=False) for c in spec["containers"]]
    if seen.refused is not None and not seen.runs:
        inits, mains = [], []
    phase = final or _phase(seen, inits, ended, done)
    said: JSON = {
        "phase": phase,
        "observedGeneration": seen.pod["metadata"].get("generation") or None,
        "hostIP": seen.host_ip,
        "hostIPs": [{"ip": seen.host_ip}],
        "startTime": old.get("startTime") or rfc3339(now),
        "qosClass": old.get("qosClass") or qos_class(spec),
        "conditions": _conditions(seen, phase, inits, mains, now),
        "containerStatuses": mains or None,
        "initContainerStatuses": inits or None,
        "reason": ended.reason if ended else old.get("reason"),
        "message": ended.message if ended else old.get("message"),
    }
    if address := seen.address or (seen.host_ip if spec.get("hostNetwork") else ""):
        said["podIP"], said["podIPs"] = address, [{"ip": address}]
    return said


def restarts(policy: str, run: Run) -> bool:
    """Whether an ended run is followed by another."""
    return policy == "Always" or (policy == "OnFailure" and run.exit_code != 0)


def container_id(uid: str, name: str, attempt: int) -> str:
    """A run's id, the same however often it is asked for."""
    return "athanor://" + hashlib.sha256(f"{uid}/{name}/{attempt}".encode()).hexdigest()


def terminated(uid: str, run: Run) -> JSON:
    """An ended run as ContainerStateTerminated."""
    default = "Completed" if run.exit_code == 0 else "Error"
    said: JSON = {
        "exitCode": run.exit_code,
        "reason": run.reason or default,
        "startedAt": rfc3339(run.started_at),
        "finishedAt": rfc3339(run.finished_at or 0.0),
        "containerID": container_id(uid, run.name, run.attempt),
    }
    if run.message:
        said["message"] = run.message
    if run.signal:
        said["signal"] = run.signal
    return said


def _container(seen: Observed, container: JSON, waiting: Mapping[str, Hold], *, init: bool) -> JSON:
    name, uid = container["name"], seen.pod["metadata"].get("uid", "")
    mine = sorted((r for r in seen.runs if r.name == name), key=lambda r: -r.attempt)
    run = mine[0] if mine else None
    before = mine[1] if len(mine) > 1 else None
    said: JSON = {
        "name": name,
        "image": container.get("image") or "host",
        "imageID": container.get("image") or "host",
        "restartCount": run.attempt if run else 0,
        "ready": False,
        "started": False,
        "state": {},
        "lastState": {},
    }
    if resources := container.get("resources"):
        said["resources"] = resources
        if requests := resources.get("requests"):
            said["allocatedResources"] = requests
    health = seen.health.get(name, _FINE)
    hold = waiting.get(name)
    if run is not None:
        said["containerID"] = container_id(uid, name, run.attempt)
    if run is None:
        hold = hold or _not_yet(seen, init)
        said["state"]["waiting"] = _waiting(hold)
    elif run.running:
        said["state"]["running"] = {"startedAt": rfc3339(run.started_at)}
        sidecar = container.get("restartPolicy") == "Always"
        said["started"] = health.started
        said["ready"] = health.started and health.ready and (sidecar or not init)
    elif hold is not None:
        said["state"]["waiting"] = _waiting(hold)
        before = run
    else:
        said["state"]["terminated"] = terminated(uid, run)
        said["ready"] = init and run.exit_code == 0
    if before is not None:
        said["lastState"]["terminated"] = terminated(uid, before)
    return said


def _not_yet(seen: Observed, init: bool) -> Hold:
    has_init = bool(seen.pod["spec"].get("initContainers"))
    return Hold("PodInitializing" if has_init and (init or has_init) else "ContainerCreating")


def _waiting(hold: Hold) -> JSON:
    return {"reason": hold.reason, **({"message": hold.message} if hold.message else {})}


def _newest(seen: Observed, name: str) -> Run | None:
    mine = [run for run in seen.runs if run.name == name]
    return max(mine, key=lambda run: run.attempt) if mine else None


def _phase(seen: Observed, inits: list[JSON], ended: Hold | None, done: bool) -> str:
    spec = seen.pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    deleted = bool(seen.pod["metadata"].get("deletionTimestamp"))
    if ended is not None:
        old: str = (seen.pod.get("status") or {}).get("phase") or "Pending"
        return "Failed" if done else old
    runs = [_newest(seen, c["name"]) for c in spec["containers"]]
    begun = any(run is not None for run in runs)
    for said, container in zip(inits, spec.get("initContainers") or [], strict=True):
        end = said["state"].get("terminated")
        sidecar = container.get("restartPolicy") == "Always"
        if end and end["exitCode"] and not sidecar and policy == "Never":
            return "Failed"
        if not begun and not (said["ready"] or (sidecar and said["started"])):
            return "Failed" if deleted and done and seen.runs else "Pending"
    if not begun:
        return "Failed" if deleted and done and seen.runs else "Pending"
    if any(run is None for run in runs):
        return "Pending"
    ends = [run for run in runs if run is not None and not run.running]
    if len(ends) < len(runs) or any(run.running for run in seen.runs):
        return "Running"
    bad = any(run.exit_code for run in ends)
    if deleted and done:
        return "Failed" if bad else "Succeeded"
    if any(restarts(policy, run) for run in ends):
        return "Running"
    return "Failed" if bad else "Succeeded"


def _conditions(
    seen: Observed, phase: str, inits: list[JSON], mains: list[JSON], now: float
) -> list[JSON]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    pairs = list(zip(seen.pod["spec"].get("initContainers") or [], inits, strict=False))
    begun = any("running" in m["state"] or m["restartCount"] or m["lastState"] for m in mains)
    uninitialized = [
        said["name"]
        for container, said in pairs
        if not (said["ready"] or (container.get("restartPolicy") == "Always" and said["started"]))
    ]
    missing = [] if begun or over == "PodCompleted" else uninitialized
    sidecars = [said for c, said in pairs if c.get("restartPolicy") == "Always"]
    unready = [said["name"] for said in [*mains, *sidecars] if not said["ready"]]
    ready = ("False", over, "") if over else _ready(unready)
    initialized = (
        ("False", "ContainersNotInitialized", _names("incomplete", missing))
        if missing
        else ("True", over if over == "PodCompleted" else "", "")
    )
    now_text = rfc3339(now)
    found = {
        "PodReadyToStartContainers": ("True" if seen.sandboxed and not over else "False", "", ""),
        "Initialized": initialized,
        "Ready": _gated(seen, ready),
        "ContainersReady": ready,
        "PodScheduled": ("True", "", ""),
    }
    old = {c["type"]: c for c in (seen.pod.get("status") or {}).get("conditions") or []}
    said = [_condition(kind, *value, old.get(kind), now_text) for kind, value in found.items()]
    return said + [c for kind, c in old.items() if kind not in found]


def _ready(unready: list[str]) -> tuple[str, str, str]:
    if unready:
        return ("False", "ContainersNotReady", _names("unready", unready))
    return ("True", "", "")


def _gated(seen: Observed, ready: tuple[str, str, str]) -> tuple[str, str, str]:
    gates = [g["conditionType"] for g in seen.pod["spec"].get("readinessGates") or []]
    have = {
        c["type"]
        for c in (seen.pod.get("status") or {}).get("conditions") or []
        if c.get("status") == "True"
    }
    closed = [gate for gate in gates if gate not in have]
    if ready[0] == "True" and closed:
        said = "; ".join(f'corresponding condition of pod readiness gate "{g}" is not True'
                         for g in closed)  # fmt: skip
        return ("False", "ReadinessGatesNotReady", said)
    return ready


def _names(what: str, names: list[str]) -> str:
    return f"containers with {what} status: [{' '.join(names)}]"


def _condition(
    kind: str, value: str, reason: str, message: str, old: JSON | None, now: str
) -> JSON:  # fmt: skip
    same = old is not None and old.get("status") == value
    since = (old or {}).get("lastTransitionTime") if same else None
    said: JSON = {
        "type": kind,
        "status": value,
        "lastProbeTime": None,
        "lastTransitionTime": since or now,
    }
    if reason:
        said["reason"] = reason
    if message:
        said["message"] = message
    return said
