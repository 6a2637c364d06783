"""A pod's life: which containers to start and stop now, in a kubelet's order.

Order of precedence: over (phase final) → deleted → refused or past its deadline → init
containers one by one, sidecars among them → the main containers → sidecars end last.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.local.agent.plan import status
from athanor.local.agent.plan.observed import (
    EVICTED,
    Action,
    Decision,
    Finish,
    Health,
    Hold,
    Observed,
    Remove,
    Run,
    Start,
    Stop,
)

EVICTION_GRACE = 1.0  # seconds, a kubelet's for local storage
BACK_OFF_FIRST, BACK_OFF_MOST, BACK_OFF_FORGET = 10.0, 300.0, 600.0
_FINE = Health()


class Round(Struct):
    """What one planning round has gathered so far."""

    actions: list[Action]
    waiting: dict[str, Hold]
    wake: float | None = None

    def at(self, moment: float) -> None:
        """Look again no later than `moment`."""
        self.wake = moment if self.wake is None else min(self.wake, moment)


def plan(seen: Observed, now: float) -> Decision:
    """What to do for this pod now, and what to report."""
    meta = seen.pod["metadata"]
    over = (seen.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    reason = _ending(seen, now)
    turn = Round([], {})
    if over or meta.get("deletionTimestamp") or reason is not None:
        stop_all(seen, now, turn, reason)
        idle = not any(run.running for run in seen.runs)
        if idle:
            turn.actions.append(Finish())
            if meta.get("deletionTimestamp"):
                turn.actions.append(Remove())
        said = status.build(seen, turn.waiting, now, ended=reason, done=idle)
        if over and idle:  # what was reported of a pod that is over stays said
            said = seen.pod["status"]
        return Decision(actions=tuple(turn.actions), status=said, wake=turn.wake)
    _run(seen, now, turn)
    finished = _all_over(seen)
    if finished:
        _end_sidecars(seen, turn)
        if not any(run.running for run in seen.runs):
            turn.actions.append(Finish())
    if (deadline := _deadline(seen)) is not None:
        turn.at(deadline)
    said = status.build(seen, turn.waiting, now)
    return Decision(actions=tuple(turn.actions), status=said, wake=turn.wake)


def newest(runs: Sequence[Run], name: str) -> Run | None:
    """The latest run of a container."""
    mine = [run for run in runs if run.name == name]
    return max(mine, key=lambda run: run.attempt) if mine else None


def is_sidecar(container: JSON) -> bool:
    """An init container that keeps running (KEP-753)."""
    return container.get("restartPolicy") == "Always"


def back_off(level: int) -> float:
    """Seconds between a container's end and its next start: 0, 10, 20, 40 … 300."""
    return 0.0 if level <= 0 else min(BACK_OFF_MOST, BACK_OFF_FIRST * 2 ** (min(level, 9) - 1))


def grace_of(pod: JSON) -> float:
    """Seconds a pod's containers get between SIGTERM and SIGKILL."""
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if grace is None else float(grace)


def stop_all(seen: Observed, now: float, turn: Round, reason: Hold | None) -> None:
    """Stop main and init containers; sidecars when those are gone, in reverse order."""
    meta, spec = seen.pod["metadata"], seen.pod["spec"]
    grace = grace_of(seen.pod)
    if meta.get("deletionTimestamp"):
        # the timestamp is cut to whole seconds: nobody gets less than was granted
        left = parse_rfc3339(meta["deletionTimestamp"]) + 1 - now
        grace = min(float(meta.get("deletionGracePeriodSeconds") or 0), max(0.0, left))
    if reason is not None and reason.reason == EVICTED:
        grace = min(grace, EVICTION_GRACE)
    side = [c["name"] for c in spec.get("initContainers") or [] if is_sidecar(c)]
    running = [run for run in seen.runs if run.running]
    first = [run for run in running if run.name not in side]
    then = sorted(
        (run for run in running if run.name in side), key=lambda r: side.index(r.name), reverse=True
    )
    for run in first or then[:1]:
        why = reason.reason if reason else "Killing"
        turn.actions.append(Stop(name=run.name, attempt=run.attempt, grace=grace, reason=why))


def _ending(seen: Observed, now: float) -> Hold | None:
    if seen.refused is not None:
        return seen.refused
    deadline = _deadline(seen)
    if deadline is not None and deadline <= now:
        return Hold(
            "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
        )
    return None


def _deadline(seen: Observed) -> float | None:
    limit = seen.pod["spec"].get("activeDeadlineSeconds")
    since = (seen.pod.get("status") or {}).get("startTime")
    return parse_rfc3339(since) + limit if limit is not None and since else None


def _run(seen: Observed, now: float, turn: Round) -> None:
    spec = seen.pod["spec"]
    mains: list[JSON] = spec["containers"]
    begun = any(newest(seen.runs, c["name"]) for c in mains)
    if not _initialize(seen, now, turn, begun) and not begun:
        for container in mains:
            hold = Hold("PodInitializing") if spec.get("initContainers") else None
            turn.waiting[container["name"]] = hold or Hold("ContainerCreating")
        return
    policy = spec.get("restartPolicy", "Always")
    for container in mains:
        _keep(seen, container, policy, now, turn)


def _initialize(seen: Observed, now: float, turn: Round, begun: bool) -> bool:
    """Drive the init containers; True when the main ones may start."""
    spec = seen.pod["spec"]
    policy = "Never" if spec.get("restartPolicy") == "Never" else "OnFailure"
    over = _all_over(seen)
    for container in spec.get("initContainers") or []:
        name = container["name"]
        run = newest(seen.runs, name)
        if is_sidecar(container):
            if over:
                continue
            _keep(seen, container, "Always", now, turn)
            up = run is not None and run.running and seen.health.get(name, _FINE).started
            if not up and not begun:
                return False
            continue
        if begun:
            continue
        if run is None or run.running or run.exit_code != 0:
            _keep(seen, container, policy, now, turn)
            return False
    return True


def _keep(seen: Observed, container: JSON, policy: str, now: float, turn: Round) -> None:
    """Keep one container as its restart policy wants it."""
    name = container["name"]
    run = newest(seen.runs, name)
    hold = seen.holds.get(name)
    if run is None:
        if hold is not None:
            turn.waiting[name] = hold
            turn.at(now + again(hold))
        else:
            turn.actions.append(Start(name, 0, 0))
        return
    if run.running:
        health = seen.health.get(name, _FINE)
        if not health.alive and not run.stopping:
            probe = "liveness" if health.started else "startup"
            turn.actions.append(
                Stop(
                    name=name, attempt=run.attempt, grace=_probe_grace(seen.pod, container),
                    reason="Unhealthy",
                    message=f"Container {name} failed {probe} probe, will be restarted",
                )
            )  # fmt: skip
        return
    if not status.restarts(policy, run):
        return
    level = _level(seen, run)
    ready_at = (run.finished_at or 0.0) + back_off(level)
    if hold is not None:
        turn.waiting[name] = hold
        turn.at(now + again(hold))
    elif ready_at <= now:
        turn.actions.append(Start(name, run.attempt + 1, level + 1))
    else:
        meta = seen.pod["metadata"]
        turn.waiting[name] = Hold(
            "CrashLoopBackOff",
            f"back-off {_duration(back_off(level))} restarting failed container={name} "
            f"pod={meta['name']}_{meta.get('namespace', '')}({meta.get('uid', '')})",
        )
        turn.at(ready_at)


def _level(seen: Observed, run: Run) -> int:
    if (run.finished_at or 0.0) - run.started_at >= BACK_OFF_FORGET:
        return 0
    return seen.levels.get(run.name, 0)


def again(hold: Hold) -> float:
    """Seconds until a container that could not be made is tried again."""
    return 1.0 if hold.reason == "ContainerCreating" else BACK_OFF_FIRST


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _probe_grace(pod: JSON, container: JSON) -> float:
    for kind in ("livenessProbe", "startupProbe"):
        grace = (container.get(kind) or {}).get("terminationGracePeriodSeconds")
        if grace is not None:
            return float(grace)
    return grace_of(pod)


def _all_over(seen: Observed) -> bool:
    """Whether the main containers have ended for good, or an init container has."""
    spec = seen.pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    for container in spec.get("initContainers") or []:
        run = newest(seen.runs, container["name"])
        failed = run is not None and not run.running and run.exit_code != 0
        if failed and policy == "Never" and not is_sidecar(container):
            return True
    runs = [newest(seen.runs, c["name"]) for c in spec["containers"]]
    return all(
        run is not None and not run.running and not status.restarts(policy, run) for run in runs
    )


def _end_sidecars(seen: Observed, turn: Round) -> None:
    names = [c["name"] for c in seen.pod["spec"].get("initContainers") or [] if is_sidecar(c)]
    for name in reversed(names):
        run = newest(seen.runs, name)
        if run is not None and run.running:
            turn.actions.append(
                Stop(
                    name=name, attempt=run.attempt, grace=grace_of(seen.pod), reason="Completed"
                )
            )  # fmt: skip
            return
