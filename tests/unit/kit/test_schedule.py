"""When schedules are due: fields, macros, months without a day, and both changes of the clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from athanor.kit.schedule import BadSchedule, schedule

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(expression: str, after: str, days: float, zone: str = "Europe/Berlin") -> list[str]:
    begin = at(after, zone)
    found = schedule(expression, zone).between(begin, begin + days * 86400, 1000)
    return [datetime.fromtimestamp(t, ZoneInfo(zone)).isoformat()[5:] for t in found]


@pytest.mark.parametrize(
    ("expression", "after", "days", "expected"),
    [
        # the clock skips 02:00-03:00: what is due in the gap runs right after it
        (
            "30 2 * * *", "2027-03-27T00:00", 2.5,
            ["03-27T02:30:00+01:00", "03-28T03:00:00+02:00", "03-29T02:30:00+02:00"],
        ),
        ("15,45 2 * * *", "2027-03-28T00:00", 0.5, ["03-28T03:00:00+02:00"]),
        # 02:00-03:00 comes twice: what is due then runs once
        ("30 2 * * *", "2026-10-25T00:00", 0.5, ["10-25T02:30:00+02:00"]),
        # what is due every hour goes by elapsed time
        (
            "0 * * * *", "2027-03-28T00:30", 0.1,
            ["03-28T01:00:00+01:00", "03-28T03:00:00+02:00"],
        ),
        (
            "0 * * * *", "2026-10-25T00:30", 0.12,
            ["10-25T01:00:00+02:00", "10-25T02:00:00+02:00", "10-25T02:00:00+01:00"],
        ),
        ("0 0 31 * *", "2027-01-31T12:00", 60, ["03-31T00:00:00+02:00"]),
        ("0 9 * * MON#1", "2027-01-01T00:00", 31, ["01-04T09:00:00+01:00"]),
        ("0 9 L * *", "2027-02-01T00:00", 30, ["02-28T09:00:00+01:00"]),
        ("@weekly", "2027-01-01T00:00", 8, ["01-03T00:00:00+01:00"]),
    ],
)  # fmt: skip
def test_times(expression: str, after: str, days: float, expected: list[str]) -> None:
    assert times(expression, after, days) == expected


def test_a_zone_with_half_hours_and_one_whose_clock_moves_at_midnight() -> None:
    assert times("0 6 * * *", "2027-06-01T00:00", 1, "Asia/Kolkata") == ["06-01T06:00:00+05:30"]
    assert times("0 0 * * *", "2027-03-28T12:00", 1, "Asia/Beirut") == ["03-29T00:00:00+03:00"]
    assert len(times("0 0 * * *", "2027-01-01T12:00", 364, "Asia/Beirut")) == 364


def test_the_latest_is_the_last_of_all_times() -> None:
    for expression in ("*/7 * * * *", "30 2 * * *", "0 0 1 */3 *"):
        some = schedule(expression, "Europe/Berlin")
        begin, end = at("2026-10-01T00:00"), at("2026-10-25T02:45")
        assert some.latest(begin, end) == (some.between(begin, end, 10000) or [None])[-1]
        assert some.latest(end, end) is None


def test_a_year_of_every_time_zone_has_one_run_a_day() -> None:
    for zone in ("America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"):
        found = times("15 2 * * *", "2026-06-01T12:00", 365, zone)
        assert len({day[:5] for day in found}) == len(found) == 365, zone


@pytest.mark.parametrize(
    ("expression", "zone", "field", "hint"),
    [
        ("every day", "UTC", "schedule", "write five"),
        ("61 * * * *", "UTC", "schedule", "bad minute"),
        ("0 0 31 2 *", "UTC", "schedule", "bad day-of-month"),
        ("@soon", "UTC", "schedule", "@hourly"),
        ("@daily", "Europe/Berln", "timeZone", "Europe/Berlin"),
        ("@daily", "../etc/passwd", "timeZone", "Europe/Berlin"),
    ],
)
def test_what_is_wrong_is_named(expression: str, zone: str, field: str, hint: str) -> None:
    with pytest.raises(BadSchedule, match=hint) as caught:
        schedule(expression, zone)
    assert caught.value.field == field
