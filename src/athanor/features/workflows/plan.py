"""What a workflow needs next: steps to start, its status, its end, its resumption.

A step's object has step, item and attempt in an annotation and its name: one that was made and not
written down is found again. What has succeeded is written down and never made again.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from athanor.api.core import PersistentVolumeClaim
from athanor.api.meta import Condition, set_condition
from athanor.api.registry import of
from athanor.api.workflows import StepStatus, Workflow, WorkflowPhase, WorkflowStatus
from athanor.features.workflows import advance, artifacts, graph
from athanor.features.workflows.advance import Front
from athanor.features.workflows.artifacts import Places
from athanor.features.workflows.observe import Observed
from athanor.features.workflows.rows import (
    SETTLED,
    Rows,
    every,
    key_of,
    read,
    step_phase,
    unseen_until,
)
from athanor.features.workflows.states import FINISHED, Event, move
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.children import phase_conditions, resource, suspended
from athanor.runtime.phases import status_write
from athanor.runtime.plan import Action, Create, Delete, Patch, Plan

WORKFLOWS, CLAIMS = of(Workflow), of(PersistentVolumeClaim)


class Verdict(Struct, frozen=True):
    """Where the workflow stands after all that was seen."""

    event: Event
    reason: str = ""
    message: str = ""


def plan(observed: Observed, now: float, places: Places) -> Plan:
    """The next actions for one Workflow. Pure; `now` in seconds since the epoch."""
    workflow = observed.workflow
    if workflow.status.phase in FINISHED and not _resumed(workflow):
        return _after(workflow, now)
    wrong = graph.wrong(workflow)
    if wrong:
        rows = {key_of(row): row for row in workflow.status.steps}
        status = _status(workflow, rows, Verdict("failed", "InvalidSpec", wrong), now)
        return Plan(tuple(_write(workflow, status)))
    rows = read(workflow, observed.objects, now)
    if _resumed(workflow):
        rows = _reset(workflow, rows)
    front = Front(workflow=workflow, places=places, now=now, rows=rows)
    verdict = _advance(front, observed)
    actions: list[Action] = []
    claim = artifacts.claim(workflow, places)
    if claim is not None and not observed.has_claim:
        actions.append(Create(CLAIMS, claim))
    actions += [Create(resource(child["kind"]), child) for child in front.creates]
    status = _status(workflow, front.rows, verdict, now)
    actions += [*_write(workflow, status), *_held(observed)]
    if status.phase in FINISHED:
        ttl = workflow.spec.ttl_seconds_after_finished
        return Plan(tuple(actions), None if ttl is None else max(float(ttl), 0.001))
    return Plan(tuple(actions), _again(front, observed))


def _advance(front: Front, observed: Observed) -> Verdict:
    """Advance the steps, then the exit handler; say where that leaves the workflow."""
    workflow, refusal = front.workflow, observed.refusal
    if refusal is not None and refusal.final:
        return Verdict("failed", "InvalidTemplate", refusal.message)
    if workflow.spec.suspend:
        return Verdict("suspended")
    advance.steps(front)
    phases = {step.name: step_phase(step, front.rows) for step in workflow.spec.steps}
    if not set(phases.values()) <= SETTLED:
        return Verdict("resumed" if workflow.status.phase == "Failed" else "running")
    failed = [
        step.name
        for step in workflow.spec.steps
        if phases[step.name] == "Failed" and not step.continue_on_failure
    ]
    front.outcome = "Failed" if failed else "Succeeded"
    handler = workflow.spec.on_exit
    if handler is not None:
        advance.one(front, handler, [])
        last = step_phase(handler, front.rows)
        if last not in SETTLED:
            return Verdict("resumed" if workflow.status.phase == "Failed" else "running")
        if last == "Failed" and not failed:
            return Verdict("failed", "ExitHandlerFailed", f"the exit handler {handler.name} failed")
    if failed:
        said = "; ".join(
            f"{_title(row)}: {row.message}" for row in _failures(front.rows, failed[0])
        )
        return Verdict("failed", "StepFailed", f"step {', '.join(failed)} failed: {said}"[:1000])
    return Verdict("succeeded", "AllStepsDone", "")


def _title(row: StepStatus) -> str:
    return row.name if row.index is None else f"{row.name}[{row.index}]"


def _failures(rows: Rows, step: str) -> list[StepStatus]:
    found = [row for (name, _), row in sorted(rows.items()) if name == step]
    return [row for row in found if row.phase == "Failed"][:3]


def _resumed(workflow: Workflow) -> bool:
    return workflow.status.phase == "Failed" and workflow.spec.resumes > workflow.status.resumes


def _reset(workflow: Workflow, rows: Rows) -> Rows:
    """What failed, was left out or skipped is looked at again, and so is the end."""
    handler = workflow.spec.on_exit.name if workflow.spec.on_exit is not None else None
    kept: Rows = {}
    for key, row in rows.items():
        if row.phase in ("Succeeded", "Running") and row.name != handler:
            kept[key] = row
        elif row.attempt:
            kept[key] = msgspec.structs.replace(
                row, phase="Waiting", first=row.attempt, message="", finished_at=""
            )
        elif row.index is not None:
            kept[key] = msgspec.structs.replace(row, phase="Waiting", message="", finished_at="")
    return kept


def _held(observed: Observed) -> Iterator[Patch]:
    """Steps are suspended with their workflow, and go on with it."""
    workflow = observed.workflow
    for child in observed.objects:
        if not child.finished and not child.going and child.suspended != workflow.spec.suspend:
            yield suspended(child, workflow.metadata.namespace, workflow.spec.suspend)


def _again(front: Front, observed: Observed) -> float | None:
    """When time alone will change something."""
    there = {child.name for child in observed.objects}
    times = list(front.again)
    times += [
        unseen_until(row) - front.now + 0.1
        for row in front.rows.values()
        if row.phase == "Running" and row.object not in there
    ]
    return max(min(times), 0.01) if times else None


def _status(workflow: Workflow, rows: Rows, verdict: Verdict, now: float) -> WorkflowStatus:
    old = workflow.status
    phase: WorkflowPhase = move(old.phase, verdict.event)
    stamp = rfc3339(now)
    total = every(workflow)
    place = {step.name: index for index, step in enumerate(total)}
    done = sum(step_phase(step, rows) in SETTLED for step in total)
    known = _valid(old.conditions, verdict, stamp)
    return msgspec.structs.replace(
        old,
        observed_generation=workflow.metadata.generation,
        phase=phase,
        reason=verdict.reason,
        message=verdict.message,
        conditions=phase_conditions(known, phase, verdict.reason, verdict.message, stamp),
        steps=sorted(rows.values(), key=lambda r: (place.get(r.name, 999), key_of(r)[1])),
        done=f"{done}/{len(total)}",
        running=sum(row.phase == "Running" for row in rows.values()),
        resumes=workflow.spec.resumes if phase != "Pending" else old.resumes,
        started_at=old.started_at or stamp,
        finished_at=stamp if phase in FINISHED else None,
    )


def _valid(known: list[Condition], verdict: Verdict, stamp: str) -> list[Condition]:
    """Valid: whether the steps make sense; the message names the field that does not."""
    bad = verdict.reason == "InvalidSpec"
    held = next((c for c in known if c.type == "Valid"), None)
    if held is not None and (held.status, held.message) == (
        str(not bad), verdict.message if bad else "",
    ):  # fmt: skip
        return known
    news = Condition(
        type="Valid", status=str(not bad), reason=verdict.reason if bad else "StepsRead",
        message=verdict.message if bad else "",
    )  # fmt: skip
    return set_condition(known, news, stamp)


def _after(workflow: Workflow, now: float) -> Plan:
    """A finished workflow goes when its time is up."""
    ttl, finished = workflow.spec.ttl_seconds_after_finished, workflow.status.finished_at
    if ttl is None or finished is None:
        return Plan()
    left = parse_rfc3339(finished) + ttl - now
    if left > 0:
        return Plan((), left)
    meta = workflow.metadata
    return Plan((Delete(
        resource=WORKFLOWS, name=meta.name, namespace=meta.namespace, uid=meta.uid,
        propagation="Background",
    ),))  # fmt: skip


def _write(workflow: Workflow, status: WorkflowStatus) -> Iterator[Action]:
    return status_write(WORKFLOWS, workflow.metadata, workflow.status, status, word="workflow")
