"""What other queues are told of a job is told to ours."""

from __future__ import annotations

import pytest
import yaml

from athanor.sdk.foreign.convert import convert
from tests.unit.sdk.foreign.manifests import CRON, JOB, KUBEFLOW, RAY, TRAIN, batch_job, read

KUEUE = "kueue.x-k8s.io/queue-name: team, kueue.x-k8s.io/priority-class: high"


@pytest.mark.parametrize(
    "text", [KUBEFLOW.replace("queue: q, priorityClass: high, ", ""), TRAIN, JOB,
             RAY.replace("spec:", "spec:\n  suspend: true", 1)]
)  # fmt: skip
def test_a_job_of_kueue_has_its_queue_and_is_held_by_nobody(text: str) -> None:
    document = yaml.safe_load(text)
    document["metadata"]["labels"] = {
        **yaml.safe_load(f"{{{KUEUE}}}"), "kueue.x-k8s.io/max-exec-time-seconds": "60", "team": "x",
    }  # fmt: skip
    made = convert(document)
    assert made.manifest["metadata"]["labels"] == {"team": "x"}
    spec = made.manifest["spec"]
    assert spec["scheduling"].items() >= {
        "queue": "team", "priorityClassName": "high", "maxRuntimeSeconds": 60,
    }.items()  # fmt: skip
    assert "suspend" not in spec
    assert any("suspend: left out: so Kueue holds" in note for note in made.notes)
    assert any("priority-class: high: a PriorityClass" in note for note in made.notes)


def test_a_cronjob_of_kueue_has_the_queue_in_its_template() -> None:
    document = yaml.safe_load(CRON)
    document["spec"]["jobTemplate"]["metadata"] = {"labels": yaml.safe_load(f"{{{KUEUE}}}")}
    template = convert(document).manifest["spec"]["template"]
    assert template["spec"]["scheduling"]["queue"] == "team"
    assert "metadata" not in template


def test_a_queue_of_the_job_itself_holds_against_a_label() -> None:
    made = read(KUBEFLOW.replace("{team: x}", f"{{{KUEUE}}}"))
    assert made.manifest["spec"]["scheduling"] == {"queue": "q", "priorityClassName": "high"}
    assert any("queue-name: team: scheduling.queue is q" in note for note in made.notes)


def test_labels_that_tell_volcano_its_queue_are_read_and_times_that_are_none_refused() -> None:
    labels = "{volcano.sh/queue-name: q, ray.io/priority-class-name: p}"
    ray = yaml.safe_load(RAY)
    ray["metadata"]["labels"] = yaml.safe_load(labels)
    found = convert(ray).manifest["spec"]["scheduling"]
    assert found == {"queue": "q", "priorityClassName": "p"}
    ray["metadata"]["labels"] = {"kueue.x-k8s.io/max-exec-time-seconds": "1h"}
    with pytest.raises(ValueError, match="is not a number of seconds"):
        convert(ray)


def test_the_priority_of_pods_is_the_jobs() -> None:
    pod = {"containers": [{"name": "c", "image": "i"}], "priorityClassName": "urgent"}
    made = batch_job(template={"spec": pod}).manifest
    assert made["spec"]["scheduling"] == {"priorityClassName": "urgent"}
