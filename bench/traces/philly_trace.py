"""Reads the Philly trace (Jeon et al., ATC'19) with virtual-cluster quotas (Helios, SC'21)."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from bench.traces.replay import Cluster, InOrder, Job, Replay, Rules

QUOTA = {
    "6214e9": 64, "7f04ca": 32, "11cb48": 16, "b436b2": 64, "ee9e8c": 64, "e13805": 16,
    "6c71a0": 32, "2869ce": 16, "ed69ec": 8, "103959": 8, "0e4a51": 32,
}  # fmt: skip
"""Nodes of eight GPUs of each virtual cluster; the experiment divides them by four."""
START, LAST = datetime(2017, 10, 1), datetime(2017, 11, 30, 23, 59)
RULES = Rules()


def nodes_of(vc: str) -> int:
    """Nodes of a virtual cluster in the experiment."""
    return QUOTA[vc] // 4


def load(folder: Path) -> list[Job]:
    """The 68,503 jobs of the window; stopping and restarting one costs 7, 30 or 60 s."""
    jobs: list[Job] = []
    with (folder / "philly.csv").open() as file:
        for row in csv.DictReader(file):
            submitted = datetime.fromisoformat(row["timestamp"])
            if not START <= submitted <= LAST or row["cluster"] not in QUOTA:
                continue
            gpus = int(row["num_gpus"])
            jobs.append(
                Job(
                    number=len(jobs),
                    gpus=gpus,
                    arrival=(submitted - START).total_seconds(),
                    work=float(row["duration"]),
                    overhead=7 if gpus == 1 else 30 if gpus <= 8 else 60,
                    group=row["cluster"],
                )
            )
    jobs.sort(key=lambda job: job.arrival)
    for number, job in enumerate(jobs):
        job.number = number
    return jobs


def cluster() -> Cluster:
    """All virtual clusters pooled: 88 nodes of eight GPUs."""
    return Cluster(sum(QUOTA.values()) // 4, 8)


def queue_seconds(jobs: list[Job]) -> dict[str, float]:
    """Mean queue per virtual cluster, and of all as "": end − submit − duration, in seconds."""
    waits: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        for group in ("", job.group):
            waits[group].append(job.end - job.arrival - job.work)
    return {group: sum(found) / len(found) for group, found in waits.items()}


def static_fifo(jobs: list[Job]) -> dict[str, float]:
    """The control no virtual cluster may do worse than: each alone, first in, first out."""
    fresh = [
        Job(job.number, job.gpus, job.arrival, job.work, job.overhead, job.group) for job in jobs
    ]
    for vc in QUOTA:
        own = [job for job in fresh if job.group == vc]
        Replay(own, Cluster(nodes_of(vc), 8), InOrder(lambda j: (j.arrival,)), RULES).run()
    return queue_seconds(fresh)
