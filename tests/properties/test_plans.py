"""Laws of every plan: deterministic, input unchanged, planned twice is planned once, no I/O."""

from __future__ import annotations

import builtins
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.api.core import Node
from athanor.features.gangs import foreign
from athanor.features.gangs import plan as gangs
from athanor.features.nodes import plan as nodes
from athanor.features.nodes.observe import Observed
from athanor.features.scheduling import matters as scheduling_matters
from athanor.features.scheduling import observe as scheduling_observe
from athanor.features.scheduling import plan as scheduling_plan
from athanor.features.training import plan as training
from athanor.features.training.build import Defaults
from athanor.runtime.plan import Delete, Patch, Plan
from athanor.testing import world
from tests.properties import situations
from tests.properties.situations import NOW

Planner = Callable[[Any, float], Plan]

SAME = "ATHANOR_HUNT" not in os.environ
"""The same examples in every run; with ATHANOR_HUNT set, new ones each time."""

DEFAULTS = Defaults(storage_class="local")


def plan_job(observed: Any, now: float) -> Plan:
    return training.plan(observed, now, DEFAULTS)


@contextmanager
def nothing_outside() -> Iterator[None]:
    """Files, sockets, clocks and dice raise."""

    def touched(*_: Any, **__: Any) -> Any:
        raise AssertionError("a plan reached outside")

    with (
        mock.patch.object(builtins, "open", touched),
        mock.patch.object(os, "open", touched),
        mock.patch.object(os, "stat", touched),
        mock.patch.object(os, "urandom", touched),
        mock.patch.object(socket, "socket", touched),
        mock.patch.object(time, "time", touched),
        mock.patch.object(time, "sleep", touched),
        mock.patch.object(random, "random", touched),
    ):
        yield


def keeps_the_laws(plan: Planner, observed: Any) -> Plan:
    before = msgspec.json.encode(observed)
    with nothing_outside():
        first = plan(observed, NOW)
        second = plan(observed, NOW)
    assert first == second
    assert msgspec.json.encode(observed) == before
    assert first.again_after is None or first.again_after > 0
    return first


@settings(derandomize=SAME)
@given(situations.gang_worlds())
def test_gangs(given_world: Any) -> None:
    objects, silent, gone, refusal = given_world
    planned = keeps_the_laws(gangs.plan, situations.see_gang(objects, silent, gone, refusal))
    for _ in range(3):
        objects = world.apply(objects, planned)
        again = gangs.plan(situations.see_gang(objects, silent, gone, refusal), NOW)
        if not by_force(planned):
            assert again.actions == ()
            return
        planned = again  # pods are gone in the same moment: that may be what it waited for
    raise AssertionError("pods are removed by force again and again")


@settings(derandomize=SAME)
@given(situations.groups())
def test_pods_of_others(given_world: Any) -> None:
    objects, refusal = given_world
    planned = keeps_the_laws(foreign.plan, situations.see_group(objects, refusal))
    for _ in range(2):  # who has been told why may then hear that others are missing
        objects = world.apply(objects, planned)
        planned = foreign.plan(situations.see_group(objects, None), NOW)
    assert planned.actions == ()


def by_force(plan: Plan) -> bool:
    return any(isinstance(action, Delete) and action.grace_seconds == 0 for action in plan.actions)


@settings(derandomize=SAME)
@given(situations.job_worlds())
def test_training(given_world: Any) -> None:
    objects, refusal = given_world
    observed = situations.see_job(objects, refusal)
    planned = keeps_the_laws(plan_job, observed)
    rounds = 1 if refusal is None else 2  # what was refused before is news when it is taken
    for _ in range(rounds):
        objects = world.apply(objects, planned)
        again = situations.see_job(objects, None)
        if again is None:
            return
        planned = plan_job(again, NOW)
    assert planned.actions == ()


@settings(derandomize=SAME)
@given(situations.clusters())
def test_scheduling(objects: world.Objects) -> None:
    def decide(objects: world.Objects, now: float = NOW) -> Plan:
        seen = scheduling_observe.Observer()(situations.caches_of(objects), scheduling_matters.KEY)
        assert seen is not None
        with nothing_outside():
            return scheduling_plan.Planner()(seen, now)

    planned = decide(objects)
    assert planned == decide(objects)
    after = world.apply(objects, planned)
    settled = world.apply(after, decide(after))  # use and counts follow what was admitted
    assert decide(settled).actions == ()


@settings(derandomize=SAME)
@given(
    st.sampled_from(["True", "Unknown", "False"]),
    st.sampled_from(["NodeStatusUnknown", "KubeletReady"]),
    st.sampled_from(["", "b1", "b2"]),
    st.none() | st.tuples(st.sampled_from(["b1", "b2"]), st.floats(0, 100), st.floats(0, 30)),
)
def test_nodes(ready: str, reason: str, beat: str, known: tuple[str, float, float] | None) -> None:
    condition = {"type": "Ready", "status": ready, "reason": reason}
    node: dict[str, Any] = {
        "metadata": {"name": "n", "uid": "u", "resourceVersion": "1"},
        "status": {"conditions": [condition]},
    }
    memory = {}
    if known is not None:
        since, looked = NOW - known[1], NOW - min(known[1], known[2])
        memory["n"] = nodes.Seen(known[0], since, looked)
    observed = Observed(msgspec.convert(node, Node), beat)
    with nothing_outside():
        planned, remembered = nodes.plan(observed, memory, NOW)
        assert (planned, remembered) == nodes.plan(observed, memory, NOW)
    for action in planned.actions:
        if isinstance(action, Patch):
            node = world.merged(node, action.body)
    again, _ = nodes.plan(Observed(msgspec.convert(node, Node), beat), remembered, NOW)
    assert again.actions == ()


def test_no_plan_is_forgotten() -> None:
    features = Path(gangs.__file__).parent.parent
    found = {path.parent.name for path in features.glob("*/plan.py")}
    assert found == {
        "crons", "gangs", "nodes", "scheduling", "sweeps", "training", "workflows", "workspaces",
    }  # fmt: skip
