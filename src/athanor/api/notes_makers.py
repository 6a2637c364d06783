"""What each field means of the kinds that make other objects; part of `athanor.api.notes`."""

from __future__ import annotations

from collections.abc import Mapping

MAKERS: Mapping[str, Mapping[str, str]] = {
    "ObjectTemplate": {
        "kind": "Kind of the objects to make.",
        "metadata": "Labels and annotations of the objects.",
        "spec": "Spec of the objects.",
    },
    "CronSpec": {
        "schedule": "Five fields, minute hour day month weekday, or @hourly, @daily and so on.",
        "timeZone": "Name of the tz database, for instance Europe/Berlin; UTC when empty.",
        "concurrencyPolicy": "What to do when the last one still runs: start another one beside "
        "it, wait for its end, or delete it first.",
        "startingDeadlineSeconds": "How late one may start; later ones are given up.",
        "catchUp": "Which of several missed times are made up for.",
        "successfulHistoryLimit": "How many that succeeded are kept.",
        "failedHistoryLimit": "How many that failed are kept.",
        "suspend": "Start nothing; what runs goes on.",
        "template": "What to make.",
    },
    "CronStatus": {
        "observedGeneration": "Generation of the spec that this status is about.",
        "phase": "Where the cron stands.",
        "message": "What went wrong last, in a sentence.",
        "conditions": "Observations by type; Valid says whether the schedule can be read.",
        "active": "Names of those that have not ended.",
        "running": "How many have not ended.",
        "last": "Name of the newest one.",
        "handledUntil": "Times up to this one were started or given up.",
        "lastScheduleTime": "For which time the newest one was made.",
        "lastSuccessfulTime": "When one succeeded last.",
        "nextScheduleTime": "When the next one is due.",
    },
}  # fmt: skip
