"""What a gang needs next: its new status first, then Service, pods, requests and deletions.

A status that changes the phase carries the resourceVersion it was decided on, so that a stale plan
stops there and does nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from athanor.api import labels
from athanor.api.core import Pod, Service
from athanor.api.ends import is_node_bound
from athanor.api.meta import to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, GangStatus
from athanor.features.gangs import consumers, evict, news
from athanor.features.gangs import pods as manifests
from athanor.features.gangs import status as write
from athanor.features.gangs.judge import (
    LOST_AFTER,
    Situation,
    judge,
    longest,
    look,
    starts_by,
)
from athanor.features.gangs.observe import Observed
from athanor.features.gangs.ranks import is_alive, name_of
from athanor.features.gangs.states import PHASES, WORKING, move
from athanor.features.gangs.tell import RESIZED, tell
from athanor.kit.times import parse_rfc3339
from athanor.runtime.plan import (
    Action,
    Bind,
    Create,
    Delete,
    Evict,
    Patch,
    Plan,
    Record,
    Replace,
    difference,
    head,
)

GANGS, PODS, SERVICES = of(Gang), of(Pod), of(Service)

FRESH = 2.0
"""Seconds in which a gang that is newly admitted is left unwritten unless its phase changes. Most
run by then: a write saved."""
DEAD_WORLD_GRACE = 1
"""Seconds for ranks whose gang has failed already, unless their template says otherwise. What they
could save is theirs alone: their peers are gone, and many catch SIGTERM and wait for them."""


def plan(observed: Observed, now: float) -> Plan:
    """The next actions for one gang. Pure; `now` in seconds since the epoch."""
    before = observed.gang
    for _ in PHASES:  # several moves may be due at once: one write says where they lead
        phase = observed.gang.status.phase
        situation = look(observed, now)
        event = judge(situation)
        status = tell(situation, observed, event, move(phase, event), now)
        gang = msgspec.structs.replace(observed.gang, status=status)
        observed = msgspec.structs.replace(observed, gang=gang)
        if status.phase == phase:
            break
    actions: list[Action] = [] if _can_wait(before, status, now) else [*_write(before, status)]
    actions += _forced(observed, list(_work(gang, observed, situation, now)), now)
    actions += news.news(before, status, observed.pods)
    return Plan(tuple(actions), _again(gang, observed, situation, now))


def _can_wait(gang: Gang, status: GangStatus, now: float) -> bool:
    """Whether there is nothing to tell yet but that some ranks run, or that somebody has looked:
    a gang in line is first written by the scheduler, which admits it or says why it waits."""
    told = gang.status
    if told.observed_generation == 0 and status.phase == told.phase == "Pending":
        return True
    counted = msgspec.structs.replace(status, pods=told.pods, ready=told.ready) == told
    return counted and status.phase == "Starting" and now < _grown_up(gang)


def _grown_up(gang: Gang) -> float:
    admission = gang.status.admission
    since = admission.admitted_at if admission is not None else ""
    return parse_rfc3339(since) + FRESH if since else 0.0


def _write(gang: Gang, status: GangStatus) -> Iterator[Patch | Replace]:
    meta, was = gang.metadata, gang.status
    if status.phase != was.phase or status.admission != was.admission:
        yield Replace(
            resource=GANGS, name=meta.name, namespace=meta.namespace,
            status=to_manifest(status), resource_version=meta.resource_version,
        )  # fmt: skip
    elif patch := difference(to_manifest(was), to_manifest(status)):
        yield Patch(
            resource=GANGS, name=meta.name, namespace=meta.namespace,
            body={"status": patch}, subresource="status",
        )  # fmt: skip


def _work(gang: Gang, observed: Observed, s: Situation, now: float) -> Iterator[Action]:
    phase = gang.status.phase
    if phase in WORKING:
        yield from _keep_running(gang, observed, s, now)
    elif phase == "Restarting" and gang.status.reason == RESIZED:
        yield from evict.evicting(gang, s.old, False, now)
    elif phase == "Restarting":
        yield from (_delete(pod) for pod in s.old if _standing(pod))
    elif phase == "Evicting":
        yield from evict.evicting(gang, observed.pods, bool(s.displaced), now)
    elif phase == "Stopping":
        for pod in observed.pods:
            if _standing(pod) and is_alive(pod):
                yield _delete(pod, _last_grace(gang, pod))


def _keep_running(
    gang: Gang, observed: Observed, s: Situation, now: float
) -> Iterator[Action]:  # fmt: skip
    """Every rank has its pod; what is of an older run, or ended by a fault, goes first."""
    done = write.succeeded_before(gang)
    present = {pod.metadata.name for pod in observed.pods}
    leaving, replaced = _leaving(gang, s)
    yield from (_delete(pod) for pod in replaced if _standing(pod))
    yield from evict.evicting(gang, leaving, False, now)
    yield from consumers.plan(observed.consumers, now)
    if gang.spec.adopts:
        yield from _bound(gang, s)
        return
    if gang.spec.service and not observed.has_service:
        yield Create(SERVICES, manifests.service(gang))
    for view in s.ranks:
        place, fault = view.place, view.failure
        if view.state == "displaced" and view.pod is None:
            continue  # it goes elsewhere
        if view.state == "displaced" and fault and view.pod and not is_node_bound(fault.reason):
            if _standing(view.pod):
                yield _delete(view.pod)
            continue
        name = name_of(gang, place.pod_set, place.rank)
        if name not in present and (place.pod_set, place.rank) not in done:
            chosen = place.devices if place.node in observed.giving else ""  # kubelets choose
            there = place._replace(devices=chosen)
            yield Create(PODS, manifests.pod(gang, there, len(s.ranks)))


def _leaving(gang: Gang, s: Situation) -> tuple[list[Pod], list[Pod]]:
    """Of the old pods those whose ranks go because others need their room, which are asked for a
    checkpoint, and those of earlier runs.
    """
    if gang.status.admission is None or gang.status.admission.shrink is None:
        return [], s.old
    stay = {name_of(gang, view.place.pod_set, view.place.rank) for view in s.ranks}
    leaving = [pod for pod in s.old if pod.metadata.name not in stay]
    return leaving, [pod for pod in s.old if pod.metadata.name in stay]


def _bound(gang: Gang, s: Situation) -> Iterator[Action]:
    """Pods of others get their nodes. Which of them there are is their makers' business."""
    for view in s.ranks:
        pod = view.pod
        if pod is not None and not pod.spec.node_name and _standing(pod):
            name, namespace = pod.metadata.name, pod.metadata.namespace
            yield Bind(
                resource=PODS, name=name, namespace=namespace, uid=pod.metadata.uid,
                node=view.place.node,
            )  # fmt: skip
            yield Record(
                about=head(PODS, namespace, name, pod.metadata.uid), reason="Scheduled",
                message=f"Successfully assigned {namespace}/{name} to {view.place.node}",
            )  # fmt: skip


def _forced(observed: Observed, work: list[Action], now: float) -> Iterator[Action]:
    """Pods whose node will never confirm that they are gone are removed by force."""
    lost = {pod.metadata.name: pod for pod in observed.pods if _is_fenced(observed, pod, now)}
    for action in work:
        if isinstance(action, Delete | Evict) and action.name in lost:
            yield _delete(lost[action.name], 0)
        else:
            yield action
    yield from (_delete(pod, 0) for pod in lost.values() if not _standing(pod))


def _is_fenced(observed: Observed, pod: Pod, now: float) -> bool:
    """Whether its node is surely off: declared so, or removed from the cluster for a while.

    A node that merely does not answer may still run its pods; a rank must never live twice.
    """
    node = pod.spec.node_name
    return node in observed.shut or (
        node in observed.gone and now - observed.silent[node] >= LOST_AFTER
    )


def _again(gang: Gang, observed: Observed, s: Situation, now: float) -> float | None:
    """Seconds until time alone changes the plan."""
    moments = [since + LOST_AFTER for since in observed.silent.values()]
    status, limit = gang.status, longest(gang)
    if status.phase == "Starting":
        moments.append(_grown_up(gang))
    if (start_by := starts_by(gang)) is not None:
        moments.append(start_by)
    if status.retry_at is not None:
        moments.append(parse_rfc3339(status.retry_at))
    if status.phase in WORKING:
        moments += consumers.moments(observed.consumers)
    if status.phase in WORKING and status.started_at and limit:
        moments.append(parse_rfc3339(status.started_at) + limit)
    if status.phase == "Evicting" or (status.phase, status.reason) == ("Restarting", RESIZED):
        moments += evict.moments(gang, observed.pods, now)
    elif status.phase in WORKING:
        moments += evict.moments(gang, _leaving(gang, s)[0], now)
    told = status.progress
    if told is not None and told.updated_at and write.progress(observed.pods) != told:
        moments.append(parse_rfc3339(told.updated_at) + write.PROGRESS_EVERY)
    ahead = [moment - now for moment in moments if moment > now]
    return min(ahead) + 0.05 if ahead else None


def _standing(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None


def _last_grace(gang: Gang, pod: Pod) -> int | None:
    if not any(not failure.platform for failure in gang.status.failures):
        return None
    spec_set = pod.metadata.labels.get(labels.POD_SET, "")
    own = manifests.grace_of(gang, spec_set)
    return DEAD_WORLD_GRACE if own is None else own


def _delete(pod: Pod, grace_seconds: int | None = None) -> Delete:
    return Delete(
        resource=PODS, name=pod.metadata.name, namespace=pod.metadata.namespace,
        uid=pod.metadata.uid, grace_seconds=grace_seconds,
    )  # fmt: skip
