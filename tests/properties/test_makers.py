"""Laws of the plans that make other objects; what is made is made once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from athanor.features.crons import plan as crons
from athanor.features.sweeps import plan as sweeps
from athanor.features.sweeps.apply import NoModel
from athanor.runtime.plan import Create, Plan
from athanor.testing import world
from tests.properties import makers
from tests.properties.situations import NOW
from tests.properties.test_plans import SAME, keeps_the_laws


@settings(derandomize=SAME)
@given(makers.cron_worlds())
def test_crons(given_world: Any) -> None:
    objects, refusal = given_world
    observed = makers.see_cron(objects, refusal)
    planned = keeps_the_laws(crons.plan, observed)
    made = [a.manifest["metadata"]["name"] for a in planned.actions if isinstance(a, Create)]
    assert len(made) == len(set(made))
    after = world.apply(objects, planned)
    again = crons.plan(makers.see_cron(after, None), NOW)
    assert not any(isinstance(action, Create) for action in again.actions)
    if observed.cron.spec.concurrency_policy != "Replace":
        assert again.actions == ()
    settled = world.apply(after, again)
    assert crons.plan(makers.see_cron(settled, None), NOW).actions == ()


def plan_sweep(observed: Any, now: float) -> Plan:
    return sweeps.plan(observed, now, NoModel().suggest)


@settings(derandomize=SAME)
@given(makers.sweep_worlds())
def test_sweeps(given_world: Any) -> None:
    objects, refusal, model = given_world
    observed = makers.see_sweep(objects, refusal, model)
    assert observed is not None
    planned = keeps_the_laws(plan_sweep, observed)
    made = {a.manifest["metadata"]["name"] for a in planned.actions if isinstance(a, Create)}
    ever: set[str] = set()
    for _ in range(4):  # at most sixteen trials at a time, and what one look stops the next sees
        assert not made & ever, "a trial is made once"
        ever |= made
        objects = world.apply(objects, planned)
        again = makers.see_sweep(objects, None, model)
        if again is None:
            return
        held = [row for row in again.sweep.status.trials if row.state == "Running"]
        assert len(held) <= max(again.sweep.spec.parallelism, len(observed.trials) + 5)
        planned = plan_sweep(again, NOW)
        if planned.actions == ():
            return
        made = {a.manifest["metadata"]["name"] for a in planned.actions if isinstance(a, Create)}
    raise AssertionError("it never comes to rest")
