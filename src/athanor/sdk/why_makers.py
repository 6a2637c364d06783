"""Why a sweep, a workflow or a cron is as it is: its own words, and which of its objects to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from athanor.api.crons import Cron
from athanor.api.meta import Object
from athanor.api.sweeps import Sweep
from athanor.api.workflows import Workflow
from athanor.sdk.explanation import Explanation
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

MOST = 3
"""Failed trials or steps that are told of at most."""

M = TypeVar("M", bound=Object)


def seen(name: str, namespace: str) -> Op[Explanation | None]:
    """The explanation of the sweep, workflow or cron of this name; None when there is none."""
    said = yield from _of(Sweep, sweep, name, namespace)
    if said is None:
        said = yield from _of(Workflow, workflow, name, namespace)
    if said is None:
        said = yield from _of(Cron, cron, name, namespace)
    return said


def _of(
    kind: type[M], explain: Callable[[M], Explanation], name: str, namespace: str
) -> Op[Explanation | None]:
    try:
        found = yield from ask(calls.get(kind, name, namespace))
    except ApiError as error:
        if error.reason not in ("NotFound", "Forbidden"):
            raise
        return None
    return explain(found)


def sweep(one: Sweep) -> Explanation:
    """From the object alone."""
    name, status = one.metadata.name, one.status
    failed = [trial for trial in status.trials if trial.state == "Failed"]
    running = [f"{name}-{trial.number}" for trial in status.trials if trial.state == "Running"]
    facts = [f"{status.done or f'0/{one.spec.max_trials}'} trials done, {len(running)} running"]
    if status.best is not None and status.phase != "Succeeded":  # then the message says it
        facts.append(
            f"best {one.spec.objective.metric} {status.best.value:g} by {status.best.trial}"
        )
    facts += [f"{name}-{trial.number} failed: {trial.message}" for trial in failed[-MOST:]]
    asked = [f"{name}-{failed[-1].number}"] if failed else running[:1]
    hints = [*_asking(asked), f"athanor sweep trials {name}"] if status.trials else []
    return _said(name, status.phase, status.message, facts, hints, suspended="athanor sweep resume")


def workflow(one: Workflow) -> Explanation:
    """From the object alone."""
    name, status = one.metadata.name, one.status
    failed = [step for step in status.steps if step.phase == "Failed"]
    running = [step.object for step in status.steps if step.phase == "Running" and step.object]
    facts = [f"{status.done or f'0/{len(one.spec.steps)}'} steps done, {len(running)} running"]
    for step in failed[:MOST]:
        which = step.name if step.index is None else f"{step.name}[{step.index}]"
        facts.append(f"step {which} failed: {step.message or step.object}")
    asked = [step.object for step in failed if step.object][:1] or running[:1]
    hints = [*_asking(asked), f"athanor flow steps {name}"]
    if status.phase == "Failed" and status.reason != "InvalidSpec":
        hints.append(f"athanor flow resume {name} goes on from the failed steps")
    return _said(name, status.phase, status.message, facts, hints, suspended="athanor flow resume")


def cron(one: Cron) -> Explanation:
    """From the object alone."""
    name, status = one.metadata.name, one.status
    facts = [f"due next at {status.next_schedule_time}"] if status.next_schedule_time else []
    facts += [f"it last made {status.last}"] if status.last else []
    asked = status.active[:1] or ([status.last] if status.last else [])
    hints = [*_asking(asked), f"athanor cron run {name} makes one now"]
    message = status.message or next(
        (c.message for c in status.conditions if c.status == "False" and c.message), ""
    )
    return _said(name, status.phase, message, facts, hints, suspended="athanor cron resume")


def _asking(names: Sequence[str]) -> list[str]:
    return [f"athanor why {name}" for name in names]


def _said(
    name: str, phase: str, message: str, facts: list[str], hints: list[str], *, suspended: str
) -> Explanation:
    if phase == "Suspended":
        hints = [f"{suspended} {name}"]
    return Explanation(
        name=name, phase=phase, headline=message or f"it is {phase.lower()}", facts=facts,
        hints=hints,
    )  # fmt: skip
