"""Ages as kubectl prints them: short, with fewer digits the longer it is."""

from __future__ import annotations

from functools import lru_cache

from athanor.kit.times import parse_rfc3339

UNKNOWN = "<unknown>"


moment_of = lru_cache(maxsize=8192)(parse_rfc3339)
"""Seconds since the epoch of an RFC 3339 time; a page's rows often share theirs."""


def human(seconds: float) -> str:
    """`85s`, `4m12s`, `3h20m`, `6d4h`, `2y35d`; `<invalid>` for the future."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, second = divmod(whole, 60)
    if minutes < 10:
        return _two(minutes, "m", second, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours, minute = divmod(minutes, 60)
    if hours < 8:
        return _two(hours, "h", minute, "m")
    if hours < 48:
        return f"{hours}h"
    days, hour = divmod(hours, 24)
    if days < 8:
        return _two(days, "d", hour, "h")
    if days < 2 * 365:
        return f"{days}d"
    years, day = divmod(days, 365)
    return _two(years, "y", day, "d") if years < 8 else f"{years}y"


def _two(big: int, unit: str, small: int, fine: str) -> str:
    return f"{big}{unit}{small}{fine}" if small else f"{big}{unit}"


def since(moment: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was; `now` in seconds since the epoch."""
    if not moment:
        return UNKNOWN
    try:
        return human(now - moment_of(moment))
    except ValueError:
        return "<invalid>"
