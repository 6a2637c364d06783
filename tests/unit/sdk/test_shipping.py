"""Functions that travel: what goes with them, what cannot."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from athanor.api.scheduling import Progress
from athanor.api.training import Pace, TrainingJob, TrainingJobSpec, TrainingJobStatus
from athanor.sdk import shipping
from athanor.sdk.handle import as_html
from athanor.sdk.progress import metrics_of

RATE = 2.5


def helper(x: float) -> float:
    return math.floor(x) * RATE


def work(steps: int, name: str = "a$(b)") -> dict[str, Any]:
    return {"value": helper(steps + 0.5), "name": name}


@pytest.fixture
def by_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping.importlib.util, "find_spec", lambda name: None)


def test_a_function_runs_elsewhere_with_all_it_needs(by_source: None, tmp_path: Path) -> None:
    env = {
        "ATHANOR_PROGRAM": shipping.packed(work, {"steps": 3}),
        "ATHANOR_OUTPUT_DIR": str(tmp_path),
    }
    subprocess.run([sys.executable, "-I", "-c", shipping.RUN], env=env, check=True)
    assert json.loads((tmp_path / "result.json").read_text()) == {"value": 7.5, "name": "a$(b)"}


def closing() -> Callable[[], int]:
    held = 3

    def inner() -> int:
        return held

    return inner


LOCK = object()


def uses_an_object() -> object:
    return LOCK


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (closing(), "pass them as arguments"),
        (uses_an_object, "refers to LOCK"),
        (print, "no plain function"),
    ],
)
def test_what_cannot_go_is_named(by_source: None, function: Any, says: str) -> None:
    with pytest.raises(shipping.NotShippable, match=says):
        shipping.program(function, {})


def test_arguments_are_json() -> None:
    with pytest.raises(shipping.NotShippable, match="JSON"):
        shipping.program(work, {"steps": object()})


def test_a_program_that_is_too_long_is_refused(by_source: None) -> None:
    with pytest.raises(shipping.NotShippable, match="put it into a file"):
        shipping.packed(work, {"steps": 1, "name": "x" * shipping.LIMIT})


def test_speed_and_the_time_that_is_left() -> None:
    status = TrainingJobStatus(
        phase="Running",
        pace=Pace(step=10, at="2026-01-01T00:00:00Z"),
        progress=Progress(
            step=60, total=110, metrics={"loss": 0.5}, updated_at="2026-01-01T00:01:40Z"
        ),
    )
    job = TrainingJob(spec=TrainingJobSpec(framework="jax"), status=status)
    told = metrics_of(job)
    assert (told.steps_per_second, told.eta) == (0.5, 100.0)
    assert told.share == pytest.approx(60 / 110)
    assert "<progress" in as_html(job)
    assert "loss 0.5" in as_html(job)
    assert metrics_of(TrainingJob()).eta is None
