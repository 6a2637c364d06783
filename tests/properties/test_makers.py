"""Laws of the plans that make other objects; what is made is made once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from athanor.api import labels
from athanor.features.crons import plan as crons
from athanor.features.sweeps import plan as sweeps
from athanor.features.sweeps.apply import NoModel
from athanor.features.workflows import plan as workflows
from athanor.features.workflows.artifacts import Places
from athanor.features.workspaces import plan as workspaces
from athanor.features.workspaces.build import Gateway
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


def plan_workflow(observed: Any, now: float) -> Plan:
    return workflows.plan(observed, now, Places())


@settings(derandomize=SAME)
@given(makers.workflow_worlds())
def test_workflows(given_world: Any) -> None:
    objects, refusal = given_world
    observed = makers.see_workflow(objects, refusal)
    assert observed is not None
    planned = keeps_the_laws(plan_workflow, observed)
    was = {(row.name, row.index) for row in observed.workflow.status.steps
           if row.phase == "Succeeded"}  # fmt: skip
    for _ in range(2):
        for action in planned.actions:
            if isinstance(action, Create) and action.resource.kind == "TrainingJob":
                name, index, _ = action.manifest["metadata"]["annotations"][labels.STEP].split("/")
                assert (name, None if index == "-1" else int(index)) not in was
        objects = world.apply(objects, planned)
        again = makers.see_workflow(objects, None)
        if again is None:
            return
        planned = plan_workflow(again, NOW)
        if planned.actions == ():
            return
    raise AssertionError(f"it does not come to rest: {planned.actions}")


def plan_workspace(observed: Any, now: float) -> Plan:
    return workspaces.plan(observed, now, Gateway(url="https://here", secret="s"))


@settings(derandomize=SAME)
@given(makers.workspace_worlds())
def test_workspaces(given_world: Any) -> None:
    objects, refusal = given_world
    planned = keeps_the_laws(plan_workspace, makers.see_workspace(objects, refusal))
    for _ in range(3):  # a phase may let a rule speak, and its word changes the phase
        objects = world.apply(objects, planned)
        planned = plan_workspace(makers.see_workspace(objects, None), NOW)
        if planned.actions == ():
            return
    raise AssertionError(f"it does not come to rest: {planned.actions}")
