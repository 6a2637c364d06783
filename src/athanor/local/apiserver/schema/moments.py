"""CEL's accessors of timestamps, which take a time zone, and of durations (cel-spec, "Timezones").

A zone is a name of the tz database or an offset such as "-08:00"; UTC without one. Months, days of
the month and of the year count from 0, days of the week from Sunday.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Moment = datetime | timedelta
_UNITS = {"getHours": 3600.0, "getMinutes": 60.0, "getSeconds": 1.0, "getMilliseconds": 0.001}


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    if name in ("", "UTC"):
        return UTC
    try:
        if ":" in name:
            sign = -1 if name.startswith("-") else 1
            hours, minutes = name.lstrip("+-").split(":")
            return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name}") from None


def _of(part: Callable[[datetime], int], unit: float = 0.0) -> Callable[..., int]:
    def read(moment: Moment, zone: str = "") -> int:
        if isinstance(moment, timedelta):
            if not unit:
                raise TypeError("no such overload")
            return int(moment.total_seconds() / unit)
        return part(moment.astimezone(_zone(zone)))

    return read


MOMENTS: Mapping[str, Callable[..., int]] = {
    "getFullYear": _of(lambda m: m.year),
    "getMonth": _of(lambda m: m.month - 1),
    "getDate": _of(lambda m: m.day),
    "getDayOfMonth": _of(lambda m: m.day - 1),
    "getDayOfWeek": _of(lambda m: m.isoweekday() % 7),
    "getDayOfYear": _of(lambda m: m.timetuple().tm_yday - 1),
    "getHours": _of(lambda m: m.hour, _UNITS["getHours"]),
    "getMinutes": _of(lambda m: m.minute, _UNITS["getMinutes"]),
    "getSeconds": _of(lambda m: m.second, _UNITS["getSeconds"]),
    "getMilliseconds": _of(lambda m: m.microsecond // 1000, _UNITS["getMilliseconds"]),
}
"""Name → function; the receiver is the first argument."""
