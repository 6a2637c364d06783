"""Whether a job has succeeded, failed, or tries again: rules over its ranks, pure and total.

A retry is counted where it is decided: in the same write that raises the Gang's attempt (or one
rank's). So a controller that dies in between counts neither none nor two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from athanor.api import labels
from athanor.api.ends import RankFailure
from athanor.api.ranks import unpack_ranks
from athanor.api.scheduling import Gang, Outcome
from athanor.api.training import RanksRule, Role, TrainingJob
from athanor.features.training.exits import retryable
from athanor.kit.times import parse_rfc3339

PERMANENT_GANG_REASONS = frozenset({"InvalidPods", "MaxRuntimeExceeded"})

FIRST_DELAY = 10.0
LONGEST_DELAY = 60.0


class Retry(Struct, frozen=True, kw_only=True):
    """Try again: the whole gang, or these ranks; not before `at` (seconds since the epoch)."""

    at: float
    retries: int
    attempt: int = 0
    ranks: dict[str, int] = {}


def verdict(job: TrainingJob, gang: Gang, now: float) -> Outcome | None:
    """The end of the job, if its ranks or its time have brought it."""
    overdue = late(job, now)
    if overdue is not None:
        return overdue
    if gang.status.phase == "Stopping" and gang.status.reason in PERMANENT_GANG_REASONS:
        return Outcome(phase="Failed", reason=gang.status.reason, message=gang.status.message)
    done = {count.pod_set: unpack_ranks(count.succeeded_ranks) for count in gang.status.pods}
    if any(_holds(rule, job, done) for rule in job.spec.success_rules):
        return Outcome(phase="Succeeded", reason="SuccessRule", message="a success rule holds")
    failures = own_failures(gang)
    broken: dict[str, set[int]] = {}
    for failure in failures:
        broken.setdefault(failure.pod_set, set()).add(failure.rank)
    if any(_holds(rule, job, broken) for rule in job.spec.failure_rules):
        return Outcome(phase="Failed", reason="FailureRule", message=_told(failures[0]))
    return _no_more(job, gang, failures)


def retry(job: TrainingJob, gang: Gang) -> Retry | None:
    """What to try again, when ranks have failed and the job may go on."""
    failures = [f for f in own_failures(gang) if _restarts(job, f)]
    if not failures:
        return None
    spent = retries_of(gang)
    if gang.spec.restart == "Gang":
        at = max(_due(failure, spent) for failure in failures)
        return Retry(at=at, retries=spent + 1, attempt=gang.spec.attempt + 1)
    ranks = {f"{f.pod_set}-{f.rank}": f.attempt + 1 for f in failures}
    at = max(_due(failure, failure.attempt) for failure in failures)
    return Retry(at=at, retries=spent + len(ranks), ranks=ranks)


def own_failures(gang: Gang) -> list[RankFailure]:
    """The failures that nobody has dealt with yet and that are not the platform's."""
    gang_wide = gang.spec.restart == "Gang"
    if gang_wide and (gang.status.phase != "Stopping" or gang.spec.attempt > gang.status.attempt):
        return []
    return [
        f
        for f in gang.status.failures
        if not f.platform
        and (gang_wide or f.attempt == gang.spec.rank_attempts.get(f"{f.pod_set}-{f.rank}", 0))
    ]


def restarts_of(gang: Gang) -> int:
    """How many restarts by hand the Gang has seen."""
    told = gang.metadata.annotations.get(labels.RESTARTS, "0")
    return int(told) if told.isdecimal() else 0


def retries_of(gang: Gang) -> int:
    """How many retries the Gang's attempts have used up."""
    told = gang.metadata.annotations.get(labels.RETRIES, "0")
    return int(told) if told.isdecimal() else 0


def deadlines(job: TrainingJob) -> list[tuple[float, str, str]]:
    """When the job's time is up, with the reason and message of its end."""
    policy, status = job.spec.run_policy, job.status
    found = []
    if policy.active_deadline_seconds is not None and status.started_at is not None:
        until = parse_rfc3339(status.started_at) + policy.active_deadline_seconds
        found.append(
            (until, "DeadlineExceeded", f"ran longer than {policy.active_deadline_seconds} s")
        )
    waits = status.phase != "Suspended" and status.started_at is None
    if policy.starting_deadline_seconds is not None and waits and status.queued_at is not None:
        until = parse_rfc3339(status.queued_at) + policy.starting_deadline_seconds
        waited = f"did not start within {policy.starting_deadline_seconds} s"
        found.append((until, "StartingDeadlineExceeded", waited))
    return found


def late(job: TrainingJob, now: float) -> Outcome | None:
    """The end of a job whose time is up."""
    for until, reason, message in deadlines(job):
        if now >= until:
            return Outcome(phase="Failed", reason=reason, message=message)
    return None


def _no_more(job: TrainingJob, gang: Gang, failures: Sequence[RankFailure]) -> Outcome | None:
    """Failure when a rank must not be restarted, or no retry is left."""
    final = [f for f in failures if not _restarts(job, f)]
    if final and not job.spec.failure_rules:
        return Outcome(phase="Failed", reason=final[0].reason or "Error", message=_told(final[0]))
    planned = retry(job, gang)
    limit = job.spec.run_policy.backoff_limit
    if planned is not None and planned.retries > limit:
        last = f"{limit} of {limit} retries are used up; {_told(failures[0])}"
        return Outcome(phase="Failed", reason="BackoffLimitExceeded", message=last)
    return None


def _restarts(job: TrainingJob, failure: RankFailure) -> bool:
    role = _role(job.spec.roles, failure.pod_set)
    if role is None or role.restart_policy == "Never":
        return False
    if role.restart_policy == "ExitCode":
        own = job.spec.run_policy.retryable_exit_codes
        return retryable(failure.exit_code, failure.reason, own)
    return True


def _role(roles: Iterable[Role], name: str) -> Role | None:
    return next((role for role in roles if role.name == name), None)


def _holds(rule: RanksRule, job: TrainingJob, ranks: dict[str, set[int]]) -> bool:
    """Whether all ranks of a rule are among these; an empty list means every rank of the role."""
    for name, wanted in rule.ranks.items():
        role = _role(job.spec.roles, name)
        every = set(range(role.replicas)) if role is not None else set()
        needed = set(wanted) or every
        if not needed or not needed <= ranks.get(name, set()):
            return False
    return bool(rule.ranks)


def _due(failure: RankFailure, earlier: int) -> float:
    """When a rank may start again: so long after it last started that a crash loop stays slow.

    One that ran for a while starts again at once, however often it has failed before.
    """
    ended = parse_rfc3339(failure.finished_at) if failure.finished_at else 0.0
    began = parse_rfc3339(failure.started_at) if failure.started_at else ended
    return max(ended, began + _delay(earlier))


def _delay(earlier: int) -> float:
    """Seconds between two starts: none before the first retry, then doubling."""
    return 0.0 if earlier <= 0 else min(FIRST_DELAY * 2.0 ** min(earlier - 1, 10), LONGEST_DELAY)


def _told(failure: RankFailure) -> str:
    code = "" if failure.exit_code is None else f" with exit code {failure.exit_code}"
    said = f": {failure.message}" if failure.message else ""
    return f"{failure.pod_set}-{failure.rank} ended{code} ({failure.reason or 'Error'}){said}"
