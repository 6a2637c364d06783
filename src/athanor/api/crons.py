"""Cron: any kind of ours that comes to an end, on a schedule.

Follows Kubernetes' CronJob where that has the same field. Later changes only add fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.meta import Base, Condition, Object
from athanor.api.numbers import NonNegative, Positive
from athanor.api.templates import ObjectTemplate

_STEP = "(/[1-9][0-9]?)?"


def _field(one: str, last: str = "") -> str:
    """The pattern of one field: lists of ranges with steps, or what only this field may say."""
    item = rf"((\*|({one})(-({one}))?){_STEP}{'|' + last if last else ''})"
    return rf"{item}(,{item})*"


_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
SCHEDULE = (
    r"^(?i)(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|\s*"
    + r"\s+".join((
        _field("[0-5]?[0-9]"),
        _field("[01]?[0-9]|2[0-3]"),
        _field("0?[1-9]|[12][0-9]|3[01]", "LW?"),
        _field(f"0?[1-9]|1[0-2]|{_MONTHS}"),
        _field(f"[0-7]|{_DAYS}", f"([0-7]|{_DAYS})#[1-5]|[0-7]L"),
    ))
    + r"\s*)$"
)  # fmt: skip
"""RE2: what `athanor.kit.schedule` reads; days that never come (31 February) are found later."""

ScheduleText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=120,
        extra_json_schema={
            "x-kubernetes-validations": [
                {
                    "rule": f"self.matches(r'{SCHEDULE}')",
                    "message": "write five fields, minute hour day month weekday, for instance "
                    "'30 2 * * 1-5', or @hourly, @daily, @weekly, @monthly, @yearly",
                }
            ]
        },
    ),
]

TimeZone = Annotated[
    str,
    Meta(
        max_length=64,
        extra_json_schema={
            "x-kubernetes-validations": [
                {
                    # an unknown zone is an error of the evaluation, which names it
                    "rule": "self == '' || (self != 'Local' && !self.contains(':') && "
                    "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0)",
                    "message": "write a name of the tz database, for instance Europe/Berlin or UTC",
                }
            ]
        },
    ),
]


class CronSpec(Base, frozen=True, kw_only=True):
    """When to make what, and what to do when the last one still runs or a time was missed.

    `catchUp`: which of several missed times are made up for: the latest (as Kubernetes does), all
    of them (oldest first, at most 100), or none. `startingDeadlineSeconds`: how late one may be.
    """

    schedule: ScheduleText
    time_zone: TimeZone = ""
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Allow"
    starting_deadline_seconds: Positive | None = None
    catch_up: Literal["Latest", "All", "None"] = "Latest"
    successful_history_limit: NonNegative = 3
    failed_history_limit: NonNegative = 1
    suspend: bool = False
    template: ObjectTemplate


CronPhase = Literal["Pending", "Scheduled", "Active", "Suspended", "Invalid"]


class CronStatus(Base, frozen=True, kw_only=True):
    """All of it by the crons controller. `handledUntil`: times up to it were started or given up.

    `active` are the names of objects that have not ended, `last` is the newest of all.
    """

    observed_generation: int = 0
    phase: CronPhase = "Pending"
    message: str = ""
    conditions: list[Condition] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    running: NonNegative | None = None
    last: str = ""
    handled_until: str | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None
    next_schedule_time: str | None = None


class Cron(Object, frozen=True, kw_only=True):
    """Makes an object of another kind whenever its schedule says so."""

    spec: CronSpec
    status: CronStatus = field(default_factory=CronStatus)
