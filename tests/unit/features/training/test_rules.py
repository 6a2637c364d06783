"""Success, failure and retries, by rule."""

from __future__ import annotations

from typing import Any

import pytest

from athanor.api import labels
from athanor.api.ends import RankFailure
from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Gang, GangSpec, GangStatus, PodCounts
from athanor.api.training import (
    RanksRule,
    Role,
    RunPolicy,
    TrainingJob,
    TrainingJobSpec,
    TrainingJobStatus,
)
from athanor.features.training.exits import retryable
from athanor.features.training.rules import retry, verdict
from athanor.kit.times import rfc3339

NOW = 1_800_000_000.0
STAMP = "2027-01-15T08:00:00Z"


def job(policy: str = "OnFailure", limit: int = 2, **spec: object) -> TrainingJob:
    roles = [Role(name="chief"), Role(replicas=2, restart_policy=policy)]  # type: ignore[arg-type]
    fields = {"roles": roles, "run_policy": RunPolicy(backoff_limit=limit), **spec}
    return TrainingJob(spec=TrainingJobSpec(**fields))  # type: ignore[arg-type]


def gang(*failures: RankFailure, spent: int = 0, **more: object) -> Gang:
    spec: dict[str, Any] = {"restart": "Gang", "attempt": spent}
    status: dict[str, Any] = {"phase": "Stopping", "failures": list(failures), "attempt": spent}
    for name, value in more.items():
        (spec if name in GangSpec.__struct_fields__ and name != "attempt" else status)[name] = value
    meta = ObjectMeta(annotations={labels.RETRIES: str(spent)})
    return Gang(metadata=meta, spec=GangSpec(**spec), status=GangStatus(**status))


def failure(code: int = 1, rank: int = 0, **more: object) -> RankFailure:
    fields = {"pod_set": "worker", "rank": rank, "exit_code": code, "finished_at": STAMP, **more}
    return RankFailure(**fields)  # type: ignore[arg-type]


def test_a_failure_is_retried_at_once_then_slower() -> None:
    first = retry(job(), gang(failure()))
    assert first is not None
    assert (first.at, first.retries, first.attempt) == (NOW, 1, 1)
    second = retry(job(), gang(failure(), spent=1))
    assert second is not None
    assert (second.at, second.retries, second.attempt) == (NOW + 10, 2, 2)
    assert verdict(job(), gang(failure(), spent=1), NOW) is None


@pytest.mark.parametrize(("ran", "waits"), [(0, 20), (8, 12), (19, 1), (20, 0), (9999, 0)])
def test_what_ran_for_a_while_starts_again_at_once(ran: int, waits: int) -> None:
    failed = failure(started_at=rfc3339(NOW - ran))
    planned = retry(job(), gang(failed, spent=2))
    assert planned is not None
    assert planned.at == NOW + waits
    alone = retry(job(), gang(failure(attempt=2, started_at=rfc3339(NOW - ran)), restart="Rank",
                              rank_attempts={"worker-0": 2}))  # fmt: skip
    assert alone is not None
    assert (alone.at, alone.ranks) == (NOW + waits, {"worker-0": 3})


def test_no_retry_is_left() -> None:
    ruled = verdict(job(), gang(failure(), spent=2), NOW)
    assert ruled is not None
    assert (ruled.phase, ruled.reason) == ("Failed", "BackoffLimitExceeded")
    assert "worker-0 ended with exit code 1" in ruled.message


def test_faults_of_the_platform_use_up_nothing() -> None:
    lost = gang(failure(platform=True, reason="NodeLost"))
    assert retry(job(limit=0), lost) is None
    assert verdict(job(limit=0), lost, NOW) is None


def test_an_attempt_that_is_under_way_is_not_counted_again() -> None:
    raised = gang(failure(), spent=1, attempt=0)
    assert retry(job(), raised) is None


@pytest.mark.parametrize(
    ("code", "reason", "again"),
    [(1, "Error", False), (2, "Error", False), (127, "Error", False), (128, "Error", False),
     (130, "Error", True), (137, "Error", True), (143, "Error", True), (255, "Error", True),
     (137, "OOMKilled", False), (None, "", True)],
)  # fmt: skip
def test_exit_codes(code: int | None, reason: str, again: bool) -> None:
    assert retryable(code, reason) is again


def test_policies() -> None:
    never = verdict(job("Never"), gang(failure()), NOW)
    assert never is not None
    assert never.phase == "Failed"
    assert verdict(job("ExitCode"), gang(failure(137)), NOW) is None
    assert verdict(job("ExitCode"), gang(failure(2)), NOW) is not None


def test_ranks_restart_alone_each_counted() -> None:
    failures = [failure(rank=0), failure(rank=1, attempt=1)]
    world = gang(*failures, restart="Rank", rank_attempts={"worker-1": 1}, phase="Running")
    planned = retry(job(), world)
    assert planned is not None
    assert planned.ranks == {"worker-0": 1, "worker-1": 2}
    assert (planned.retries, planned.at) == (2, NOW + 10)
    stale = gang(failure(rank=0), restart="Rank", rank_attempts={"worker-0": 1}, phase="Running")
    assert retry(job(), stale) is None


def test_success_rules() -> None:
    done = [PodCounts(pod_set="chief", succeeded=1, succeeded_ranks="0")]
    ruled = job(success_rules=[RanksRule(ranks={"chief": [0]})])
    every = job(success_rules=[RanksRule(ranks={"chief": []}), RanksRule(ranks={"worker": []})])
    both = job(success_rules=[RanksRule(ranks={"chief": [], "worker": [1]})])
    for wanted in (ruled, every):
        found = verdict(wanted, gang(phase="Running", pods=done), NOW)
        assert found is not None
        assert found.phase == "Succeeded"
    assert verdict(both, gang(phase="Running", pods=done), NOW) is None


def test_failure_rules_decide_alone() -> None:
    chief = job(failure_rules=[RanksRule(ranks={"chief": [0]})])
    world = gang(failure(), restart="Rank", phase="Running")
    assert verdict(job("Never", failure_rules=chief.spec.failure_rules), world, NOW) is None
    broken = gang(failure(pod_set="chief"), restart="Rank", phase="Running")
    found = verdict(chief, broken, NOW)
    assert found is not None
    assert found.reason == "FailureRule"


def test_deadlines() -> None:
    late = TrainingJobStatus(phase="Running", started_at=STAMP)
    run = TrainingJob(
        spec=TrainingJobSpec(run_policy=RunPolicy(active_deadline_seconds=60)), status=late
    )
    world = gang(phase="Running")
    assert verdict(run, world, NOW + 59) is None
    found = verdict(run, world, NOW + 60)
    assert found is not None
    assert found.reason == "DeadlineExceeded"
    waiting = TrainingJob(
        spec=TrainingJobSpec(run_policy=RunPolicy(starting_deadline_seconds=60)),
        status=TrainingJobStatus(phase="Queued", queued_at=STAMP),
    )
    found = verdict(waiting, gang(phase="Pending"), NOW + 61)
    assert found is not None
    assert found.reason == "StartingDeadlineExceeded"


def test_pods_that_can_never_be_are_final() -> None:
    found = verdict(job(), gang(reason="InvalidPods", message="no containers"), NOW)
    assert found is not None
    assert (found.reason, found.message) == ("InvalidPods", "no containers")
