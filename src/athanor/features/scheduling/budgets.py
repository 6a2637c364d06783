"""What queues have spent of their budgets: GPU-hours of their running gangs, a period at a time.

Counted from look to look; what a restart would forget stands in Queue.status. The first look after
a restart counts from there on: by what runs since when, and by what ended meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from athanor.api.scheduling import Budget, BudgetUse, Queue
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import floats
from athanor.features.scheduling.queues import above
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339, rfc3339

HOUR = 3600.0
BEGINNING = 0.0
"""Start of the only period of a budget for good."""


class Meter(NamedTuple):
    """What a gang costs: GPU-hours an hour, in which queue, since when and (if so) until when."""

    queue: str
    rate: float
    started: float
    ended: float | None = None


class Spent(NamedTuple):
    """GPU-hours spent since the start of the period, counted up to `at`."""

    since: float
    at: float
    hours: float


def since(period: str, now: float) -> float:
    """The start of the period that `now` is in: UTC days, weeks from Monday, calendar months."""
    moment = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "Day":
            return moment.timestamp()
        case "Week":
            return (moment - timedelta(days=moment.weekday())).timestamp()
        case "Month":
            return moment.replace(day=1).timestamp()
    return BEGINNING


def hours(budget: Budget) -> float:
    """How many GPU-hours there are in a period. Raises QuantityError."""
    return quantity.parse(str(budget.gpu_hours)).nano / 1e9


class Books:
    """What every queue with a budget has spent; `charge` brings it up to now."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._meters: dict[str, Meter] = {}

    def charge(
        self, queues: Mapping[str, Queue], meters: Mapping[str, Meter],
        ended: Mapping[str, Meter], now: float,
    ) -> dict[str, Spent]:  # fmt: skip
        """Count what ran since the last look. `meters` are of gangs that hold capacity now.

        `ended` are gangs that have finished: they count where the last look was before a restart.
        """
        found: dict[str, Spent] = {}
        for name, queue in queues.items():
            budget = queue.spec.budget
            if budget is None:
                continue
            start = since(budget.period, now)
            known = self.spent.get(name)
            running: Iterable[Meter] = self._meters.values()
            if known is None:
                known = remembered(queue) or Spent(start, start, 0.0)
                running = [*meters.values(), *ended.values()]
            before = known.hours if known.since == start else 0.0
            begin = max(known.at, start)
            mine = [one for one in running if queue in above(one.queue, queues)]
            more = sum(_ran(one, begin, now) * one.rate for one in mine) / HOUR
            found[name] = Spent(start, max(now, known.at), before + more)
        self.spent, self._meters = found, dict(meters)
        return found


def mark(snapshot: Snapshot, queues: Mapping[str, Queue], spent: Mapping[str, Spent]) -> Snapshot:
    """The snapshot with what the budgets have left."""
    if not spent:
        return snapshot
    left = list(snapshot.queues.budget_left.tolist())
    for q, name in enumerate(snapshot.queues.names):
        budget = queues[name].spec.budget
        if name in spent and budget is not None:
            left[q] = hours(budget) - spent[name].hours
    table = dataclasses.replace(snapshot.queues, budget_left=floats(left))
    return dataclasses.replace(snapshot, queues=table)


def told(spent: Spent, committed: float) -> BudgetUse:
    """The books as a status has them."""
    return BudgetUse(
        since=rfc3339(spent.since), at=rfc3339(spent.at),
        spent=f"{spent.hours:.6f}", committed=f"{max(committed, 0.0):.3f}",
    )  # fmt: skip


def remembered(queue: Queue) -> Spent | None:
    """What the queue's status says; None when it says nothing that can be read."""
    said = queue.status.budget
    if said is None:
        return None
    try:
        return Spent(parse_rfc3339(said.since), parse_rfc3339(said.at), float(said.spent))
    except ValueError:
        return None  # not written by us: the period is counted anew


def _ran(one: Meter, begin: float, now: float) -> float:
    """Seconds that a gang held capacity after `begin`."""
    end = now if one.ended is None else min(one.ended, now)
    return max(end - max(begin, one.started), 0.0)
