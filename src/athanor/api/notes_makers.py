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
    "When": {
        "parameter": "Name of a parameter that comes before.",
        "values": "Its values for which this one exists.",
    },
    "SweepParameter": {
        "name": "Name; ${parameters.NAME} stands for its value in the template.",
        "type": "Whole numbers, numbers, or a choice.",
        "min": "Smallest value.",
        "max": "Largest value.",
        "step": "Distance of the values.",
        "log": "Whether orders of magnitude are equally likely.",
        "choices": "The values of a choice.",
        "when": "Only exists when another parameter has one of some values.",
    },
    "Objective": {
        "metric": "Name of the metric in the trials' progress.",
        "goal": "Which way is better.",
    },
    "Algorithm": {
        "name": "Random, all points of a grid, or by a model of what was seen (TPE).",
        "seed": "The same seed draws the same parameters.",
        "startup": "Trials at random before TPE models anything.",
    },
    "EarlyStop": {
        "name": "The rule.",
        "minSteps": "Steps that every trial may do.",
        "reduction": "At each rung the best one of so many goes on.",
    },
    "SweepBudget": {
        "gpuHours": "GPU-hours of all trials together; then what runs is stopped.",
    },
    "SweepSpec": {
        "parameters": "The dimensions of the search.",
        "objective": "What is best.",
        "algorithm": "How parameters are chosen.",
        "earlyStop": "When trials are stopped early.",
        "maxTrials": "How many trials at most.",
        "parallelism": "How many at a time.",
        "maxFailed": "The sweep fails when more trials than this have failed.",
        "budget": "What all trials may cost.",
        "suspend": "Stop the trials, give their hardware back, start no new ones.",
        "ttlSecondsAfterFinished": "The sweep and its trials are deleted this long after its end.",
        "template": "What a trial is.",
    },
    "Trial": {
        "number": "Number of the trial, from 0; part of its name.",
        "state": "How it stands; Pruned by the early stop, Stopped by the budget or a person.",
        "parameters": "Its parameters.",
        "value": "The metric as it was reported last.",
        "step": "Step of that report.",
        "rungs": "Its value at each rung of the early stop.",
        "gpuSeconds": "What it cost.",
        "message": "Why it ended.",
        "since": "When it was made.",
    },
    "Best": {
        "trial": "Name of the trial's object.",
        "value": "Its metric.",
        "parameters": "Its parameters.",
    },
    "SweepStatus": {
        "observedGeneration": "Generation of the spec that this status is about.",
        "phase": "Where the sweep stands.",
        "reason": "Why it is there, in one word.",
        "message": "Why it is there, in a sentence.",
        "conditions": "Observations by type.",
        "trials": "All trials.",
        "running": "How many trials run.",
        "done": 'Trials that ended of those wanted, "12/30".',
        "best": "The best so far.",
        "gpuHours": "What all trials that ended have cost.",
        "startedAt": "When the first trial was made.",
        "finishedAt": "When it ended.",
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
