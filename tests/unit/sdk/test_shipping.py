"""Functions that travel: what goes with them, what cannot."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from athanor.api import labels
from athanor.api.core import Namespace
from athanor.api.scheduling import Progress
from athanor.api.training import Pace, TrainingJob, TrainingJobSpec, TrainingJobStatus
from athanor.sdk import shipping, sourcing
from athanor.sdk.asked import Submission, Wishes
from athanor.sdk.client import AsyncClient, Client
from athanor.sdk.drive_async import AsyncDriver
from athanor.sdk.handle import NoResult, train, train_async
from athanor.sdk.notebook import as_html, as_text
from athanor.sdk.progress import metrics_of
from athanor.testing import lab, virtual
from athanor.wire.status import ApiError

RATE = 2.5


def helper(x: float) -> float:
    return math.floor(x) * RATE


def work(steps: int, name: str = "a$(b)") -> dict[str, Any]:
    return {"value": helper(steps + 0.5), "name": name}


def ran(program: str, folder: Path, **env: str) -> Any:
    """What a packed function returned, in another Python process."""
    given = {"ATHANOR_PROGRAM": program, "ATHANOR_OUTPUT_DIR": str(folder), **env}
    done = subprocess.run(
        [sys.executable, "-I", "-c", shipping.RUN], env=given, check=False, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    written = folder / "result.json"
    return json.loads(written.read_text()) if written.exists() else None


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_function_runs_elsewhere_with_all_it_needs(elsewhere: bool, tmp_path: Path) -> None:
    program = shipping.packed(work, {"steps": 3}, elsewhere=elsewhere)
    assert ran(program, tmp_path) == {"value": 7.5, "name": "a$(b)"}


def closing() -> Callable[[], int]:
    held = 3

    def inner() -> int:
        return held

    return inner


LOCK = threading.Lock()


def uses_a_lock() -> object:
    return LOCK


class Callable_:
    def __call__(self) -> str:
        return "called"


@pytest.mark.parametrize(
    ("function", "returned"),
    [
        (closing(), 3),
        (lambda: "lambda", "lambda"),
        (Callable_(), "called"),
        (partial(work, 1), 2.5),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_closures_lambdas_and_objects_travel(
    function: Any, returned: object, elsewhere: bool, tmp_path: Path
) -> None:
    found = ran(shipping.packed(function, {}, elsewhere=elsewhere), tmp_path)
    assert (found["value"] if isinstance(found, dict) else found) == returned


@pytest.mark.parametrize(
    ("env", "writes"),
    [
        ({}, True),
        ({"RANK": "1"}, False),
        ({"PMI_RANK": "1"}, False),
        ({"ATHANOR_INDEX": "2"}, False),
    ],
)
def test_rank_zero_alone_writes_the_result(
    env: dict[str, str], writes: bool, tmp_path: Path
) -> None:
    assert (ran(shipping.packed(closing(), {}), tmp_path, **env) == 3) is writes


def test_another_python_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = shipping.program(closing(), {}).replace(f"!= {sys.version_info[:2]}", "!= (3, 99)")
    text = base64.b64encode(program.encode()).decode()
    assert "submit it from the same Python" in ran(text, tmp_path)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (closing(), "pass them as arguments"),
        (uses_a_lock, "refers to LOCK, a lock"),
        (print, "no plain function"),
    ],
)
def test_what_cannot_go_by_source_is_named(function: Any, says: str) -> None:
    with pytest.raises(shipping.NotShippable, match=says):
        sourcing.source(function)


@pytest.mark.parametrize("arguments", [{}, {"lock": LOCK}])
def test_what_cannot_go_at_all_is_named(arguments: dict[str, object]) -> None:
    function = work if arguments else uses_a_lock
    with pytest.raises(shipping.NotShippable, match=r"cannot travel .*lock"):
        shipping.program(function, arguments)


def test_a_program_that_is_too_long_is_refused() -> None:
    with pytest.raises(shipping.NotShippable, match="put it into a file"):
        shipping.packed(work, {"steps": 1, "name": "x" * shipping.LIMIT})


def test_keywords_of_train_are_the_fields_of_a_submission() -> None:
    assert set(Wishes.__annotations__) == {*Submission.__struct_fields__} - {"framework", "command"}


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"workres": 3}, "no argument 'workres': is workers meant"),
        ({"workers": "4"}, r"Expected `int`, got `str` - at `\$.workers`"),
        ({"framework": "pytroch"}, "is pytorch meant"),
        ({"memory": "lots"}, "memory 'lots' is no quantity"),
        ({"arguments": {"step": 1}}, "arguments do not fit work.*: missing .* 'steps'"),
    ],
)
def test_wrong_wishes_are_refused_by_name(wishes: dict[str, Any], says: str) -> None:
    class Unreached:
        def run(self, op: object) -> None:
            raise AssertionError("nothing is sent")

        iterate = run

    with pytest.raises((TypeError, ValueError), match=says):
        train(work, client=Client(driver=Unreached()), **wishes)


def test_a_job_goes_where_its_people_queue() -> None:
    async def main() -> None:
        async with lab.server() as world:
            own = {"name": "team", "labels": {labels.QUEUE: "vision"}}
            await world.create({"metadata": own}, Namespace)
            client = AsyncClient(driver=AsyncDriver(world.client.transport), namespace="team")
            given: Any = {"client": client, "arguments": {"steps": 2}}
            job = await train_async(work, **given, workers=2)
            assert job.seen.spec.scheduling.queue == "vision"
            assert job.seen.spec.code is not None
            assert job.seen.spec.code.directory == os.getcwd()
            assert job.outputs == os.path.join(os.getcwd(), "outputs", job.name)
            with pytest.raises(ApiError, match="no queue 'visoin'; athanor queue list"):
                await train_async(work, **given, queue="visoin")
            with pytest.raises(ApiError, match="no PriorityClass 'hihg'"):
                await train_async(work, **given, priority="hihg")
            image = await train_async(work, **given, image="registry.example/torch:2")
            assert (image.seen.spec.code, image.outputs) == (None, "")
            with pytest.raises(NoResult, match=r"is Pending; wait for it: job.wait\(\)"):
                await image.result()
            done = {"status": {"phase": "Succeeded"}}
            await world.patch(TrainingJob, image.name, done, subresource="status", namespace="team")
            with pytest.raises(NoResult, match="cannot be read here"):
                await image.result()

    virtual.run(main)


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
    assert "loss 0.5, 100s left" in as_html(job)
    assert as_text(job) == "Running  0 of 0 ranks  60/110  loss 0.5, 100s left"
    assert metrics_of(TrainingJob()).eta is None
