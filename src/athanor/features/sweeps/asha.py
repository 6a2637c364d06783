"""ASHA in the form that stops trials: at each rung only the best 1/η of those who came there go on.

Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020). Of the first η − 1
trials at a rung only the best so far goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.sweeps import EarlyStop, Objective

DEEPEST = 32


def rung_steps(rule: EarlyStop, rung: int) -> int:
    """After how many steps a rung is reached."""
    return rule.min_steps * int(rule.reduction**rung)


def reached(rule: EarlyStop, step: int | None) -> int:
    """How many rungs a trial has reached."""
    if step is None:
        return 0
    return next((k for k in range(DEEPEST) if rung_steps(rule, k) > step), DEEPEST)


def goes_on(rule: EarlyStop, objective: Objective, value: float, others: Sequence[float]) -> bool:
    """Whether a trial with this value goes on, given those that came to the rung before it."""
    sign = 1.0 if objective.goal == "Minimize" else -1.0
    there = sorted(sign * v for v in (*others, value))
    last = max(len(there) // rule.reduction - 1, 0)
    return sign * value <= there[last]
