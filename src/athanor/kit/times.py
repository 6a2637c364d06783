"""RFC 3339 times as Kubernetes writes them, to and from seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(seconds: float) -> str:
    """`2026-11-23T20:30:26Z`: metav1.Time, whole seconds."""
    return _second(int(seconds)) + "Z"


def rfc3339_micro(seconds: float) -> str:
    """`2026-11-23T20:30:26.000000Z`: metav1.MicroTime."""
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micro:06d}Z"


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    """Thousands of times of the same second are written."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch. Raises ValueError for anything that is no RFC 3339 time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
