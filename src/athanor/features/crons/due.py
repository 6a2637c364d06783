"""Which times of a schedule are due, and what becomes of each: pure rules."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from athanor.api import labels
from athanor.api.crons import Cron
from athanor.kit.schedule import Schedule
from athanor.kit.times import parse_rfc3339
from athanor.runtime.children import Child

MOST = 100
"""Missed times that are made up for at once."""
PUNCTUAL = 60.0
"""Seconds a time may be late when missed ones are not made up for (`catchUp: None`)."""


class Due(Struct, frozen=True):
    """Times to start now, oldest first, and the last of those that are given up (None: none)."""

    start: tuple[float, ...] = ()
    given_up: float | None = None


def handled_until(cron: Cron, children: Sequence[Child]) -> float:
    """Up to when times have been started or given up: what is written, and what is there."""
    found = [scheduled(child) for child in children]
    if cron.status.handled_until is not None:
        found.append(parse_rfc3339(cron.status.handled_until))
    made = cron.metadata.creation_timestamp
    if not any(found) and made is not None:
        found.append(parse_rfc3339(made))
    return max(found, default=0.0)


def due(cron: Cron, times: Schedule, after: float, now: float) -> Due:
    """What is due in (after, now]."""
    spec = cron.spec
    newest = times.latest(after, now)
    if newest is None:
        return Due()
    allowed: float | None = spec.starting_deadline_seconds
    if spec.catch_up == "None":
        allowed = min(PUNCTUAL, allowed if allowed is not None else PUNCTUAL)
    earliest = after if allowed is None else max(after, now - allowed - 0.001)
    if spec.catch_up == "All" and spec.concurrency_policy != "Replace":
        found = times.between(earliest, now, MOST)
    else:
        found = [newest] if newest > earliest else []
    if not found:
        return Due(given_up=newest)
    before = times.latest(after, found[0] - 1)
    return Due(tuple(found), before)


def scheduled(child: Child) -> float:
    """For which time a child was made; 0 for one that a person started."""
    stamp = child.annotations.get(labels.SCHEDULED_AT)
    return parse_rfc3339(stamp) if stamp else 0.0


def name_of(cron: Cron, moment: float) -> str:
    """The name of the child of one time: the same whoever makes it, so it is made once."""
    return f"{cron.metadata.name}-{int(moment) // 60}"
