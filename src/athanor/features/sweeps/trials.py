"""What the trials' objects say, as rows of the sweep's status; and which trial is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from athanor.api import labels
from athanor.api.sweeps import Best, Objective, Sweep, Trial, TrialState
from athanor.features.sweeps import asha, cost
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.children import Child

PATIENCE = 5.0
"""Seconds to wait for the last words of a trial that has succeeded."""
UNSEEN = 60.0
"""Seconds after which a trial whose object is nowhere counts as deleted."""

Rows = dict[int, Trial]


def name_of(sweep: Sweep, number: int) -> str:
    """The name of a trial's object."""
    return f"{sweep.metadata.name}-{number}"


def number_of(child: Child) -> int | None:
    """Which trial an object is; None for what is none of ours."""
    told = child.annotations.get(labels.TRIAL, "")
    return int(told) if told.isdecimal() else None


def by_number(trials: Sequence[Child]) -> dict[int, Child]:
    """The trials' objects by number."""
    return {n: child for child in trials if (n := number_of(child)) is not None}


def read(sweep: Sweep, found: Mapping[int, Child], now: float) -> Rows:
    """The rows as they are now; what was decided stays decided."""
    rows = {row.number: row for row in sweep.status.trials}
    each = cost.gpus(sweep.spec.template)
    for number, child in sorted(found.items()):
        row = rows.get(number) or adopted(number, child)
        rows[number] = _row(sweep, row, child, each, now)
    for number, row in rows.items():
        if row.state == "Running" and number not in found and now > unseen_until(row):
            rows[number] = ended(row, "Stopped", "its object was deleted")
    return _pruned(sweep, rows, found, each, now)


def adopted(number: int, child: Child) -> Trial:
    """The row of a trial that was made, but not written down."""
    told = child.annotations.get(labels.PARAMETERS, "{}")
    return Trial(number=number, parameters=msgspec.json.decode(told), since=child.created)


def unseen_until(row: Trial) -> float:
    """Until when a trial without an object may still turn up."""
    return (parse_rfc3339(row.since) if row.since else 0.0) + UNSEEN


def ended(row: Trial, state: TrialState, message: str = "") -> Trial:
    """A row at its end."""
    return msgspec.structs.replace(row, state=state, message=message)


def _row(sweep: Sweep, row: Trial, child: Child, each: float, now: float) -> Trial:
    value, step = reported(sweep, child)
    if row.state == "Succeeded" and value is not None:  # last words come late
        return msgspec.structs.replace(row, value=value, step=step)
    if row.state != "Running" or not child.finished:
        return row
    spent = cost.gpu_seconds(each, child, now)
    row = msgspec.structs.replace(row, value=value, step=step, gpu_seconds=spent)
    if child.phase == "Failed":
        return ended(row, "Failed", child.message)
    if value is not None:
        return ended(row, "Succeeded")
    if now < waits_until(child):
        return row
    return ended(row, "Failed", f"it reported no metric {sweep.spec.objective.metric!r}")


def waits_until(child: Child) -> float:
    """Until when the last words of a trial are waited for."""
    return (parse_rfc3339(child.ended) if child.ended else 0.0) + PATIENCE


def reported(sweep: Sweep, child: Child) -> tuple[float | None, int | None]:
    """The metric and step that a trial has reported last."""
    said = child.progress
    if said is None:
        return None, None
    return said.metrics.get(sweep.spec.objective.metric), said.step


def _pruned(sweep: Sweep, rows: Rows, found: Mapping[int, Child], each: float, now: float) -> Rows:
    """Trials that have come to a rung, in order: noted there, and stopped unless among the best."""
    rule = sweep.spec.early_stop
    if rule is None:
        return rows
    for number, row in sorted(rows.items()):
        child = found.get(number)
        if child is None or row.state not in ("Running", "Succeeded"):
            continue
        value, step = reported(sweep, child)
        while value is not None and len(row.rungs) < asha.reached(rule, step):
            rung = len(row.rungs)
            others = [r.rungs[rung] for r in rows.values() if len(r.rungs) > rung]
            on = asha.goes_on(rule, sweep.spec.objective, value, others)
            row = msgspec.structs.replace(row, rungs=[*row.rungs, value])
            if not on and row.state == "Running":
                spent = cost.gpu_seconds(each, child, now)
                row = msgspec.structs.replace(row, value=value, step=step, gpu_seconds=spent)
                row = ended(row, "Pruned", f"not among the best at step {step}")
                break
        rows[number] = row
    return rows


def best(sweep: Sweep, rows: Rows) -> Best | None:
    """The best of those that succeeded; of equals the first."""
    done = [row for row in rows.values() if row.state == "Succeeded" and row.value is not None]
    if not done:
        return None
    first = min(done, key=lambda row: (_worse(sweep.spec.objective, row), row.number))
    return Best(
        trial=name_of(sweep, first.number), value=first.value or 0.0, parameters=first.parameters
    )


def _worse(objective: Objective, row: Trial) -> float:
    value = row.value or 0.0
    return value if objective.goal == "Minimize" else -value


def since(now: float) -> str:
    """The stamp of a row that begins now."""
    return rfc3339(now)
