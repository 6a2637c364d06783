"""How much may be written at once and over time: observations never crowd out decisions."""

from __future__ import annotations


class Allowance:
    """`most` at once, and so many a second over time (a token bucket); time is told."""

    def __init__(self, most: int) -> None:
        self.pause = 1.0
        """Seconds after which asking again is worth it."""
        self._most = most
        self._left, self._at = float(most), -float("inf")

    def grant(self, wanted: int, now: float, rate: float) -> int:
        """How many of so many may be written now, at `rate` a second; they are taken off."""
        passed = max(now - self._at, 0.0)
        self._left = min(self._left + passed * rate, float(self._most))
        self._at = now
        granted = min(wanted, int(self._left))
        self._left -= granted
        return granted
