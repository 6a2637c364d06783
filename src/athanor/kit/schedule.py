"""When a cron expression is due, in a time zone, across changes of the clock.

The fields are those of cron(8): minute, hour, day of the month, month, day of the week; also names
(MON, JAN), lists, ranges, steps, `L` (last), `#` (nth weekday), and @hourly … @yearly. Changes of
the clock are treated as Debian's cron does: what is due at a fixed time that the clock skips runs
right after the gap, what is due in an hour that comes twice runs once; expressions with `*` as hour
or minute go by elapsed time. Times are seconds since the epoch.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from cronsim import CronSim, CronSimError

MACROS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}  # fmt: skip

_WINDOWS = (3600.0, 86400.0, 8 * 86400.0, 400 * 86400.0, 30 * 366 * 86400.0)


class BadSchedule(ValueError):
    """An expression or a time zone that is none; `field` says which, the message a way out."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Schedule:
    """An expression in a time zone; equal inputs share one (see `schedule`)."""

    def __init__(self, expression: str, zone: str) -> None:
        """Raises BadSchedule."""
        self._zone = _zone(zone)
        self._fields = MACROS.get(expression.strip().lower(), expression)
        if self._fields.startswith("@"):
            known = ", ".join(MACROS)
            raise BadSchedule("schedule", f"{expression!r} is no schedule; there are {known}")
        if len(self._fields.split()) != 5:
            raise BadSchedule(
                "schedule",
                f"{expression!r} has {len(self._fields.split())} fields; write five: minute hour "
                "day month weekday, for instance '30 2 * * 1-5'",
            )
        try:
            CronSim(self._fields, datetime.fromtimestamp(0, self._zone))
        except CronSimError as wrong:
            said = str(wrong).lower()
            raise BadSchedule(
                "schedule",
                f"{expression!r} has a {said}, or one that never comes; for instance "
                "'30 2 * * 1-5'",
            ) from None

    def times(self, after: float) -> Iterator[float]:
        """The times later than `after`, in order."""
        last = after
        for moment in CronSim(self._fields, datetime.fromtimestamp(after, self._zone)):
            found = moment.timestamp()
            if found > last:  # an hour that comes twice is not run twice
                last = found
                yield found

    def next(self, after: float) -> float | None:
        """The first time later than `after`; None when there is none within 50 years."""
        return next(self.times(after), None)

    def latest(self, after: float, until: float) -> float | None:
        """The last time in (after, until]; looks back in steps, so long gaps cost little."""
        for window in _WINDOWS:
            begin = max(after, until - window)
            found = self._last(begin, until)
            if found is not None or begin == after:
                return found
        return None

    def between(self, after: float, until: float, most: int) -> list[float]:
        """The times in (after, until], the first `most` of them."""
        found: list[float] = []
        for moment in self.times(after):
            if moment > until or len(found) == most:
                break
            found.append(moment)
        return found

    def _last(self, after: float, until: float) -> float | None:
        found = None
        for moment in self.times(after):
            if moment > until:
                break
            found = moment
        return found


@lru_cache(maxsize=4096)
def schedule(expression: str, zone: str) -> Schedule:
    """The schedule of an expression in a time zone of the tz database. Raises BadSchedule."""
    return Schedule(expression, zone)


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Etc/UTC"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule(
            "timeZone", f"{name!r} is no time zone; write for instance Europe/Berlin or UTC"
        ) from None
