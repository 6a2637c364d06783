"""What a model of the search is asked: the space, what was seen, and a seed."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from athanor.api.sweeps import SweepParameter, Trial
from athanor.features.sweeps.space import Value


class Question(Struct, frozen=True, kw_only=True):
    """Which parameters should trial `number` have?"""

    parameters: tuple[SweepParameter, ...]
    goal: str
    seed: int
    number: int
    history: tuple[Trial, ...]


Suggest = Callable[[Question], dict[str, Value]]
"""Answers a question; the same answer for the same question."""
