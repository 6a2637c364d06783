"""What a job needs next: its claim and Gang, a verdict or a retry, its status, its end.

The job's status is written by nobody else and carries no decision, so it needs no guard. Decisions
are writes to the Gang's spec, and carry the resourceVersion they were made on.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from athanor.api import labels
from athanor.api.core import PersistentVolumeClaim, Pod
from athanor.api.meta import JSON, ObjectMeta, to_manifest
from athanor.api.registry import Resource, of
from athanor.api.scheduling import DEFAULT_QUEUE, Gang
from athanor.api.training import TrainingJob, TrainingJobStatus
from athanor.features.training import around, build, reshape, rules
from athanor.features.training.build import Defaults
from athanor.features.training.frameworks.wiring import Refused, Wiring
from athanor.features.training.observe import Observed
from athanor.features.training.states import FINISHED
from athanor.features.training.status import ended, from_gang, stalls_at, waiting
from athanor.kit.times import parse_rfc3339
from athanor.runtime.phases import status_write
from athanor.runtime.plan import (
    Action,
    Create,
    Delete,
    DeleteCollection,
    Patch,
    Plan,
    Record,
    difference,
    head,
    merged,
)

JOBS, GANGS, PODS, CLAIMS = of(TrainingJob), of(Gang), of(Pod), of(PersistentVolumeClaim)

FOLLOWED = (
    "suspend", "queue", "priorityClassName", "preemptible", "pools", "maxRuntimeSeconds",
    "maxStartSeconds", "estimatedRuntimeSeconds", "checkpoint",
)  # fmt: skip
"""Fields of the Gang that follow the job when it changes."""
ENDED = "status.phase!=Pending,status.phase!=Running,status.phase!=Unknown"
"""Selects pods of which nothing runs: never those of a job of the same name that came after."""
TOGETHER = 50
"""How many pods one request deletes: the server takes one after the other, requests side by side.
"""


def plan(observed: Observed, now: float, defaults: Defaults) -> Plan:
    """The next actions for one job. Pure; `now` in seconds since the epoch."""
    job = observed.job
    if job.status.phase in FINISHED:
        return _after(observed, now)
    try:
        wiring = build.wired(job, defaults)
        wanted = build.gang(job, defaults, wiring)
    except Refused as why:
        return _end(observed, ended(job, "InvalidJob", str(why), now), now)
    gang = observed.own
    if gang is None:
        return _beginning(observed, wanted, wiring, defaults, now)
    job = _ruled(job, wiring)
    observed = msgspec.structs.replace(observed, job=job)
    told = from_gang(job, gang, now)
    if told.phase in FINISHED:
        return _end(observed, told, now)
    actions: list[Action] = []
    if reshape.is_stale(job, gang):
        body, again = reshape.change(gang, wanted), None
        decision: JSON = {}
        if reshape.is_free(gang):
            actions += [_renewed(kind, whole) for kind, whole in around.objects(job, wiring)]
    else:
        decision, again = _decide(msgspec.structs.replace(job, status=told), gang, now)
        body = merged(_follow(gang, wanted), decision)
    if body:
        actions.append(_guarded(gang, body))
        # what we have just decided is told in the same breath
        gang = msgspec.convert(merged(to_manifest(gang), body), Gang)
    if labels.RETRIES in decision.get("metadata", {}).get("annotations", {}):
        words = f"retry {rules.retries_of(gang)} of {job.spec.run_policy.backoff_limit}"
        news = Record(about=_head(job), type="Warning", reason="Retrying", message=words)
        actions.append(news)
    status = from_gang(job, gang, now)
    if status.phase in FINISHED:
        return _end(observed, status, now)
    look = stalls_at(status)
    if look is not None and look > now:
        again = min(again or look - now, look - now)
    return Plan((*actions, *_write(job, status)), again)


def _ruled(job: TrainingJob, wiring: Wiring) -> TrainingJob:
    """The job with its framework's rules of success, when it has none of its own."""
    if job.spec.success_rules or not wiring.success:
        return job
    spec = msgspec.structs.replace(job.spec, success_rules=list(wiring.success))
    return msgspec.structs.replace(job, spec=spec)


def _renewed(kind: Resource, whole: JSON) -> Patch:
    """What stands around the Gang, as the job is now."""
    body: JSON = {name: whole[name] for name in ("data", "rules", "subjects") if name in whole}
    meta = whole["metadata"]
    return Patch(resource=kind, name=meta["name"], namespace=meta["namespace"], body=body)


def _end(observed: Observed, status: TrainingJobStatus, now: float) -> Plan:
    """The job is over: say so, then clean up."""
    job = observed.job
    over = msgspec.structs.replace(observed, job=msgspec.structs.replace(job, status=status))
    rest = _after(over, now)
    return Plan((*_write(job, status), *rest.actions), rest.again_after)


def _beginning(
    observed: Observed, wanted: JSON, wiring: Wiring, defaults: Defaults, now: float
) -> Plan:
    """There is no Gang of ours: make one, or say why it cannot be."""
    job = observed.job
    overdue = rules.late(job, now)
    if overdue is not None:
        return _end(observed, ended(job, overdue.reason, overdue.message, now), now)
    if observed.gang is not None and observed.gang.metadata.deletion_timestamp is None:
        taken = f"there is a Gang {job.metadata.name} of somebody else: delete it or rename the job"
        return Plan(tuple(_write(job, waiting(job, "NameTaken", taken, now))))
    refusal = observed.refusal
    if refusal is not None and refusal.final:
        return _end(observed, ended(job, "InvalidJob", refusal.message, now), now)
    status = from_gang(job, msgspec.convert(wanted, Gang), now)
    if refusal is not None:
        status = waiting(job, refusal.reason, refusal.message, now)
    actions: list[Action] = []
    claim = build.claim(job, defaults)
    if claim is not None and not observed.has_claim:
        actions.append(Create(CLAIMS, claim))
    if observed.gang is None:
        actions += [Create(kind, whole) for kind, whole in around.objects(job, wiring)]
        actions.append(Create(GANGS, wanted))
        board = around.board(job, defaults)
        actions += [Create(around.WORKSPACES, board)] if board is not None else []
    told = _write(job, status)
    # a Gang that was refused may be refused again: say so first
    return Plan((*actions, *told) if refusal is None else (*told, *actions))


def _decide(job: TrainingJob, gang: Gang, now: float) -> tuple[JSON, float | None]:
    """A verdict or a retry as a patch of the Gang; and when time alone may bring one."""
    coming = [until - now for until, _, _ in rules.deadlines(job) if until > now]
    if gang.spec.outcome is not None or gang.status.phase in FINISHED:
        return {}, None
    outcome = rules.verdict(job, gang, now)
    if outcome is not None:
        if outcome.phase == "Succeeded" and job.spec.run_policy.clean_pods == "None":
            return {}, None
        return {"spec": {"outcome": to_manifest(outcome)}}, None
    by_hand = job.spec.run_policy.restarts
    if by_hand > rules.restarts_of(gang):
        return _restart(gang, by_hand), min(coming, default=None)
    again = rules.retry(job, gang)
    if again is None:
        return {}, min(coming, default=None)
    if again.at > now:
        return {}, min([*coming, again.at - now])
    spec: JSON = {"rankAttempts": again.ranks} if again.ranks else {"attempt": again.attempt}
    retries = {labels.RETRIES: str(again.retries)}
    body = {"metadata": {"annotations": retries}, "spec": spec}
    return body, min(coming, default=None)


def _restart(gang: Gang, by_hand: int) -> JSON:
    """All ranks anew because somebody said so; a gang that does not run has nothing to restart."""
    seen: JSON = {"metadata": {"annotations": {labels.RESTARTS: str(by_hand)}}}
    if reshape.is_free(gang):
        return seen
    return {**seen, "spec": {"attempt": gang.spec.attempt + 1}}


def _follow(gang: Gang, wanted: JSON) -> JSON:
    """A patch that keeps the Gang's scheduling block, and whether it may run, as the job says."""
    changed = difference(_followed(to_manifest(gang.spec)), _followed(wanted["spec"]))
    return {"spec": changed} if changed else {}


def _followed(spec: JSON) -> JSON:
    """What is said about the followed fields; the server says "default" for no queue."""
    said = {name: value for name in FOLLOWED if (value := spec.get(name))}
    return {name: value for name, value in said.items() if value != DEFAULT_QUEUE}


def _after(observed: Observed, now: float) -> Plan:
    """A finished job: clean up, and go when its time is up."""
    job, gang = observed.job, observed.own
    policy = job.spec.run_policy
    actions: list[Action] = []
    if gang is not None and gang.status.progress is not None:  # last words come late
        last = msgspec.structs.replace(job.status, progress=gang.status.progress)
        actions += _write(job, last)
    again: float | None = None
    if policy.clean_pods == "All" and gang is not None:
        actions += [*_pods_gone(observed), _delete(GANGS, gang.metadata)]
    elif policy.clean_pods == "Unfinished" and gang is not None and _goes_on(gang):
        verdict = {"phase": job.status.phase, "reason": job.status.reason}
        actions.append(_guarded(gang, {"spec": {"outcome": verdict}}))
    if policy.ttl_seconds_after_finished is not None and job.status.finished_at is not None:
        gone = parse_rfc3339(job.status.finished_at) + policy.ttl_seconds_after_finished
        if now >= gone:
            return Plan((*_pods_gone(observed), _delete(JOBS, job.metadata)))
        again = gone - now
    return Plan(tuple(actions), again)


def _pods_gone(observed: Observed) -> Iterator[DeleteCollection]:
    """The deletion of the ended pods of a finished Gang, before its own: the garbage collector
    would ask the server about each of them first, and then for its end.
    """
    gang, meta = observed.own, observed.job.metadata
    if gang is None:
        return
    ranks: dict[str, list[str]] = {}
    for pod in observed.pods:
        told, owners = pod.metadata.labels, pod.metadata.owner_references
        mine = any(owner.uid == gang.metadata.uid for owner in owners)
        if mine and pod.status.phase in FINISHED and told.keys() >= {labels.POD_SET, labels.RANK}:
            ranks.setdefault(told[labels.POD_SET], []).append(told[labels.RANK])
    for pod_set, numbers in ranks.items():
        named = f"{labels.GANG}={meta.name},{labels.POD_SET}={pod_set}"
        for first in range(0, len(numbers), TOGETHER):
            some = ",".join(numbers[first : first + TOGETHER])
            fits = f"{named},{labels.RANK} in ({some})"
            yield DeleteCollection(
                resource=PODS, namespace=meta.namespace, labels=fits, fields=ENDED
            )  # fmt: skip


def _write(job: TrainingJob, status: TrainingJobStatus) -> Iterator[Action]:
    return status_write(JOBS, job.metadata, job.status, status, word="job")


def _goes_on(gang: Gang) -> bool:
    return gang.spec.outcome is None and gang.status.phase not in ("Succeeded", "Failed")


def _guarded(gang: Gang, body: JSON) -> Patch:
    return Patch(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace, body=body,
        resource_version=gang.metadata.resource_version,
    )  # fmt: skip


def _delete(resource: Resource, meta: ObjectMeta) -> Delete:
    return Delete(
        resource=resource, name=meta.name, namespace=meta.namespace, uid=meta.uid,
        propagation="Background",
    )  # fmt: skip


def _head(job: TrainingJob) -> JSON:
    meta = job.metadata
    return head(JOBS, meta.namespace, meta.name, meta.uid)
