"""What a Cron needs next: what is due is made, what is old is deleted, its status is written.

A child's name comes from its time, and the newest time that was dealt with is read from the
children as well as from the status: a controller that dies between making a child and writing that
down makes no second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from athanor.api import labels
from athanor.api.crons import Cron, CronPhase, CronStatus
from athanor.api.meta import Condition, set_condition, to_manifest
from athanor.api.registry import of
from athanor.features.crons.due import due, handled_until, name_of, scheduled
from athanor.features.crons.observe import Observed
from athanor.kit.schedule import Schedule, schedule
from athanor.kit.times import rfc3339
from athanor.runtime.children import Child, made, remove, resource
from athanor.runtime.plan import Action, Create, Patch, Plan, Record, difference, head

CRONS = of(Cron)

LOOK = 60.0
"""Seconds after which the clock is read anew: machines sleep, and clocks are set."""

FINAL = ("Invalid", "BadRequest", "Forbidden")
"""Refusals that trying again will not change."""


class Step(Struct, frozen=True, kw_only=True):
    """What is done about due times: actions, names of what runs then, and until when all is."""

    actions: tuple[Action, ...] = ()
    running: tuple[str, ...] = ()
    started: float | None = None
    until: float
    message: str | None = None


def plan(observed: Observed, now: float, look: float = LOOK) -> Plan:
    """The next actions for one Cron. Pure; `now` in seconds since the epoch.

    The clock is read anew after `look` seconds at the latest.
    """
    cron = observed.cron
    running = [c for c in observed.children if not c.finished and not c.going]
    until = handled_until(cron, observed.children)
    step = Step(running=tuple(c.name for c in running), until=until)
    if observed.invalid is not None:
        said = f"spec.{observed.invalid.field}: {observed.invalid.message}"
        step = msgspec.structs.replace(step, message=said)
        status = _status(observed, step, None, now)
        return Plan(tuple(_write(cron, status)))
    times = schedule(cron.spec.schedule, cron.spec.time_zone)
    if not cron.spec.suspend:
        step = _start(observed, times, running, until, now)
    following = None if cron.spec.suspend else times.next(max(now, step.until))
    status = _status(observed, step, following, now)
    actions = (*step.actions, *_write(cron, status), *_history(observed))
    if following is None:
        return Plan(actions)
    return Plan(actions, min(look, max(following - now, 0.001)))


def _start(
    observed: Observed, times: Schedule, running: Sequence[Child], until: float, now: float
) -> Step:
    """Make what is due, as the concurrency policy allows."""
    cron, policy = observed.cron, observed.cron.spec.concurrency_policy
    names, actions = [c.name for c in running], list[Action]()
    started, message = None, None
    found = due(cron, times, until, now)
    if found.given_up is not None:
        until = found.given_up
        message = f"the run of {rfc3339(until)} was missed"
        actions.append(_event(cron, "Warning", "MissedSchedule", message))
    for moment in found.start:
        refusal = observed.refusal
        if refusal is not None and refusal.reason in FINAL:
            message = f"the run of {rfc3339(moment)} was refused: {refusal.message}"
            actions.append(_event(cron, "Warning", "TemplateRefused", message))
            until = moment
            continue
        if names and policy == "Forbid":
            break
        if names and policy == "Replace":
            actions += [remove(child, cron.metadata.namespace) for child in running]
            names = []
        name = name_of(cron, moment)
        notes = {labels.SCHEDULED_AT: rfc3339(moment)}
        template = to_manifest(cron.spec.template)
        template.setdefault("kind", cron.spec.template.kind)
        child = made(cron, name, template, notes, {labels.CRON: cron.metadata.name})
        actions.append(Create(resource(template["kind"]), child))
        words = f"made {template['kind']} {name} for {rfc3339(moment)}"
        actions.append(_event(cron, "Normal", "Started", words))
        names.append(name)
        started, until, message = moment, moment, ""
    return Step(
        actions=tuple(actions), running=tuple(names), started=started, until=until, message=message
    )


def _status(observed: Observed, step: Step, following: float | None, now: float) -> CronStatus:
    cron, old = observed.cron, observed.cron.status
    times = [old.last_successful_time or ""]
    times += [c.ended for c in observed.children if c.phase == "Succeeded"]
    last = rfc3339(step.started) if step.started is not None else old.last_schedule_time
    message = old.message if step.message is None else step.message
    if old.phase == "Invalid" and observed.invalid is None and step.message is None:
        message = ""
    return msgspec.structs.replace(
        old,
        observed_generation=cron.metadata.generation,
        phase=phase(observed, step.running),
        message=message,
        conditions=_conditions(observed, now),
        active=sorted(step.running),
        running=len(step.running),
        last=_last(observed, step),
        handled_until=rfc3339(step.until) if step.until else None,
        last_schedule_time=last,
        last_successful_time=max(times) or None,
        next_schedule_time=rfc3339(following) if following is not None else None,
    )


def phase(observed: Observed, running: Sequence[str]) -> CronPhase:
    """Where a Cron stands; it follows from what there is, whatever it was before."""
    if observed.invalid is not None:
        return "Invalid"
    if running:
        return "Active"
    return "Suspended" if observed.cron.spec.suspend else "Scheduled"


def _last(observed: Observed, step: Step) -> str:
    """The newest of all that was made."""
    if step.started is not None:
        return name_of(observed.cron, step.started)
    if observed.cron.status.last:
        return observed.cron.status.last
    newest = max(observed.children, key=lambda c: (scheduled(c), c.created), default=None)
    return newest.name if newest is not None else ""


def _conditions(observed: Observed, now: float) -> list[Condition]:
    """Valid: whether the schedule can be read."""
    cron, wrong = observed.cron, observed.invalid
    known = next((c for c in cron.status.conditions if c.type == "Valid"), None)
    reason = (
        "ScheduleRead" if wrong is None else f"Invalid{wrong.field[0].upper()}{wrong.field[1:]}"
    )
    message = "" if wrong is None else f"spec.{wrong.field}: {wrong.message}"
    news = Condition(
        type="Valid", status=str(wrong is None), reason=reason, message=message,
        observed_generation=cron.metadata.generation,
    )  # fmt: skip
    if known is not None and (known.status, known.message) == (news.status, news.message):
        return cron.status.conditions
    return set_condition(cron.status.conditions, news, rfc3339(now))


def _history(observed: Observed) -> Iterator[Action]:
    """Delete the oldest of those that have ended, beyond the limits."""
    spec = observed.cron.spec
    limits = {"Succeeded": spec.successful_history_limit, "Failed": spec.failed_history_limit}
    for ended, limit in limits.items():
        done = [c for c in observed.children if c.phase == ended and not c.going]
        done.sort(key=lambda c: (scheduled(c), c.ended, c.name))
        for child in done[: max(len(done) - limit, 0)]:
            yield remove(child, observed.cron.metadata.namespace)


def _write(cron: Cron, status: CronStatus) -> Iterator[Action]:
    patch = difference(to_manifest(cron.status), to_manifest(status))
    if patch:
        yield Patch(
            resource=CRONS, name=cron.metadata.name, namespace=cron.metadata.namespace,
            body={"status": patch}, subresource="status",
        )  # fmt: skip
    if status.phase == "Invalid" != cron.status.phase:
        yield _event(cron, "Warning", "InvalidSchedule", status.message)


def _event(cron: Cron, type_: Literal["Normal", "Warning"], reason: str, message: str) -> Record:
    meta = cron.metadata
    about = head(CRONS, meta.namespace, meta.name, meta.uid)
    return Record(about=about, type=type_, reason=reason, message=message)
