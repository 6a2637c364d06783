"""Three hundred wrong specs of all kinds of job, each refused at creation by its field."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from msgspec import Struct

from athanor.api.crons import Cron
from athanor.api.meta import JSON
from athanor.api.scheduling import Queue
from athanor.api.sweeps import Sweep
from athanor.api.training import TrainingJob
from athanor.api.workflows import Workflow
from athanor.api.workspaces import Workspace
from athanor.testing import lab, virtual
from athanor.wire.status import ApiError
from tests.unit.api.wrong import GOOD, WRONG

KINDS: Mapping[str, type[Struct]] = {
    "TrainingJob": TrainingJob, "Cron": Cron, "Sweep": Sweep, "Workflow": Workflow,
    "Workspace": Workspace, "Queue": Queue,
}  # fmt: skip


def cases(kind: str) -> list[tuple[str, Any]]:
    """(path, wrong value) of every line."""
    lines = (line.partition(": ") for line in WRONG[kind].strip().splitlines())
    return [(path, yaml.safe_load(text)) for path, _, text in lines]


def changed(spec: JSON, path: str, value: Any) -> JSON:
    whole = copy.deepcopy(spec)
    at: Any = whole
    *heads, last = path.split(".")
    for head in heads:
        at = at[int(head)] if isinstance(at, list) else at.setdefault(head, {})
    at[int(last) if isinstance(at, list) else last] = value
    return whole


def about(field: str, path: str) -> bool:
    """Whether a refusal is about the place that was changed, or what it is part of."""
    steps = ["spec", *path.split(".")]
    told = [step for step in re.split(r"[.\[\]]+", field) if step]
    shared = min(len(told), len(steps))
    return told[:2] == steps[:2] and (told[:shared] == steps[:shared] or len(told) <= 3)


def test_there_are_two_hundred_of_them_and_no_two_alike() -> None:
    every = [(kind, path, repr(value)) for kind in WRONG for path, value in cases(kind)]
    assert len(every) == len(set(every))
    assert len(every) >= 290


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_refused_with_its_field_and_what_is_right(kind: str) -> None:
    async def main() -> None:
        async with lab.server() as world:
            good = yaml.safe_load(GOOD[kind])
            meta = {"name": "good", **({} if kind == "Queue" else {"namespace": "default"})}
            await world.create({"metadata": meta, "spec": good}, KINDS[kind])
            for path, value in cases(kind):
                body = {"metadata": {**meta, "name": "w"}, "spec": changed(good, path, value)}
                with pytest.raises(ApiError) as refused:
                    await world.create(body, KINDS[kind])
                error = refused.value
                assert error.reason == "Invalid", (path, value, error)
                assert any(about(c.field, path) and said(c.message) for c in error.causes), (
                    path, value, [(c.field, c.message) for c in error.causes],
                )  # fmt: skip

    virtual.run(main)


HINTS = (
    "must", "should", "supported", "Required", "Duplicate", "need", "write", "may not", "names",
    "cannot", "leave", "either", "at least", "at most", "before", "comes from", "lies between",
)  # fmt: skip


def said(message: str) -> bool:
    """Whether a refusal says what would be right, and not only what is wrong."""
    return any(word in message for word in HINTS)


def row(length: int, apart: int = 1) -> dict[str, list[str]]:
    """Steps in a row, each waiting for the `apart` before it."""
    return {f"s{n}": [f"s{m}" for m in range(max(n - apart, 0), n)] for n in range(length)}


def layers(count: int, width: int) -> dict[str, list[str]]:
    """Each step of a layer waits for every one of the layer before."""
    return {
        f"s{n}-{m}": [f"s{n - 1}-{k}" for k in range(width)] if n else []
        for n in range(count) for m in range(width)
    }  # fmt: skip


CIRCLE = {"x": ["z"], "y": ["x"], "z": ["y"]}


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        (row(100), False), (row(60, 20), False), (layers(5, 20), False), (layers(25, 4), False),
        (CIRCLE, True), ({**row(3), **CIRCLE}, True), ({"a": ["nobody"]}, False),
        ({**row(9), **CIRCLE, "x": ["s8", "z"]}, True),
    ],
)  # fmt: skip
def test_steps_in_a_circle_are_refused_and_no_others(
    steps: dict[str, list[str]], wrong: bool
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            template = yaml.safe_load(GOOD["Workflow"])["steps"][0]["template"]
            spec = {"steps": [
                {"name": name, "dependsOn": waits, "template": template}
                for name, waits in steps.items()
            ]}  # fmt: skip
            body = {"metadata": {"name": "f", "namespace": "default"}, "spec": spec}
            try:
                await world.create(body, Workflow)
                told = ""
            except ApiError as error:
                told = error.message
            assert ("in a circle" in told) == wrong, told

    virtual.run(main)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Queue"])
def test_names_with_dots_are_refused_for_what_is_named_after_them(kind: str) -> None:
    async def main() -> None:
        async with lab.server() as world:
            meta = {"name": "a.b", "namespace": "default"}
            body = {"metadata": meta, "spec": yaml.safe_load(GOOD[kind])}
            with pytest.raises(ApiError, match=r"metadata\.name.*a\.b"):
                await world.create(body, KINDS[kind])

    virtual.run(main)
