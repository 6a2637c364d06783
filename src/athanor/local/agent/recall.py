"""What is known of a pod's containers: from the supervisor, and from the status reported before.

Pure: the supervisor's list and the pod in, runs out.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.local.agent.plan.observed import Run

LOST_CODE = 137
START_CODE = 128  # what container runtimes say of a program that could not be started


def key_of(uid: str, name: str, attempt: int) -> str:
    """The supervisor's key of a run."""
    return f"{uid}/{name}/{attempt}"


def run_of(seen: JSON) -> Run:
    """A run from an entry of the supervisor's list."""
    _, name, attempt = seen["key"].split("/")
    run = Run(name=name, attempt=int(attempt), started_at=seen["startedAt"])
    return ended(run, seen["exit"]) if seen.get("exit") else run


def ended(run: Run, exit_: JSON) -> Run:
    """The run with how it ended."""
    reason, message, code = "", "", exit_["code"]
    if failed := exit_.get("failed"):
        reason, message, code = "StartError", failed["message"], START_CODE
    elif exit_["oom"] and exit_["code"]:
        reason = "OOMKilled"
    return Run(
        name=run.name, attempt=run.attempt, started_at=exit_.get("startedAt", run.started_at),
        finished_at=exit_["finishedAt"], exit_code=code, signal=exit_["signal"],
        reason=reason, message=message,
    )  # fmt: skip


def lost(run: Run, now: float) -> Run:
    """A run whose supervisor died: it went with it."""
    return Run(
        name=run.name, attempt=run.attempt, started_at=run.started_at, finished_at=now,
        exit_code=LOST_CODE, reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
    )  # fmt: skip


def recall(pod: JSON, listed: Iterable[JSON], now: float) -> list[Run]:
    """Every run of a pod: what the supervisor lists wins over what the status remembers."""
    uid = pod["metadata"]["uid"]
    runs = {(run.name, run.attempt): run for run in _remembered(pod)}
    for seen in listed:
        if seen["key"].startswith(uid + "/"):
            run = run_of(seen)
            runs[run.name, run.attempt] = run
    known = {seen["key"] for seen in listed}
    return [
        lost(run, now) if run.running and key_of(uid, run.name, run.attempt) not in known else run
        for run in runs.values()
    ]


def _remembered(pod: JSON) -> Iterable[Run]:
    said = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for status in said.get(kind) or []:
            name, attempt = status["name"], status.get("restartCount", 0)
            state, last = status.get("state") or {}, status.get("lastState") or {}
            if "running" in state:
                started = parse_rfc3339(state["running"]["startedAt"])
                yield Run(name=name, attempt=attempt, started_at=started)
            elif "terminated" in state:
                yield _ended(name, attempt, state["terminated"])
            if "terminated" in last:
                waiting = "waiting" in state
                yield _ended(name, attempt if waiting else attempt - 1, last["terminated"])


def _ended(name: str, attempt: int, said: JSON) -> Run:
    started, finished = (said.get(k) or "1970-01-01T00:00:00Z" for k in ("startedAt", "finishedAt"))
    return Run(
        name=name, attempt=attempt, started_at=parse_rfc3339(started),
        finished_at=parse_rfc3339(finished), exit_code=said.get("exitCode", 0),
        signal=said.get("signal", 0), reason=said.get("reason", ""),
        message=said.get("message", ""),
    )  # fmt: skip
