"""What is odd about a running job: no progress, or ranks that are slower than their peers.

A rank is a straggler when its figure lies far from the median, measured in median absolute
deviations (the modified z-score of Iglewicz and Hoaglin, 1993, with their limit of 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from athanor.api.core import Pod
from athanor.api.labels import PROGRESS
from athanor.api.scheduling import Progress
from athanor.api.training import TrainingJob
from athanor.kit.spans import show_span
from athanor.kit.times import parse_rfc3339
from athanor.sdk.logs import rank_of
from athanor.sdk.progress import metrics_of

SILENT = 30.0
"""Seconds that a rank may say less long than its peers, when their steps are short."""
PATIENCE = 20
"""Steps' worth of silence of a rank while its peers go on."""
LIMIT = 3.5
FEWEST = 4
"""Ranks below which there are no peers to speak of."""

SLOW = 0.1
"""How far from the median, as a share of it, a rank must be at least."""

TIMES = ("compute_seconds", "step_seconds")
"""Metrics that ranks in lockstep report to tell who is slow: their steps are the same."""


def odd(values: Mapping[str, float]) -> dict[str, float]:
    """Those whose value is far from the others', with how far (in deviations, signed)."""
    if len(values) < FEWEST:
        return {}
    middle = median(values.values())
    spread = median(abs(value - middle) for value in values.values())
    least = max(spread, 1e-9)
    far = {name: 0.6745 * (value - middle) / least for name, value in values.items()}
    return {
        name: score
        for name, score in far.items()
        if abs(score) > LIMIT and abs(values[name] - middle) > SLOW * abs(middle)
    }


def stragglers(pods: Sequence[Pod]) -> list[str]:
    """A sentence for each rank that is slower than its peers, with the figures."""
    told = {rank_of(pod): found for pod in pods if (found := _told(pod)) is not None}
    for name in TIMES:
        values = {rank: p.metrics[name] for rank, p in told.items() if name in p.metrics}
        if values:
            slow = [rank for rank, score in odd(values).items() if score > 0]
            return [_said(rank, name, values[rank], median(values.values())) for rank in slow]
    steps = {rank: float(p.step) for rank, p in told.items() if p.step is not None}
    slow = [rank for rank, score in odd(steps).items() if score < 0]
    return [_said(rank, "step", steps[rank], median(steps.values())) for rank in slow]


def facts(job: TrainingJob, pods: Sequence[Pod]) -> list[str]:
    """Speed and the time that is left, a hang, and stragglers, as sentences."""
    said = []
    told = metrics_of(job)
    stalled = next((c for c in job.status.conditions if c.type == "Stalled"), None)
    if stalled is not None and stalled.status == "True":
        said.append(f"it hangs, it seems: {stalled.message} (last told {told.at})")
    elif told.eta is not None and told.steps_per_second:
        left = show_span(told.eta)
        speed = f"{told.steps_per_second:.3g}"
        unit = "step/s" if speed == "1" else "steps/s"
        said.append(f"{speed} {unit}: about {left} are left, as of {told.at}")
    return said + silent(pods, told.steps_per_second) + stragglers(pods)


def silent(pods: Sequence[Pod], speed: float | None) -> list[str]:
    """A sentence for each rank that told nothing any more while its peers went on."""
    told = {rank_of(pod): (pod, found) for pod in pods if (found := _told(pod)) is not None}
    stamps = {rank: p.updated_at for rank, (_, p) in told.items() if p.updated_at}
    newest = max(stamps.values(), default="")
    said = []
    for rank, stamp in stamps.items():
        pod, own = told[rank]
        done = own.total is not None and own.step is not None and own.step >= own.total - 1
        gap = parse_rfc3339(newest) - parse_rfc3339(stamp)
        if (
            pod.status.phase == "Running"
            and not done
            and gap > max(SILENT, PATIENCE / (speed or 1))
        ):
            said.append(
                f"{rank} has told nothing since {stamp} (step {own.step}), its peers have until "
                f"{newest}: it hangs, it seems"
            )
    return said


def _said(rank: str, name: str, value: float, middle: float) -> str:
    return f"{rank} is slower than its peers: {name} {value:.4g}, their median is {middle:.4g}"


def _told(pod: Pod) -> Progress | None:
    text = pod.metadata.annotations.get(PROGRESS)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Progress)
    except msgspec.DecodeError:
        return None
