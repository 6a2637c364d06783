"""What each rank of a gang is up to, read from its pod; and whose fault a failure is.

A fault is the platform's when the rank could not help it: its node went away or refused it, it was
preempted, deleted, or its end was not seen. Reasons are kubelet's, the taint manager's and the
node agent's words (Kubernetes: "Pod failure policy", condition DisruptionTarget).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from athanor.api import labels
from athanor.api.core import ContainerStateTerminated, ContainerStatus, Pod
from athanor.api.ends import NODE_FAULTS, RankFailure
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang
from athanor.kit.times import parse_rfc3339

PLATFORM_REASONS = NODE_FAULTS | {
    "Preempting", "Preempted", "ContainerStatusUnknown", "PodDeleted",
}  # fmt: skip
"""Pod and container reasons that are no fault of what ran. So is every "OutOf…" (OutOfcpu)."""

OVERFILLED = (
    "Usage of EmptyDir volume", "exceeded its local ephemeral storage limit",
    "Pod ephemeral local storage usage exceeds",
)  # fmt: skip
"""What a kubelet says of an eviction that the pod itself is to blame for."""

WAITING_BADLY = (
    "Err",
    "Invalid",
    "CreateContainer",
    "CrashLoop",
    "ImagePullBackOff",
    "RunContainer",
)

State = Literal[
    "absent", "waiting", "running", "ready", "succeeded", "failed", "displaced", "gone",
]  # fmt: skip
"""Absent is who comes yet, gone a pod of others that was there: its maker sees to what is next."""


class Place(NamedTuple):
    """One rank of a set, and where it goes."""

    pod_set: str
    rank: int
    overall: int
    node: str
    devices: str


class RankView(Struct, frozen=True):
    """A rank, its pod of the present run, and what it is up to."""

    place: Place
    state: State
    pod: Pod | None = None
    failure: RankFailure | None = None


def rank_name(pod_set: str, rank: int) -> str:
    """`worker-3`: the rank's name within its gang."""
    return f"{pod_set}-{rank}"


def pod_name(gang: str, pod_set: str, rank: int) -> str:
    """The name of a rank's pod, the same for every attempt: no two can be at once."""
    return f"{gang}-{pod_set}-{rank}"


def name_of(gang: Gang, pod_set: str, rank: int) -> str:
    """The name of a rank's pod: its own, or that of a pod of others that the gang adopts."""
    adopted = gang.spec.adopts.get(pod_set)
    if adopted is not None:
        return adopted[rank] if rank < len(adopted) else ""
    return pod_name(gang.metadata.name, pod_set, rank)


def run_of(gang: Gang) -> int:
    """The number of the present run: it grows with each attempt, lost admission and new size."""
    return gang.status.attempt + gang.status.evictions + gang.status.resizes


def places(gang: Gang) -> list[Place]:
    """Every rank that stays in an admitted gang with its node, in the order of sets and ranks."""
    admission = gang.status.admission
    if admission is None:
        return []
    stay = admission.shrink.counts if admission.shrink is not None else {}
    placed = {p.pod_set: p for p in admission.placements}
    found: list[Place] = []
    for pod_set in gang.spec.pod_sets:
        placement = placed.get(pod_set.name)
        if placement is None:
            continue
        count = min(placement.count, stay.get(pod_set.name, placement.count))
        for rank, node in zip(range(count), unpack(placement.nodes), strict=False):
            devices = placement.devices[rank] if rank < len(placement.devices) else ""
            found.append(Place(pod_set.name, rank, len(found), node, devices))
    return found


def views(
    gang: Gang, current: Iterable[Pod], lost_nodes: frozenset[str] = frozenset()
) -> list[RankView]:
    """Every rank that should be, with its pod among those of this run."""
    by_name = {pod.metadata.name: pod for pod in current}
    attempts = gang.spec.rank_attempts
    return [
        view(
            place,
            by_name.get(name_of(gang, place.pod_set, place.rank)),
            lost_nodes,
            attempts.get(rank_name(place.pod_set, place.rank), 0) if attempts else 0,
        )
        for place in places(gang)
    ]


def sorted_by_run(gang: Gang, pods: Iterable[Pod], run: int) -> tuple[list[Pod], list[Pod]]:
    """The pods of a run, and those of earlier ones or of ranks that have gone elsewhere."""
    current: list[Pod] = []
    old: list[Pod] = []
    nodes = _changed(gang)
    for pod in pods:
        stays = nodes is None or nodes.get(pod.metadata.name) == pod.spec.node_name
        (current if stays and is_current(gang, pod, run) else old).append(pod)
    return current, old


def _changed(gang: Gang) -> dict[str, str] | None:
    """Pod name → node, for a gang whose size or places have changed; None for others."""
    admission = gang.status.admission
    if admission is None or (admission.generation == 0 and admission.shrink is None):
        return None
    return {name_of(gang, one.pod_set, one.rank): one.node for one in places(gang)}


def is_current(gang: Gang, pod: Pod, run: int) -> bool:
    """Whether a pod belongs to this run, and to its rank's present attempt."""
    if gang.spec.adopts:
        return True  # by its uid: no other pod of others is looked at
    meta = pod.metadata
    told = meta.labels
    if told.get(labels.ATTEMPT) != str(run):
        return False
    attempts, wanted = gang.spec.rank_attempts, 0
    if attempts:
        rank = rank_name(told.get(labels.POD_SET, ""), _number(told.get(labels.RANK, "")))
        wanted = attempts.get(rank, 0)
    owners = [owner.uid for owner in meta.owner_references]
    return told.get(labels.RANK_ATTEMPT, "0") == str(wanted) and gang.metadata.uid in owners


def view(place: Place, pod: Pod | None, lost_nodes: frozenset[str], attempt: int) -> RankView:
    """What one rank is up to."""
    if pod is None:
        if place.node not in lost_nodes:
            return RankView(place, "absent")
        why = f"node {place.node} does not answer"
        return RankView(place, "displaced", None, _platform(place, attempt, "NodeLost", why))
    phase = pod.status.phase
    if phase == "Succeeded" and not _cut_off(pod):
        return RankView(place, "succeeded", pod)
    if phase in ("Failed", "Succeeded"):
        failure = failure_of(place, pod, attempt)
        return RankView(place, "displaced" if failure.platform else "failed", pod, failure)
    if pod.spec.node_name in lost_nodes:
        why = f"node {pod.spec.node_name} is gone or does not answer"
        lost = _platform(place, attempt, "NodeLost", why)
        return RankView(place, "displaced", pod, lost)
    if pod.metadata.deletion_timestamp is not None:
        why = "the pod was deleted while it ran"
        return RankView(place, "displaced", pod, _platform(place, attempt, "PodDeleted", why))
    if phase != "Running":
        return RankView(place, "waiting", pod)
    ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
    return RankView(place, "ready" if ready else "running", pod)


def _cut_off(pod: Pod) -> bool:
    """Whether it ended after it was told to go: exit code 0 says then that it left in good order,
    as programs do that catch SIGTERM, not that its work is done.
    """
    meta = pod.metadata
    if meta.deletion_timestamp is None:
        return False
    states = [status.state.terminated for status in pod.status.container_statuses]
    ends = [state.finished_at for state in states if state is not None and state.finished_at]
    if not ends:
        return False
    told = parse_rfc3339(meta.deletion_timestamp) - (meta.deletion_grace_period_seconds or 0)
    return parse_rfc3339(max(ends)) >= told


def failure_of(place: Place, pod: Pod, attempt: int) -> RankFailure:
    """Why a failed pod failed."""
    status = pod.status
    ended = next(_ends(status.init_container_statuses + status.container_statuses), None)
    reason = status.reason or (ended.reason if ended else "") or "Error"
    message = status.message or (ended.message if ended else "")
    disrupted = [
        c for c in status.conditions if c.type == "DisruptionTarget" and c.status == "True"
    ]
    own = reason == "Evicted" and any(words in message for words in OVERFILLED)
    platform = not own and (
        bool(disrupted)
        or reason in PLATFORM_REASONS
        or (ended is not None and ended.reason in PLATFORM_REASONS)
        or reason.startswith("OutOf")
        or pod.metadata.deletion_timestamp is not None
    )
    if disrupted and not status.reason:
        reason, message = disrupted[0].reason or "Disrupted", disrupted[0].message
    elif status.phase == "Succeeded":
        reason, message = "PodDeleted", "the pod was deleted while it ran"
    return RankFailure(
        pod_set=place.pod_set,
        rank=place.rank,
        exit_code=ended.exit_code if ended else None,
        reason=reason,
        message=message[:512],
        platform=platform,
        started_at=ended.started_at if ended else None,
        finished_at=ended.finished_at if ended else None,
        attempt=attempt,
        node=pod.spec.node_name,
    )


def driven_out(place: Place) -> RankFailure:
    """The failure of a rank whose pod has gone and whose node takes no other: it was drained."""
    why = f"node {place.node} is cordoned"
    return _platform(place, 0, "NodeUnschedulable", why)


def vanished(place: Place, attempt: int) -> RankFailure:
    """The failure of a rank whose pod was there and is not any more."""
    return RankFailure(
        pod_set=place.pod_set, rank=place.rank, reason="PodDeleted", platform=True,
        message="the pod is gone", attempt=attempt, node=place.node,
    )  # fmt: skip


def stuck(pods: Iterable[Pod]) -> tuple[str, str] | None:
    """The reason and message of a container that cannot start, if there is one."""
    for pod in pods:
        for status in pod.status.init_container_statuses + pod.status.container_statuses:
            waiting = status.state.waiting
            if waiting is not None and waiting.reason.startswith(WAITING_BADLY):
                return waiting.reason, f"{pod.metadata.name}: {waiting.message}"[:512]
    return None


def is_alive(pod: Pod) -> bool:
    """Whether something of a pod may still run."""
    return pod.status.phase not in ("Succeeded", "Failed")


def is_over(view: RankView) -> bool:
    """Whether the rank of a pod of others has ended, or its pod has gone."""
    return view.state == "gone" or (view.pod is not None and not is_alive(view.pod))


def _platform(place: Place, attempt: int, reason: str, message: str) -> RankFailure:
    return RankFailure(
        pod_set=place.pod_set, rank=place.rank, reason=reason, message=message, platform=True,
        attempt=attempt, node=place.node,
    )  # fmt: skip


def _ends(statuses: list[ContainerStatus]) -> Iterator[ContainerStateTerminated]:
    """Containers that ended badly, first those that are no consequence (by time, then order)."""
    ended = [s.state.terminated for s in statuses if s.state.terminated is not None]
    bad = [end for end in ended if end.exit_code != 0]
    yield from sorted(bad, key=lambda end: end.finished_at or "")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
