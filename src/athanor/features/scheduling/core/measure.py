"""What a story comes to: waits, use, fragmentation and fairness as a few numbers, and two compared.

Fairness is Jain's index (Jain, Chiu, Hawe 1984) over the queues' mean slowdowns: 1 is equal, 1 / n
the worst. Slowdown is (wait + running time) / running time, the running time at least 10 s (bounded
slowdown: Feitelson 2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from athanor.features.scheduling.core.simulate import Fate, Point, Scenario, Story
from athanor.features.scheduling.core.table import Floats

SHORT = 10.0


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Seconds, unless said. `used` and `fragmented` are parts of all devices over time.

    Waits are those of gangs that started. `queues` have (started, mean wait, mean slowdown).
    `fragmented` is NaN for a story without points.
    """

    gangs: int
    started: int
    ended: int
    wait_mean: float
    wait_median: float
    wait_p95: float
    slowdown_mean: float
    fairness: float
    used: float
    fragmented: float
    makespan: float
    evictions: int
    queues: dict[str, tuple[int, float, float]]


UNITS: dict[str, str] = {
    "gangs": "", "started": "", "ended": "", "wait_mean": "s", "wait_median": "s",
    "wait_p95": "s", "slowdown_mean": "", "fairness": "", "used": "%", "fragmented": "%",
    "makespan": "s", "evictions": "",
}  # fmt: skip
"""What each number is in; `%`: a part of 1, shown as a percentage."""


def measures(scenario: Scenario, story: Story) -> Measures:
    """The numbers of a story."""
    s = scenario.snapshot
    fates = [f for f in story.fates if f.gang not in set(s.running.gang.tolist())]
    begun = [f for f in fates if not math.isnan(f.started)]
    waits = np.array([f.started - max(f.created, story.start) for f in begun], dtype=np.float64)
    work = np.maximum(scenario.work[[f.gang for f in begun]], SHORT)
    slow: Floats = (waits + work) / work
    queue = s.gangs.queue[[f.gang for f in begun]]
    by_queue = {
        s.queues.names[q]: (
            int((queue == q).sum()), float(waits[queue == q].mean()),
            float(slow[queue == q].mean()),
        )
        for q in np.unique(queue).tolist() if q >= 0
    }  # fmt: skip
    length = max(story.end - story.start, 1e-9)
    return Measures(
        gangs=len(fates), started=len(begun),
        ended=sum(not math.isnan(f.ended) for f in fates),
        wait_mean=_mean(waits), wait_median=_part(waits, 0.5), wait_p95=_part(waits, 0.95),
        slowdown_mean=_mean(slow), fairness=jain([one[2] for one in by_queue.values()]),
        used=story.used_seconds / (story.capacity * length),
        fragmented=_over_time(story.points, story.end),
        makespan=_last(story.fates, story.start),
        evictions=sum(f.evictions for f in story.fates), queues=by_queue,
    )  # fmt: skip


def jain(values: Sequence[float]) -> float:
    """Jain's index of some values; 1 for none."""
    total, squares = sum(values), sum(v * v for v in values)
    return total * total / (len(values) * squares) if squares else 1.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _part(values: Floats, part: float) -> float:
    return float(np.quantile(values, part)) if len(values) else 0.0


def _over_time(points: Sequence[Point], end: float) -> float:
    """The mean of what is fragmented, weighted by how long it was."""
    if not points:
        return math.nan
    times = [*(p.time for p in points), end]
    spans = np.diff(times)
    total = float(spans.sum())
    return float((spans * [p.frag for p in points]).sum() / total) if total > 0 else 0.0


def _last(fates: Sequence[Fate], start: float) -> float:
    return max((f.ended - start for f in fates if not math.isnan(f.ended)), default=0.0)
