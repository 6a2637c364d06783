"""Kubernetes' CronJob (batch/v1): our Cron, with the Job of its template as a TrainingJob."""

from __future__ import annotations

from athanor.api.meta import API_VERSION, JSON
from athanor.kit.schedule import BadSchedule, schedule
from athanor.sdk.foreign import batch, shape
from athanor.sdk.foreign.given import Given

NUMBERS = {
    "startingDeadlineSeconds": "startingDeadlineSeconds",
    "successfulJobsHistoryLimit": "successfulHistoryLimit",
    "failedJobsHistoryLimit": "failedHistoryLimit",
}
"""A CronJob's field → ours."""


def cron(given: Given, kind: str) -> JSON:
    """A CronJob. Its fields mean here what they mean there."""
    for field in ("apiVersion", "kind", "status"):
        given.take(field)
    spec = given.part("spec")
    when = spec.take("schedule", "").replace("?", "*")  # there both stand for any
    zone = spec.take("timeZone", "")
    try:
        schedule(when, zone)
    except BadSchedule as wrong:
        spec.note(wrong.field, str(wrong))
    said: JSON = {"schedule": when, "timeZone": zone}
    for field in ("concurrencyPolicy", "suspend"):
        said[field] = spec.take(field)
    said |= {ours: spec.number(theirs) for theirs, ours in NUMBERS.items()}
    made = batch.job(spec.part("jobTemplate"), kind)
    template = {key: made[key] for key in ("kind", "metadata", "spec") if made[key]}
    return {
        "apiVersion": API_VERSION, "kind": "Cron", "metadata": shape.head(given),
        "spec": {key: value for key, value in said.items() if value not in (None, "")}
        | {"template": template},
    }  # fmt: skip
