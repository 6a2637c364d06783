"""How far a job is, how fast, and how long it will still take."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from athanor.api.training import TrainingJob
from athanor.kit.times import parse_rfc3339


class Metrics(Struct, frozen=True, kw_only=True):
    """What a job said last. `eta` in seconds from then, None when it cannot be told."""

    step: int | None = None
    total: int | None = None
    values: Mapping[str, float] = {}
    steps_per_second: float | None = None
    eta: float | None = None
    at: str = ""

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1."""
        return min(self.step / self.total, 1.0) if self.step is not None and self.total else None


def metrics_of(job: TrainingJob) -> Metrics:
    """What a job says of itself."""
    told = job.status.progress
    if told is None:
        return Metrics()
    speed = _speed(job)
    left = None
    if speed and told.total and told.step is not None:
        left = max(told.total - told.step, 0) / speed
    return Metrics(
        step=told.step, total=told.total, values=told.metrics, steps_per_second=speed, eta=left,
        at=told.updated_at or "",
    )  # fmt: skip


def _speed(job: TrainingJob) -> float | None:
    """Steps a second since this attempt's first report."""
    told, pace = job.status.progress, job.status.pace
    if told is None or pace is None or told.step is None or not told.updated_at or not pace.at:
        return None
    seconds = parse_rfc3339(told.updated_at) - parse_rfc3339(pace.at)
    return (told.step - pace.step) / seconds if seconds > 0 and told.step > pace.step else None
