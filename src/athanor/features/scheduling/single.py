"""Pods that belong to no gang and name no node: each gets a node by itself, or hears why not.

The laptop's share of what kube-scheduler does; switched off where that runs. There are no queues,
no quotas and no preemption for such pods: they take what gangs leave free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from athanor.api import labels
from athanor.api.core import Node, Pod
from athanor.api.meta import Condition, set_condition, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, PodSet
from athanor.features.scheduling import gangs, nodes, pods
from athanor.features.scheduling.core.snapshot import HOST_PORT, Cause
from athanor.features.scheduling.foreign import uses
from athanor.features.scheduling.matters import (
    KEY,
    gangs_matter,
    nodes_matter,
    use_matters,
)
from athanor.features.scheduling.near import Wishes
from athanor.kit.quantity import QuantityError
from athanor.kit.times import rfc3339
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.plan import Action, Bind, Patch, Plan, Record, head

NODELESS = "nodeless"
SCHEDULERS = ("", "default-scheduler")
BELIEVED = 5.0
"""Seconds in which a binding of ours counts though the pod does not show it yet."""

_PODS = of(Pod)
_WORDS = {
    Cause.NOT_READY: "node(s) were not ready",
    Cause.UNSCHEDULABLE: "node(s) were unschedulable",
    Cause.TAINT: "node(s) had untolerated taint(s)",
    Cause.SELECTOR: "node(s) didn't match Pod's node affinity/selector",
    Cause.AFFINITY: "node(s) didn't match Pod's node affinity/selector",
    Cause.OTHER_PODS: "node(s) didn't match pod affinity/anti-affinity rules",
    Cause.VOLUME: "node(s) had volume node affinity conflict",
    Cause.GIVEN_DEVICES: "node(s) couldn't give a chosen device or a share of one",
}


class Room(Struct, frozen=True):
    """A node and what is free there (the scheduler's units)."""

    node: Node
    free: Mapping[str, int]


class Observed(Struct, frozen=True):
    """The pods without a node, first come first, and the nodes' room."""

    pods: tuple[Pod, ...]
    rooms: tuple[Room, ...]


class Bound(Struct, frozen=True):
    """A binding of ours: where, what it takes, and until when it is believed unseen."""

    node: str
    asked: Mapping[str, int]
    until: float


Memory = Mapping[str, Bound]
"""Pod uid → its binding, while the caches do not show it."""


def nodeless(pod: Pod) -> Iterable[str]:
    """The index of the pods this controller is for."""
    waits = (
        not pod.spec.node_name
        and pod.spec.scheduler_name in SCHEDULERS
        and not pod.spec.scheduling_gates
        and pod.status.phase in ("", "Pending")
        and pod.metadata.deletion_timestamp is None
        and labels.GANG not in pod.metadata.labels
    )
    return (NODELESS,) if waits else ()


def _somebody_waits(world: World) -> bool:
    return bool(world.cache(Pod).by(NODELESS, NODELESS))


def pods_matter(change: Changed[Pod], world: World) -> Iterable[Key]:
    """A pod that waits, or any pod that comes or ends while one waits."""
    if change.after is not None and change.before is None and any(nodeless(change.after)):
        return (KEY,)
    return use_matters(change, world) if _somebody_waits(world) else ()


def gangs_free(change: Changed[Gang], world: World) -> Iterable[Key]:
    """Gangs matter while a pod waits."""
    return gangs_matter(change, world) if _somebody_waits(world) else ()


def nodes_free(change: Changed[Node], world: World) -> Iterable[Key]:
    """Nodes matter while a pod waits."""
    return nodes_matter(change, world) if _somebody_waits(world) else ()


def observe(world: World, key: Key) -> Observed | None:
    """The pods that wait and the room there is; None when nobody waits."""
    waiting = world.cache(Pod).by(NODELESS, NODELESS)
    if not waiting:
        return None
    known = {node.metadata.name for node in world.cache(Node)}
    holding = [gang for gang in world.cache(Gang) if gangs.holds(gang)]
    used = {name: dict(here) for name, here in uses(world.cache(Pod), holding).items()}
    for gang in holding:
        needs = [_of_set(pod_set) for pod_set in gang.spec.pod_sets]
        for row in gangs.running(gang, known):
            here = used.setdefault(row.node, {})
            for resource, amount in needs[row.pod_set].items():
                here[resource] = here.get(resource, 0) + amount
    rooms = tuple(
        Room(node, _left(node, used.get(node.metadata.name, {})))
        for node in sorted(world.cache(Node), key=lambda node: node.metadata.name)
    )
    line = sorted(waiting, key=lambda pod: (-(pod.spec.priority or 0), _age(pod)))
    return Observed(tuple(line), rooms)


def _age(pod: Pod) -> tuple[str, str, str]:
    meta = pod.metadata
    return meta.creation_timestamp or "", meta.namespace, meta.name


def _of_set(pod_set: PodSet) -> dict[str, int]:
    """What a rank takes; a share of a device counts as the whole of it."""
    try:
        found = nodes.amounts(pods.requests(pod_set.template.get("spec") or {}))
    except QuantityError:
        found = {}
    if pod_set.gpu is not None:
        found[pod_set.gpu.resource] = max(found.get(pod_set.gpu.resource, 0), 1)
    return {**found, "pods": 1}


def _left(node: Node, used: Mapping[str, int]) -> dict[str, int]:
    try:
        offered = nodes.amounts(node.status.allocatable or node.status.capacity)
    except QuantityError:
        return {}
    return {name: amount - used.get(name, 0) for name, amount in offered.items()}


def plan(seen: Observed, memory: Memory, now: float) -> tuple[Plan, Memory]:
    """Bind each pod that fits somewhere, to the node with most left; tell the others why not."""
    waiting = {pod.metadata.uid for pod in seen.pods}
    kept = {
        uid: one for uid, one in memory.items()
        if uid in waiting and now < one.until <= now + BELIEVED
    }  # fmt: skip
    free = {room.node.metadata.name: Counter(room.free) for room in seen.rooms}
    for one in kept.values():
        free.get(one.node, Counter()).subtract(one.asked)
    actions: list[Action] = []
    for pod in seen.pods:
        if pod.metadata.uid in kept:
            continue
        try:
            need = pods.need(_as_set(pod), ())
            _check(need.wishes)
        except pods.RequestError as problem:
            said = str(problem).removeprefix(f"pod set {pod.metadata.name}: ")
            actions += _tell(pod, said, now)
            continue
        asked = dict(need.shape.request)
        refusals: list[str] = []
        fits: list[str] = []
        for room in seen.rooms:
            name = room.node.metadata.name
            why = list(_against(room.node, need.where, asked, free[name]))
            refusals += why
            fits += [] if why else [name]
        if not fits:
            actions += _tell(pod, _summary(len(seen.rooms), refusals), now)
            continue
        best = max(fits, key=lambda name: (free[name]["cpu"], free[name]["memory"]))
        free[best].subtract(asked)
        kept[pod.metadata.uid] = Bound(best, asked, now + BELIEVED)
        actions += _bind(pod, best)
    return Plan(tuple(actions), BELIEVED if kept else None), kept


def _as_set(pod: Pod) -> PodSet:
    meta = {"labels": dict(pod.metadata.labels)}
    return PodSet(
        name=pod.metadata.name, template={"metadata": meta, "spec": msgspec.to_builtins(pod.spec)}
    )


def _check(wishes: Wishes) -> None:
    """Raises RequestError for what only gangs get."""
    if wishes.beside or any(not one.soft for one in wishes.spreads):
        raise pods.RequestError(
            "required podAffinity and topologySpreadConstraints with DoNotSchedule are for gangs: "
            "give the pod schedulerName: athanor"
        )


def _against(
    node: Node, where: pods.Where, asked: Mapping[str, int], free: Mapping[str, int]
) -> Iterator[str]:
    cause = Cause(pods.barred(where, [nodes.class_of(node, where.labels)])[0])
    if cause is not Cause.NONE:
        yield _WORDS[cause]
        return
    for resource, amount in asked.items():
        if amount > free.get(resource, 1 if resource.startswith(HOST_PORT) else 0):
            yield "Too many pods" if resource == "pods" else f"Insufficient {resource}"


def _summary(count: int, refusals: list[str]) -> str:
    if not count:
        return "no nodes available to schedule pods"
    said = ", ".join(sorted(f"{number} {why}" for why, number in Counter(refusals).items()))
    return f"0/{count} nodes are available: {said}."


def _tell(pod: Pod, message: str, now: float) -> list[Action]:
    news = Condition(type="PodScheduled", status="False", reason="Unschedulable", message=message)
    have = next((c for c in pod.status.conditions if c.type == news.type), None)
    if have is not None and (have.status, have.message) == (news.status, message):
        return []
    conditions = set_condition(pod.status.conditions, news, rfc3339(now))
    return [
        Patch(
            resource=_PODS, name=pod.metadata.name, namespace=pod.metadata.namespace,
            body={"status": {"conditions": [to_manifest(c) for c in conditions]}},
            subresource="status", resource_version=pod.metadata.resource_version,
        ),
        Record(about=_head(pod), type="Warning", reason="FailedScheduling", message=message),
    ]  # fmt: skip


def _bind(pod: Pod, node: str) -> list[Action]:
    name, namespace = pod.metadata.name, pod.metadata.namespace
    message = f"Successfully assigned {namespace}/{name} to {node}"
    return [
        Bind(resource=_PODS, name=name, namespace=namespace, node=node),
        Record(about=_head(pod), reason="Scheduled", message=message),
    ]


def _head(pod: Pod) -> dict[str, object]:
    return head(_PODS, pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)
