"""Reads the 120-job trace of Shockwave (Zheng et al., NSDI'23): 32 GPUs, rounds of 120 seconds."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.traces.replay import Cluster, Job, Rules

GPUS = 32
RULES = Rules(first_free=False, round_seconds=120)


def load(folder: Path) -> list[Job]:
    """The jobs; a (re)start loses 20 s. `declared` is the nominal duration a policy may see."""
    with (folder / "jobs_120_32gpus.csv").open() as file:
        return [
            Job(
                number=int(row["job"]),
                gpus=int(row["gpus"]),
                arrival=float(row["arrival_s"]),
                work=float(row["exclusive_runtime_s"]),
                overhead=20,
                kind=row["job_type"],
                group=row["mode"],
                declared=float(row["nominal_duration_s"]),
            )
            for row in csv.DictReader(file)
        ]


def cluster() -> Cluster:
    """32 equal GPUs without locality."""
    return Cluster(GPUS, 1)


def figures(jobs: list[Job], busy: float) -> dict[str, float]:
    """Makespan, mean completion time, finish-time fairness (worst, % unfair) and utilisation."""
    makespan = max(job.end for job in jobs)
    fairness = [(job.end - job.arrival) / (job.work * len(jobs) / GPUS) for job in jobs]
    return {
        "makespan": makespan,
        "jct": sum(job.end - job.arrival for job in jobs) / len(jobs),
        "worst_ftf": max(fairness),
        "unfair": 100 * sum(f > 1.05 for f in fairness) / len(jobs),
        "util": busy / (GPUS * makespan),
    }
