"""A gang has to go: ask for a checkpoint where there is one to ask for, wait, then end its pods.

The request is an annotation that the node's agent shows to the rank as a file; the rank answers
through its progress. Capacity is free when the pods are gone, not before. Who makes room for others
is evicted: disruption budgets may refuse that until the gang's deadline, or until one of its pods
has gone, for then the others are of no use. Whoever stops by himself is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from athanor.api import adoption, labels
from athanor.api.core import Pod
from athanor.api.registry import of
from athanor.api.scheduling import CheckpointPolicy, Gang, Progress
from athanor.features.gangs.pods import most_grace
from athanor.features.gangs.ranks import is_alive, name_of, places
from athanor.features.gangs.status import progress, succeeded_before
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Action, Delete, Evict, Patch

PODS = of(Pod)
ASK_AGAIN = 5.0
"""Seconds until a pod is asked to leave again whose budget refused: those of `kubectl drain`."""


def evicting(gang: Gang, pods: Sequence[Pod], broken: bool, now: float) -> Iterator[Action]:
    """Checkpoint requests while there is time and need (not for a broken gang), then deletions."""
    standing = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    running = [pod for pod in standing if pod.status.phase == "Running"]
    if not broken and running and len(standing) == len(pods) and _may_save(gang, running, now):
        deadline = rfc3339(_deadline(gang, running, now))
        yield from (_ask(pod, deadline, now) for pod in running if not _asked(pod))
        return
    admission = gang.status.admission
    told = admission.evict if admission is not None and not broken else None
    whole = told is not None and len(standing) == len(pods) and not _lacks(gang, pods)
    for pod in standing:
        meta = pod.metadata
        if told is None:
            yield Delete(
                resource=PODS, name=meta.name, namespace=meta.namespace, uid=meta.uid
            )  # fmt: skip
            continue
        patient = whole and bool(told.deadline) and now < parse_rfc3339(told.deadline)
        yield Evict(
            resource=PODS, name=meta.name, namespace=meta.namespace, uid=meta.uid,
            insists=not patient,
        )  # fmt: skip


def moments(gang: Gang, pods: Sequence[Pod], now: float) -> list[float]:
    """When waiting for checkpoints and budgets ends, if there is such a moment; budgets are asked
    again before."""
    running = [pod for pod in pods if is_alive(pod)]
    admission = gang.status.admission
    told = admission is not None and admission.evict is not None
    if not running or not (told or _saves(gang, running)):
        return []
    return [_deadline(gang, running, now), *([now + ASK_AGAIN] if told else [])]


def _lacks(gang: Gang, pods: Sequence[Pod]) -> bool:
    """Whether some rank that is not over has no pod any more."""
    done = succeeded_before(gang) | adoption.over(gang)
    there = {pod.metadata.name for pod in pods}
    return any(
        name_of(gang, one.pod_set, one.rank) not in there and (one.pod_set, one.rank) not in done
        for one in places(gang)
    )


def _may_save(gang: Gang, running: Sequence[Pod], now: float) -> bool:
    saves = _saves(gang, running)
    return saves and now < _deadline(gang, running, now) and not _all_saved(running)


def _saves(gang: Gang, pods: Sequence[Pod]) -> bool:
    """Whether there is somebody to ask: as the gang says, or a rank that looks for requests."""
    policy = gang.spec.checkpoint
    if policy is not None and policy.enabled:
        return True
    return any((told := progress([pod])) is not None and told.listens for pod in pods)


def _deadline(gang: Gang, running: Sequence[Pod], now: float) -> float:
    """The end of the wait: the scheduler's, else what an earlier request said, else from now, as
    long as the queue lets it be.
    """
    admission, policy = gang.status.admission, gang.spec.checkpoint or CheckpointPolicy()
    if admission is not None and admission.evict is not None and admission.evict.deadline:
        return parse_rfc3339(admission.evict.deadline)
    if admission is not None and admission.shrink is not None and admission.shrink.deadline:
        return parse_rfc3339(admission.shrink.deadline)
    told = [by for pod in running if (by := pod.metadata.annotations.get(labels.CHECKPOINT_BY))]
    if told:
        return parse_rfc3339(min(told))
    return now + min(policy.grace_seconds, most_grace(gang))


def _asked(pod: Pod) -> bool:
    return labels.CHECKPOINT_REQUESTED in pod.metadata.annotations


def _ask(pod: Pod, deadline: str, now: float) -> Patch:
    asked = {labels.CHECKPOINT_REQUESTED: rfc3339(now), labels.CHECKPOINT_BY: deadline}
    return Patch(
        resource=PODS, name=pod.metadata.name, namespace=pod.metadata.namespace,
        body={"metadata": {"annotations": asked}},
    )  # fmt: skip


def _all_saved(running: Sequence[Pod]) -> bool:
    """Whether every rank that ever saved has saved since it was asked; and there is one."""
    savers = [
        (pod, told)
        for pod in running
        if (told := progress([pod])) is not None and told.last_checkpoint_time is not None
    ]
    return bool(savers) and all(_saved(pod, told) for pod, told in savers)


def _saved(pod: Pod, told: Progress) -> bool:
    asked = pod.metadata.annotations.get(labels.CHECKPOINT_REQUESTED)
    return (
        asked is not None
        and told.last_checkpoint_time is not None
        and parse_rfc3339(told.last_checkpoint_time) >= parse_rfc3339(asked)
    )
