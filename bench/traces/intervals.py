"""Start times told at submission, against what happened (`bench.traces.philly --intervals`).

Asked as `athanor why` asks: after the look in which a job came and did not start. Judged are jobs
that waited longer than a minute, without the first two weeks; the control are the same quantiles of
the waits of jobs that started in the last seven days in the same virtual cluster and size class.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from athanor.features.scheduling.core.decisions import Decisions
from athanor.features.scheduling.core.forecast import QUANTILES, Waits, features, start_interval
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import Floats
from bench.traces.live import Production
from bench.traces.replay import Job

WARM_UP = 14 * 86400.0
WEEK = 7 * 86400.0
WAITS = 60.0
PARTS: Floats = np.array(QUANTILES)


class Forecasts:
    """Listens to the production cycle and tells every job that has to wait when it will start."""

    def __init__(self, live: Production) -> None:
        self.live = live
        self.waits = Waits()
        self.told: dict[int, Floats] = {}
        self._open: dict[int, tuple[Floats, Floats | None]] = {}
        live.watch = self.look

    def look(self, seen: Snapshot, decisions: Decisions) -> None:
        """What was decided."""
        now, names, policy = decisions.now, seen.gangs.names, self.live.policy
        started = {one.gang for one in decisions.admitted}
        for g in sorted(started):
            followed = self._open.pop(int(names[g]), None)
            if followed is not None:
                self.waits.add(followed[0], now - float(seen.gangs.created[g]), followed[1])
        for g in decisions.line.tolist():
            number = int(names[g])
            if g in started or number in self.told:
                continue
            look = features(seen, policy, now, g)
            self._open[number] = look, self.waits.quantiles(look)
            told = start_interval(seen, policy, now, g, self.waits)
            self.told[number] = np.array(told) - float(seen.gangs.created[g])

    def score(self, jobs: Sequence[Job]) -> dict[str, float]:
        """How often the intervals held, and the pinball loss in seconds beside the control's."""
        past = _Past(jobs)
        judged = [
            job for job in jobs
            if job.number in self.told and job.arrival >= WARM_UP and _waited(job) > WAITS
        ]  # fmt: skip
        if not judged:
            return {"judged": 0}
        waited = np.array([_waited(job) for job in judged])
        told = np.array([self.told[job.number] for job in judged])
        control = np.array([past.quantiles(job) for job in judged])
        inside = (waited[:, None] >= told[:, [0, 1]]) & (waited[:, None] <= told[:, [4, 3]])
        loss, other = (_pinball(said, waited) for said in (told, control))
        return {
            "judged": len(judged), "held_90": round(float(inside[:, 0].mean()), 4),
            "held_50": round(float(inside[:, 1].mean()), 4), "pinball": round(loss, 1),
            "pinball_control": round(other, 1), "pinball_ratio": round(loss / other, 4),
        }  # fmt: skip


class _Past:
    """Waits by virtual cluster and size class, in the order of starts."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.starts: dict[tuple[str, int], list[float]] = defaultdict(list)
        self.waits: dict[tuple[str, int], list[float]] = defaultdict(list)
        for job in sorted(jobs, key=lambda job: job.first_start):
            self.starts[_kind(job)].append(job.first_start)
            self.waits[_kind(job)].append(_waited(job))

    def quantiles(self, job: Job) -> Floats:
        """What the last week says at a job's submission; nothing known counts as no wait."""
        starts = self.starts[_kind(job)]
        first = bisect.bisect_left(starts, job.arrival - WEEK)
        last = bisect.bisect_left(starts, job.arrival)
        waits = self.waits[_kind(job)][first:last] or [0.0]
        found: Floats = np.quantile(waits, PARTS)
        return found


def _kind(job: Job) -> tuple[str, int]:
    return job.group, 0 if job.gpus == 1 else 1 if job.gpus <= 8 else 2


def _waited(job: Job) -> float:
    return job.first_start - job.arrival


def _pinball(said: Floats, waited: Floats) -> float:
    """The mean over jobs and quantiles (Koenker and Bassett, 1978)."""
    short = waited[:, None] - said
    return float(np.where(short >= 0, PARTS * short, (PARTS - 1.0) * short).mean())
