"""A job's status: what its Gang says, in a job's words."""

from __future__ import annotations

import msgspec

from athanor.api.meta import Condition, set_condition
from athanor.api.scheduling import Gang
from athanor.api.training import JobPhase, Pace, TrainingJob, TrainingJobStatus
from athanor.features.training import rules
from athanor.features.training.states import FINISHED, event, move
from athanor.kit.times import parse_rfc3339, rfc3339


def from_gang(job: TrainingJob, gang: Gang, now: float) -> TrainingJobStatus:
    """What the Gang says, in a job's words."""
    old = job.status
    phase = _phase(job, gang, now)
    reason, message = _words(job, gang, phase)
    status = msgspec.structs.replace(
        old,
        observed_generation=job.metadata.generation,
        phase=phase,
        reason=reason,
        message=message,
        attempt=max(gang.spec.attempt, old.attempt),
        retries=max(rules.retries_of(gang), old.retries),
        pods=gang.status.pods,
        ready=gang.status.ready or f"0/{sum(each.count for each in gang.spec.pod_sets)}",
        failures=gang.status.failures,
        progress=gang.status.progress,
        pace=_pace(old, gang),
        queued_at=_queued(old, phase, now),
        started_at=_started(old, gang, phase, now),
        finished_at=rfc3339(now) if phase in FINISHED else None,
    )
    return _with_conditions(job, status, now)


QUIET = 300.0
"""Seconds without a step after which a job is said to hang, when its steps are short."""

PATIENCE = 20
"""Steps' worth of silence after which a job is said to hang, when they are long."""


def stalls_at(status: TrainingJobStatus) -> float | None:
    """When a running job that reports steps will be said to hang if it reports no more."""
    progress, pace = status.progress, status.pace
    if status.phase != "Running" or progress is None or pace is None or not progress.updated_at:
        return None
    if progress.total and progress.step is not None and progress.step >= progress.total - 1:
        return None
    last = parse_rfc3339(progress.updated_at)
    steps = (progress.step or 0) - pace.step
    each = (last - parse_rfc3339(pace.at)) / steps if steps > 0 else 0.0
    return last + max(QUIET, PATIENCE * each)


def _pace(old: TrainingJobStatus, gang: Gang) -> Pace | None:
    """Where this attempt's progress began."""
    progress = gang.status.progress
    if progress is None or progress.step is None or not progress.updated_at:
        return old.pace
    anew = gang.spec.attempt > old.attempt or old.pace is None
    if anew or (old.pace is not None and progress.step < old.pace.step):
        return Pace(step=progress.step, at=progress.updated_at)
    return old.pace


def _phase(job: TrainingJob, gang: Gang, now: float) -> JobPhase:
    """By the Gang; a job whose pods are all to be left alone ends with its verdict."""
    if job.spec.run_policy.clean_pods == "None":
        outcome = rules.verdict(job, gang, now) if gang.spec.outcome is None else None
        if outcome is not None and outcome.phase == "Succeeded":
            return move(job.status.phase, "succeeded")
    return move(job.status.phase, event(gang))


def _words(job: TrainingJob, gang: Gang, phase: JobPhase) -> tuple[str, str]:
    if phase in FINISHED and gang.spec.outcome is not None:
        return gang.spec.outcome.reason, gang.spec.outcome.message
    if phase == "Queued" and gang.status.reasons:
        first = gang.status.reasons[0]
        return first.code, first.message
    return gang.status.reason, gang.status.message


def _queued(old: TrainingJobStatus, phase: JobPhase, now: float) -> str:
    """Since when it waits; a job that is resumed starts to wait anew."""
    resumed = old.phase == "Suspended" != phase
    return rfc3339(now) if resumed or old.queued_at is None else old.queued_at


def _started(old: TrainingJobStatus, gang: Gang, phase: JobPhase, now: float) -> str | None:
    if phase == "Suspended":
        return None
    if old.started_at is None and phase == "Running":
        return gang.status.started_at or rfc3339(now)
    return old.started_at


def waiting(job: TrainingJob, reason: str, message: str, now: float) -> TrainingJobStatus:
    """The status of a job that has no Gang yet, and why."""
    return msgspec.structs.replace(
        job.status, reason=reason, message=message, queued_at=job.status.queued_at or rfc3339(now),
        observed_generation=job.metadata.generation,
    )  # fmt: skip


def ended(job: TrainingJob, reason: str, message: str, now: float) -> TrainingJobStatus:
    """The status of a job that failed before it had a Gang."""
    status = msgspec.structs.replace(
        job.status, phase="Failed", reason=reason, message=message, finished_at=rfc3339(now),
        observed_generation=job.metadata.generation,
    )  # fmt: skip
    return _with_conditions(job, status, now)


def _with_conditions(job: TrainingJob, status: TrainingJobStatus, now: float) -> TrainingJobStatus:
    """Conditions for `kubectl wait`: Running, Suspended, and Succeeded or Failed in the end."""
    found = job.status.conditions
    for type_ in ("Running", "Suspended", "Succeeded", "Failed"):
        holds = status.phase == type_
        known = next((c for c in found if c.type == type_), None)
        if (known is None and not holds) or (known and known.status == str(holds)):
            continue
        news = Condition(
            type=type_, status=str(holds), reason=status.reason or status.phase,
            message=status.message, observed_generation=job.metadata.generation,
        )  # fmt: skip
        found = set_condition(found, news, rfc3339(now))
    late = stalls_at(status)
    hangs = late is not None and now >= late
    if hangs or any(c.type == "Stalled" and c.status == "True" for c in found):
        said = "no step was reported for longer than such steps take" if hangs else ""
        news = Condition(
            type="Stalled", status=str(hangs), reason="NoProgress" if hangs else "Progressing",
            message=said, observed_generation=job.metadata.generation,
        )  # fmt: skip
        found = set_condition(found, news, rfc3339(now))
    return msgspec.structs.replace(status, conditions=found)
