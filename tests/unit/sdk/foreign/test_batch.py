"""Jobs and CronJobs of Kubernetes become ours."""

from __future__ import annotations

import pytest

from athanor.api.meta import JSON
from athanor.sdk.foreign.convert import convert
from tests.unit.sdk.foreign.manifests import CRON, JOB, batch_job, command, container, read


def test_an_indexed_job_is_a_rank_for_each_index() -> None:
    made = read(JOB)
    spec = made.manifest["spec"]
    (worker,) = spec["roles"]
    assert (spec["framework"], spec["service"], spec["suspend"]) == ("generic", False, True)
    assert (worker["name"], worker["replicas"], worker["restartPolicy"]) == (
        "worker",
        4,
        "ExitCode",
    )
    assert worker["template"]["metadata"]["labels"] == {"app": "x"}
    assert container(worker)["env"] == [
        {"name": "JOB_COMPLETION_INDEX", "value": "$(ATHANOR_RANK)"},
        {"name": "PART", "value": "$(ATHANOR_RANK)"},
    ]
    assert spec["runPolicy"] == {
        "backoffLimit": 8, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 9,
        "retryableExitCodes": [3, 42],
    }  # fmt: skip
    assert spec["successRules"] == [{"ranks": {"worker": [0, 2, 3]}}]
    assert made.lost == [
        "spec.podFailurePolicy.rules[2].action: FailIndex",
        "spec.podFailurePolicy.rules[2].onExitCodes.operator: In",
        "spec.podFailurePolicy.rules[2].onExitCodes.values: [1]",
        "spec.successPolicy.rules[1].succeededIndexes: 1",
        "spec.successPolicy.rules[1].succeededCount: 1",
    ]
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.backoffLimitPerIndex",
        "spec.podFailurePolicy.rules[0]",
        "spec.podFailurePolicy.rules[1]",
        "spec.selector",
    ]


def test_a_job_that_says_little_keeps_the_defaults_it_had() -> None:
    made = batch_job()
    spec = made.manifest["spec"]
    (worker,) = spec["roles"]
    assert (worker["replicas"], worker["restartPolicy"]) == (1, "OnFailure")
    assert spec["runPolicy"] == {"backoffLimit": 6}
    assert "env" not in container(worker)
    assert not made.lost
    assert not made.notes


@pytest.mark.parametrize(
    ("spec", "ranks", "suspended", "told"),
    [
        ({"parallelism": 3}, 3, False, True),
        ({"parallelism": 0}, 1, True, True),
        ({"completions": 5, "parallelism": 2}, 5, False, True),
        ({"completions": 5}, 5, False, True),
        ({"completions": 2, "parallelism": 9}, 2, False, False),
    ],
)
def test_what_runs_at_a_time_is_told(spec: JSON, ranks: int, suspended: bool, told: bool) -> None:
    made = batch_job(**spec)
    assert made.manifest["spec"]["roles"][0]["replicas"] == ranks
    assert made.manifest["spec"].get("suspend", False) == suspended
    assert any(note.startswith("spec.parallelism: ") for note in made.notes) == told


def test_a_cronjob_is_a_cron_of_its_job() -> None:
    made = read(CRON)
    spec = made.manifest["spec"]
    template = spec.pop("template")
    assert made.manifest["kind"] == "Cron"
    assert made.manifest["metadata"] == {"name": "a", "namespace": "n"}
    assert spec == {
        "schedule": "30 2 * * 1-5", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Forbid",
        "suspend": True, "startingDeadlineSeconds": 60, "successfulHistoryLimit": 0,
        "failedHistoryLimit": 2,
    }  # fmt: skip
    assert template["metadata"] == {"labels": {"team": "x"}}
    assert template["spec"]["runPolicy"] == {"backoffLimit": 6}
    assert command(template["spec"]["roles"][0]) == ["python", "t.py"]
    assert made.lost == ["spec.jobTemplate.spec.managedBy: somebody/else"]
    assert not made.notes


@pytest.mark.parametrize(("when", "field"), [("@every 1h", "schedule"), ("@daily", "timeZone")])
def test_a_schedule_that_cannot_be_read_is_told(when: str, field: str) -> None:
    zone = "Nowhere/Land" if field == "timeZone" else ""
    spec = {"schedule": when, "timeZone": zone, "jobTemplate": {}}
    made = convert({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec})
    assert [note.split(":")[0] for note in made.notes] == [f"spec.{field}"]
