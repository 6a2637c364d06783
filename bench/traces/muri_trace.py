"""Reads the Muri traces (Zhao et al., SIGCOMM 2022): jobs, start overheads, the rules."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.traces.replay import Cluster, Job, Rules

SIZES = (1, 2, 4, 8, 16, 32)
OVERHEAD = {
    "vgg16": (7, 7, 8, 9, 9, 10),
    "vgg19": (7, 7, 8, 9, 10, 10),
    "resnet18": (4, 5, 5, 7, 7, 7),
    "shufflenet_v2_x1_0": (4, 4, 5, 5, 7, 8),
    "bert": (10,) * 6,
    "gpt2": (10,) * 6,
    "a2c": (38, 39, 39, 46, 46, 46),
    "dqn": (5, 5, 6, 6, 8, 8),
}
"""Seconds that a job of a model and number of GPUs loses at each event."""
RULES = Rules(every_event=True, first_free=False)


def load(folder: Path, name: str) -> list[Job]:
    """The jobs of `name`.csv; work is iterations × iteration time."""
    with (folder / f"{name}.csv").open() as file:
        return [
            Job(
                number=int(row["job_id"]),
                gpus=int(row["num_gpu"]),
                arrival=float(row["submit_time"]) / 1000,
                work=float(row["iterations"]) * float(row["iteration_time"]) / 1000,
                overhead=OVERHEAD[row["model_name"]][SIZES.index(int(row["num_gpu"]))],
                kind=row["model_name"],
            )
            for row in csv.DictReader(file)
        ]


def cluster() -> Cluster:
    """Eight nodes of eight GPUs."""
    return Cluster(8, 8)


def figures(jobs: list[Job]) -> dict[str, float]:
    """Mean completion time, makespan and p99, in seconds."""
    times = sorted(job.end - job.arrival for job in jobs)
    return {
        "jct": sum(times) / len(times),
        "makespan": max(job.end for job in jobs),
        "p99": times[int(0.99 * len(times))],
    }
