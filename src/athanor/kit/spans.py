"""Lengths of time as people write and read them: `2h30m` to seconds, seconds to `5m12s`."""

from __future__ import annotations

import re

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def parse_span(text: str) -> int:
    """Seconds of `90`, `90s`, `15m`, `2h30m`, `1d`. Raises ValueError for anything else."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no length of time; write for instance 90s, 15m, 2h30m or 1d")
    return sum(
        int(amount) * scale
        for amount, scale in zip(found.groups(), _UNITS.values(), strict=True)
        if amount
    )


def show_span(seconds: float) -> str:
    """Two leading units at most, as kubectl shows ages: `45s`, `5m12s`, `3h20m`, `2d4h`, `30d`."""
    left = max(0, int(seconds))
    if left < 120:
        return f"{left}s"
    if left < 10 * 60:
        return _two(left, 60, "m", 1, "s")
    if left < 3 * 3600:
        return f"{left // 60}m"
    if left < 8 * 3600:
        return _two(left, 3600, "h", 60, "m")
    if left < 48 * 3600:
        return f"{left // 3600}h"
    if left < 8 * 86400:
        return _two(left, 86400, "d", 3600, "h")
    return f"{left // 86400}d"


def _two(seconds: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = seconds % big // small
    return f"{seconds // big}{big_name}" + (f"{rest}{small_name}" if rest else "")
