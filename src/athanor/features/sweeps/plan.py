"""What a sweep needs next: trials to start, trials to stop, its status, its end.

A trial's object has its number in its name and its parameters in an annotation: one that was made
and not written down is found again, so a controller that dies in between makes none twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct

from athanor.api import labels
from athanor.api.meta import to_manifest
from athanor.api.registry import of
from athanor.api.sweeps import Sweep, SweepPhase, SweepStatus, Trial
from athanor.features.sweeps import cost, names, space, trials
from athanor.features.sweeps.observe import Observed
from athanor.features.sweeps.question import Question, Suggest
from athanor.features.sweeps.space import Value
from athanor.features.sweeps.states import FINISHED, Event, move
from athanor.features.sweeps.trials import Rows
from athanor.kit import fill, quantity
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.children import (
    Child,
    made,
    phase_conditions,
    remove,
    resource,
    suspended,
)
from athanor.runtime.phases import status_write
from athanor.runtime.plan import Action, Create, Delete, Patch, Plan

SWEEPS = of(Sweep)

TOGETHER = 16
"""Trials that one plan starts at most: a suggestion takes time, and others wait."""
LOADING = 0.5
"""Seconds between two looks at a model that is being loaded."""


class Verdict(Struct, frozen=True):
    """Where the sweep stands after all that was seen."""

    event: Event
    reason: str = ""
    message: str = ""


def plan(observed: Observed, now: float, suggest: Suggest) -> Plan:
    """The next actions for one Sweep. Pure; `now` in seconds since the epoch."""
    sweep = observed.sweep
    found = trials.by_number(observed.trials)
    if sweep.status.phase in FINISHED:
        return _after(sweep, found, now)
    rows = trials.read(sweep, found, now)
    verdict = _verdict(observed, rows, found, now)
    creates: list[Action] = []
    again = _again(sweep, rows, found, now)
    if verdict.event in ("succeeded", "failed"):
        rows = _all_stopped(rows, verdict)
    elif verdict.event == "running":
        if observed.model not in ("ready", "loading"):
            verdict = Verdict("failed", "NoModel", observed.model)
        else:
            creates, more = _launch(observed, rows, suggest, now)
            again = min([t for t in (again, more) if t is not None], default=None)
    status = _status(sweep, rows, verdict, now)
    actions = (*creates, *_write(sweep, status), *_stops(sweep, rows, found))
    if status.phase in FINISHED:
        ttl = sweep.spec.ttl_seconds_after_finished
        return Plan(actions, None if ttl is None else max(float(ttl), 0.001))
    return Plan((*actions, *_held(sweep, rows, found)), again)


def _verdict(observed: Observed, rows: Rows, found: Mapping[int, Child], now: float) -> Verdict:
    """Whether it goes on, and if not, why."""
    sweep, spec = observed.sweep, observed.sweep.spec
    wrong = names.wrong(sweep)
    if wrong:
        return Verdict("failed", "InvalidSpec", wrong)
    refusal = observed.refusal
    if refusal is not None and refusal.final:
        return Verdict("failed", "InvalidTemplate", refusal.message)
    failed = [row for row in rows.values() if row.state == "Failed"]
    if len(failed) > spec.max_failed:
        last = f"{len(failed)} trials failed, {spec.max_failed} may; the last: {failed[-1].message}"
        return Verdict("failed", "TooManyFailures", last)
    best = trials.best(sweep, rows)
    if _spent(sweep, rows, found, now) >= _budget(sweep):
        said = f"the budget of {spec.budget.gpu_hours if spec.budget else 0} GPU-hours is spent"
        return Verdict("succeeded" if best is not None else "failed", "BudgetSpent", said)
    going = any(row.state == "Running" for row in rows.values())
    if len(rows) >= _wanted(sweep) and not going:
        if best is None:
            return Verdict("failed", "NoTrialSucceeded", "no trial came to its end with a metric")
        said = f"best {spec.objective.metric} {best.value:g} by {best.trial}"
        return Verdict("succeeded", "AllTrialsDone", said)
    return Verdict("suspended") if spec.suspend else Verdict("running")


def _launch(
    observed: Observed, rows: Rows, suggest: Suggest, now: float
) -> tuple[list[Action], float | None]:
    """New trials up to the parallelism, put into the rows; and when to look again for more."""
    sweep, spec = observed.sweep, observed.sweep.spec
    actions: list[Action] = []
    going = sum(row.state == "Running" for row in rows.values())
    while going < spec.parallelism and len(rows) < _wanted(sweep):
        if len(actions) == TOGETHER:
            return actions, 0.01
        number = max(rows, default=-1) + 1
        values = _choose(sweep, rows, number, suggest, loading=observed.model == "loading")
        if values is None:
            return actions, LOADING
        told = msgspec.json.encode(values, order="sorted").decode()
        notes = {labels.TRIAL: str(number), labels.PARAMETERS: told}
        template = fill.fill(
            {"kind": spec.template.kind, **to_manifest(spec.template)}, names.lookup(sweep, values)
        )
        assert isinstance(template, dict)
        marks = {labels.SWEEP: sweep.metadata.name}
        child = made(sweep, trials.name_of(sweep, number), template, notes, marks)
        actions.append(Create(resource(spec.template.kind), child))
        rows[number] = Trial(number=number, parameters=values, since=rfc3339(now))
        going += 1
    return actions, None


def _choose(
    sweep: Sweep, rows: Rows, number: int, suggest: Suggest, *, loading: bool
) -> dict[str, Value] | None:
    """The parameters of a trial; None while the model is being loaded."""
    spec = sweep.spec
    if spec.algorithm.name == "Grid":
        points = space.grid(spec.parameters)
        return next(point for index, point in enumerate(points) if index == number)
    if spec.algorithm.name == "Random" or number < spec.algorithm.startup:
        return space.draw(spec.parameters, spec.algorithm.seed, number)
    if loading:
        return None
    return suggest(
        Question(
            parameters=tuple(spec.parameters), goal=spec.objective.goal, seed=spec.algorithm.seed,
            number=number, history=tuple(row for _, row in sorted(rows.items())),
        )
    )  # fmt: skip


def _wanted(sweep: Sweep) -> int:
    if sweep.spec.algorithm.name == "Grid":
        return min(sweep.spec.max_trials, space.grid_size(sweep.spec.parameters))
    return sweep.spec.max_trials


def _budget(sweep: Sweep) -> float:
    """GPU-seconds that may be spent."""
    if sweep.spec.budget is None:
        return float("inf")
    return quantity.parse(str(sweep.spec.budget.gpu_hours)).nano / quantity.NANO * 3600


def _spent(sweep: Sweep, rows: Rows, found: Mapping[int, Child], now: float) -> float:
    """GPU-seconds that all trials have cost so far."""
    each = cost.gpus(sweep.spec.template)
    done = sum(row.gpu_seconds for row in rows.values() if row.state != "Running")
    return done + sum(
        cost.gpu_seconds(each, child, now)
        for number, child in found.items()
        if rows[number].state == "Running"
    )


def _again(sweep: Sweep, rows: Rows, found: Mapping[int, Child], now: float) -> float | None:
    """When time alone will change something."""
    times = []
    running = {n: row for n, row in rows.items() if row.state == "Running"}
    for number, row in running.items():
        child = found.get(number)
        if child is None:
            times.append(trials.unseen_until(row) - now)
        elif child.finished:
            times.append(trials.waits_until(child) - now)
    each = cost.gpus(sweep.spec.template)
    paying = sum(1 for n in running if n in found and found[n].started and not found[n].ended)
    if sweep.spec.budget is not None and each * paying:
        left = _budget(sweep) - _spent(sweep, rows, found, now)
        times.append(left / (each * paying))
    return max(min(times), 0.01) if times else None


def _all_stopped(rows: Rows, verdict: Verdict) -> Rows:
    return {
        n: trials.ended(row, "Stopped", verdict.message) if row.state == "Running" else row
        for n, row in rows.items()
    }


def _stops(sweep: Sweep, rows: Rows, found: Mapping[int, Child]) -> Iterator[Delete]:
    """Objects of trials that were stopped go; what has ended stays to be looked at."""
    for number, child in found.items():
        stopped = number in rows and rows[number].state in ("Pruned", "Stopped")
        if stopped and not child.finished and not child.going:
            yield remove(child, sweep.metadata.namespace)


def _held(sweep: Sweep, rows: Rows, found: Mapping[int, Child]) -> Iterator[Patch]:
    """Trials are suspended with their sweep, and go on with it."""
    to = sweep.spec.suspend
    for number, child in found.items():
        if rows[number].state == "Running" and child.suspended != to and not child.finished:
            yield suspended(child, sweep.metadata.namespace, to)


def _status(sweep: Sweep, rows: Rows, verdict: Verdict, now: float) -> SweepStatus:
    old = sweep.status
    phase: SweepPhase = move(old.phase, verdict.event)
    states = [row.state for row in rows.values()]
    spent = sum(row.gpu_seconds for row in rows.values()) / 3600
    message = verdict.message
    return msgspec.structs.replace(
        old,
        observed_generation=sweep.metadata.generation,
        phase=phase,
        reason=verdict.reason,
        message=message,
        conditions=phase_conditions(old.conditions, phase, verdict.reason, message, rfc3339(now)),
        trials=[row for _, row in sorted(rows.items())],
        running=states.count("Running"),
        done=f"{len(states) - states.count('Running')}/{sweep.spec.max_trials}",
        best=trials.best(sweep, rows),
        gpu_hours=f"{spent:.3f}" if spent else "",
        started_at=old.started_at or (rfc3339(now) if rows else None),
        finished_at=rfc3339(now) if phase in FINISHED else None,
    )


def _after(sweep: Sweep, found: Mapping[int, Child], now: float) -> Plan:
    """A finished sweep: last words of its trials, leftovers, and its own end."""
    ttl, finished = sweep.spec.ttl_seconds_after_finished, sweep.status.finished_at
    if ttl is not None and finished is not None and now >= parse_rfc3339(finished) + ttl:
        meta = sweep.metadata
        return Plan((Delete(
            resource=SWEEPS, name=meta.name, namespace=meta.namespace, uid=meta.uid,
            propagation="Background",
        ),))  # fmt: skip
    rows = {row.number: row for row in sweep.status.trials}
    for number, child in found.items():
        if number in rows and rows[number].state == "Succeeded":
            value, step = trials.reported(sweep, child)
            if value is not None:
                rows[number] = msgspec.structs.replace(rows[number], value=value, step=step)
    status = msgspec.structs.replace(
        sweep.status,
        trials=[row for _, row in sorted(rows.items())],
        best=trials.best(sweep, rows),
    )
    again = None
    if ttl is not None and finished is not None:
        again = parse_rfc3339(finished) + ttl - now
    return Plan((*_write(sweep, status), *_stops(sweep, rows, found)), again)


def _write(sweep: Sweep, status: SweepStatus) -> Iterator[Action]:
    return status_write(SWEEPS, sweep.metadata, sweep.status, status, word="sweep")
