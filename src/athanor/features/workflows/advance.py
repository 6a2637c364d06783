"""One look at all steps in order: which are skipped, omitted, retried, started. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from athanor.api import labels
from athanor.api.meta import JSON, to_manifest
from athanor.api.workflows import Step, StepStatus, Workflow
from athanor.features.workflows import artifacts, graph
from athanor.features.workflows.artifacts import Places
from athanor.features.workflows.names import Names
from athanor.features.workflows.rows import (
    SETTLED,
    Rows,
    ended,
    key_of,
    may_retry,
    object_name,
    retry_at,
    step_phase,
)
from athanor.kit import fill
from athanor.kit.condition import BadCondition, holds
from athanor.kit.times import rfc3339
from athanor.runtime.children import made

MOST_ITEMS = 500


class Front(Struct, kw_only=True):
    """The work of one look: rows as they become, manifests to create, when to look again."""

    workflow: Workflow
    places: Places
    now: float
    rows: Rows
    outcome: str = "Running"
    creates: list[JSON] = msgspec.field(default_factory=list)
    again: list[float] = msgspec.field(default_factory=list)

    @property
    def running(self) -> int:
        """How many objects have not ended."""
        return sum(row.phase == "Running" for row in self.rows.values())

    def names(self, row: StepStatus | None = None) -> Names:
        """What names stand for, in one row's eyes."""
        root = artifacts.mount(self.workflow, self.places)
        return Names(
            workflow=self.workflow, rows=self.rows, root=root, outcome=self.outcome, row=row
        )


def steps(front: Front) -> None:
    """Advance all steps as far as they go now."""
    known = {step.name: step for step in front.workflow.spec.steps}
    for step in graph.ordered(front.workflow.spec.steps):
        earlier = [known[name] for name in graph.before(step)]
        one(front, step, earlier)


def one(front: Front, step: Step, earlier: Sequence[Step]) -> None:
    """Advance one step; `earlier` are those it waits for."""
    if step_phase(step, front.rows) in SETTLED:
        for row in _failed(front, step):
            _retry(front, step, row)
        return
    begun = any(name == step.name for name, _ in front.rows)
    if not begun and not _opened(front, step, earlier):
        return
    for row in _of(front, step):
        if row.phase == "Failed":
            _retry(front, step, row)
        elif row.phase == "Waiting" and _room(front, step):
            _start(front, step, row)


def _opened(front: Front, step: Step, earlier: Sequence[Step]) -> bool:
    """Whether a step's turn has come; then it has rows."""
    for other in earlier:
        phase = step_phase(other, front.rows)
        if phase not in SETTLED:
            return False
        if phase == "Omitted" or (phase == "Failed" and not other.continue_on_failure):
            _settle(front, step, "Omitted", f"step {other.name} {phase.lower()}")
            return False
    try:
        if step.when and not holds(step.when, front.names()):
            _settle(front, step, "Skipped", f"{step.when} does not hold")
            return False
        items = _items(front, step)
    except (BadCondition, fill.Unknown, ValueError) as wrong:
        _settle(front, step, "Failed", str(wrong))
        return False
    if items is None:
        front.rows[step.name, -1] = StepStatus(name=step.name)
    elif not items:
        _settle(front, step, "Skipped", "there are no items")
        return False
    else:
        for index, item in enumerate(items):
            front.rows[step.name, index] = StepStatus(name=step.name, index=index, item=item)
    return True


def _items(front: Front, step: Step) -> list[str] | None:
    """The items of a step as texts; None for a step without. Raises ValueError."""
    names = front.names()
    if step.with_param:
        found = fill.fill(step.with_param, names)
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                raise ValueError(f"withParam: {found[:80]!r} is no list in JSON") from None
        if not isinstance(found, list):
            raise ValueError(f"withParam: {fill.text(found)[:80]} is no list")
    elif step.with_items:
        filled = fill.fill(list(step.with_items), names)
        found = filled if isinstance(filled, list) else []
    else:
        return None
    if len(found) > MOST_ITEMS:
        raise ValueError(f"{len(found)} items are more than {MOST_ITEMS}")
    return [fill.text(item) for item in found]


def _of(front: Front, step: Step) -> list[StepStatus]:
    return [row for (name, _), row in sorted(front.rows.items()) if name == step.name]


def _failed(front: Front, step: Step) -> Iterator[StepStatus]:
    for row in _of(front, step):
        if row.phase == "Failed" and row.attempt:
            yield row


def _retry(front: Front, step: Step, row: StepStatus) -> None:
    """Make a failed step anew while it may be."""
    if not row.attempt or not may_retry(row, step):
        return
    at = retry_at(row, step)
    if at > front.now:
        front.again.append(at - front.now)
        waits = f"failed ({row.message}); tried again at {rfc3339(at)}"
        front.rows[key_of(row)] = msgspec.structs.replace(row, phase="Waiting", message=waits)
        return
    _start(front, step, row)


def _room(front: Front, step: Step) -> bool:
    limit, own = front.workflow.spec.parallelism, step.parallelism
    mine = sum(row.phase == "Running" for row in _of(front, step))
    return not (limit and front.running >= limit) and not (own and mine >= own)


def _start(front: Front, step: Step, row: StepStatus) -> None:
    """Make the step's next object."""
    if row.attempt > row.first and (at := retry_at(row, step)) > front.now:
        front.again.append(at - front.now)
        return
    workflow, attempt = front.workflow, row.attempt + 1
    name = object_name(workflow, row, attempt)
    template: JSON = {"kind": step.template.kind, **to_manifest(step.template)}
    try:
        filled = fill.fill(template, front.names(row))
    except fill.Unknown as unknown:
        front.rows[key_of(row)] = ended(
            row, "Failed", f"${{{unknown}}} stands for nothing", rfc3339(front.now)
        )
        return
    assert isinstance(filled, dict)
    index = -1 if row.index is None else row.index
    notes = {labels.STEP: f"{row.name}/{index}/{attempt}", labels.ITEM: row.item}
    whole = artifacts.given(workflow, row, front.places, filled)
    marks = {labels.WORKFLOW: workflow.metadata.name}
    front.creates.append(made(workflow, name, whole, notes, marks))
    front.rows[key_of(row)] = msgspec.structs.replace(
        row, phase="Running", attempt=attempt, object=name, message="", since=rfc3339(front.now),
        finished_at="",
    )  # fmt: skip


def _settle(front: Front, step: Step, phase: str, message: str) -> None:
    row = StepStatus(name=step.name)
    at = rfc3339(front.now)
    if phase == "Omitted":
        front.rows[step.name, -1] = ended(row, "Omitted", message, at)
    elif phase == "Skipped":
        front.rows[step.name, -1] = ended(row, "Skipped", message, at)
    else:
        front.rows[step.name, -1] = ended(row, "Failed", message, at)
