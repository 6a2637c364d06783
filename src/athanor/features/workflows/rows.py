"""What the steps' objects say, as rows of the workflow's status: one a step, or one an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from athanor.api import labels
from athanor.api.workflows import Step, StepPhase, StepStatus, Workflow
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.children import Child

RowKey = tuple[str, int]
"""Step and item; -1 for a step without items."""
Rows = dict[RowKey, StepStatus]

UNSEEN = 60.0
"""Seconds after which a step whose object is nowhere counts as deleted."""
SETTLED: frozenset[StepPhase] = frozenset({"Succeeded", "Failed", "Skipped", "Omitted"})


def key_of(row: StepStatus) -> RowKey:
    """Where a row belongs."""
    return row.name, -1 if row.index is None else row.index


def object_name(workflow: Workflow, row: StepStatus, attempt: int) -> str:
    """The name of a step's object: the same whoever makes it, so it is made once."""
    parts = [workflow.metadata.name, row.name]
    parts += [] if row.index is None else [str(row.index)]
    parts += [] if attempt <= 1 else [f"r{attempt - 1}"]
    return "-".join(parts)


def read(workflow: Workflow, objects: Sequence[Child], now: float) -> Rows:
    """The rows as their objects say."""
    rows = {key_of(row): row for row in workflow.status.steps}
    steps = {step.name: step for step in every(workflow)}
    found: dict[RowKey, dict[int, Child]] = {}
    for child in objects:
        place = _place(child)
        if place is not None and place[0][0] in steps:
            found.setdefault(place[0], {})[place[1]] = child
    for key, row in list(rows.items()):
        if key[0] not in steps:
            continue
        mine = found.get(key, {})
        rows[key] = _row(row, steps[key[0]], mine, now)
    for key, mine in found.items():  # made, and not written down
        if key not in rows:
            index = None if key[1] < 0 else key[1]
            newest = max(mine)
            told = mine[newest].annotations.get(labels.ITEM, "")
            fresh = StepStatus(name=key[0], index=index, item=told)
            rows[key] = _row(_taken(fresh, mine[newest], newest), steps[key[0]], mine, now)
    return rows


def every(workflow: Workflow) -> list[Step]:
    """All steps, the exit handler last."""
    return [*workflow.spec.steps, *([workflow.spec.on_exit] if workflow.spec.on_exit else [])]


def may_retry(row: StepStatus, step: Step) -> bool:
    """Whether a failed step may be made anew."""
    return row.attempt - row.first <= step.retries.limit


def retry_at(row: StepStatus, step: Step) -> float:
    """When a failed step may be made anew (seconds since the epoch)."""
    ended = parse_rfc3339(row.finished_at) if row.finished_at else 0.0
    times: int = 2 ** max(row.attempt - row.first - 1, 0)
    return ended + float(step.retries.backoff_seconds * times)


def unseen_until(row: StepStatus) -> float:
    """Until when a step without an object may still turn up."""
    return (parse_rfc3339(row.since) if row.since else 0.0) + UNSEEN


def _place(child: Child) -> tuple[RowKey, int] | None:
    told = child.annotations.get(labels.STEP, "").split("/")
    if len(told) != 3 or not told[2].isdecimal():
        return None
    return (told[0], int(told[1])), int(told[2])


def _row(row: StepStatus, step: Step, mine: Mapping[int, Child], now: float) -> StepStatus:
    newest = max(mine, default=0)
    if newest > row.attempt:
        row = _taken(row, mine[newest], newest)
    child = mine.get(row.attempt)
    if child is not None and row.phase == "Succeeded":
        return _results(row, child)
    if row.phase != "Running":
        return row
    if child is None:
        if now <= unseen_until(row):
            return row
        return ended(row, "Failed", "its object was deleted", rfc3339(now))
    if not child.finished:
        return row
    phase: StepPhase = "Succeeded" if child.phase == "Succeeded" else "Failed"
    return _results(ended(row, phase, child.message, child.ended or rfc3339(now)), child)


def _taken(row: StepStatus, child: Child, attempt: int) -> StepStatus:
    return msgspec.structs.replace(
        row, phase="Running", attempt=attempt, object=child.name, since=child.created, message="",
        finished_at="",
    )  # fmt: skip


def ended(row: StepStatus, phase: StepPhase, message: str, at: str) -> StepStatus:
    """A row at its end."""
    return msgspec.structs.replace(row, phase=phase, message=message, finished_at=at)


def _results(row: StepStatus, child: Child) -> StepStatus:
    said = child.progress
    if said is None:
        return row
    return msgspec.structs.replace(row, metrics=dict(said.metrics), outputs=dict(said.outputs))


def step_phase(step: Step, rows: Rows) -> StepPhase:
    """Where a whole step stands."""
    mine = [row.phase for (name, _), row in rows.items() if name == step.name]
    if not mine or set(mine) == {"Waiting"}:
        return "Waiting"
    if set(mine) & {"Running", "Waiting"}:
        return "Running"
    if "Failed" in mine:
        return "Failed"
    return "Succeeded" if "Succeeded" in mine else mine[0]
