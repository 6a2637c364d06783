"""Start times as intervals: right on steady pasts, and right again after the times have changed."""

from __future__ import annotations

import math
import random

import numpy as np

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.forecast import (
    FEATURES,
    LEAST,
    QUANTILES,
    Waits,
    planned,
    start_interval,
)
from athanor.features.scheduling.core.snapshot import GangState, Policy

NOW = 10_000.0
ALIKE = np.zeros(FEATURES)


def lasting(dice: random.Random, typical: float) -> np.ndarray:
    """Two thousand waits around a typical one."""
    return np.array([dice.lognormvariate(math.log(typical), 1.0) for _ in range(2000)])


def told(history: Waits, waits: np.ndarray) -> np.ndarray:
    """Whether each wait was inside the nine-in-ten interval told before it; all are learned."""
    held = []
    for wait in waits:
        said = history.quantiles(ALIKE)
        if said is not None:
            assert (np.diff(said) >= 0).all()
            held.append(said[0] <= wait <= said[-1])
        history.add(ALIKE, float(wait), said)
    return np.array(held)


def test_nine_in_ten_intervals_hold_nine_in_ten_also_when_waits_grow_tenfold() -> None:
    dice = random.Random(1)
    history = Waits()
    calm = told(history, lasting(dice, 1500.0))
    assert 0.87 <= calm[-1000:].mean() <= 0.93
    top = np.quantile(history.waited[-200:], QUANTILES[-1])
    waits = lasting(dice, 15000.0)
    busy = told(history, waits)
    assert 0.85 <= busy.mean() <= 0.95
    assert (waits < top).mean() < 0.5  # without what came since: far off


def test_too_little_past_says_nothing_but_the_plan() -> None:
    history = Waits()
    for _ in range(LEAST - 1):
        history.add(ALIKE, 500.0, None)
    assert history.quantiles(ALIKE) is None
    history.add(ALIKE, 500.0, None)
    said = history.quantiles(ALIKE)
    assert said is not None and np.allclose(said, 500.0)


def test_the_plan_ends_what_runs_as_expected_and_starts_the_line_in_order() -> None:
    ask = r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", 4000),))),))
    busy = r.GangRow("busy", "q", ask, state=GangState.RUNNING, pool="p", started=NOW - 50,
                     expected_end=NOW + 100)  # fmt: skip
    first = r.GangRow("first", "q", ask, created=NOW - 20, estimate=300.0)
    second = r.GangRow("second", "q", ask, created=NOW - 10)
    rows = r.Rows(
        [r.PoolRow("p")], [r.NodeRow("a", "p", {"cpu": 4000})], [r.QueueRow("q")],
        [busy, first, second], [r.RunningRow("busy", 0, "a")],
    )  # fmt: skip
    s = build(rows)
    assert [planned(s, Policy(), NOW, g) for g in (1, 2)] == [100.0, 400.0]
    interval = start_interval(s, Policy(), NOW, 2, Waits())
    assert interval.p5 < interval.p50 == NOW + 400.0 < interval.p95
