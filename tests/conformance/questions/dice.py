"""Chance that is the same everywhere: numbers from a seed, of no library's making."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any


class Dice:
    """Throws that follow from a seed alone, on every Python."""

    def __init__(self, seed: str) -> None:
        self._seed, self._thrown = seed, 0

    def number(self, least: int, most: int) -> int:
        """A whole number between two, both possible."""
        self._thrown += 1
        digest = hashlib.sha256(f"{self._seed}:{self._thrown}".encode()).digest()
        return least + int.from_bytes(digest[:6], "big") % (most - least + 1)

    def one(self, some: Sequence[Any]) -> Any:
        """One of some."""
        return some[self.number(0, len(some) - 1)]

    def maybe(self, percent: int) -> bool:
        """True as often as that."""
        return self.number(1, 100) <= percent

    def some(self, of: Sequence[Any], least: int = 0, most: int | None = None) -> list[Any]:
        """Several different ones, in an order of chance."""
        left = list(of)
        count = self.number(least, min(len(left), most or len(left)))
        return [left.pop(self.number(0, len(left) - 1)) for _ in range(count)]

    def mostly(self, right: Sequence[Any], wrong: Sequence[Any], percent: int = 8) -> Any:
        """One of the right ones, now and then a wrong one."""
        return self.one(wrong if self.maybe(percent) else right)

    def fields(self, **makers: Any) -> dict[str, Any]:
        """An object with some of these fields: `name=(percent, maker)`."""
        return {
            name: maker() if callable(maker) else maker
            for name, (percent, maker) in makers.items()
            if self.maybe(percent)
        }
