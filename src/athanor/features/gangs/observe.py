"""Everything a plan about one gang may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from athanor.api import adoption, claims, labels
from athanor.api.core import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Service,
    StorageClass,
)
from athanor.api.meta import Object
from athanor.api.placement import unpack
from athanor.api.scheduling import Gang
from athanor.features.gangs import consumers
from athanor.features.gangs.consumers import MOUNTS, Consumer
from athanor.features.gangs.ranks import is_alive
from athanor.features.gangs.states import FINISHED
from athanor.kit.times import parse_rfc3339
from athanor.runtime.cache import Changed, Key, Refusal, World, key_of, refusal
from athanor.runtime.indexes import PODS_OF_GANG

PODS_ON_NODE = "node"
ADOPTS = "adopts"

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_LONG_AGO = "1970-01-01T00:00:00Z"


class Observed(Struct, frozen=True, kw_only=True):
    """A gang, all pods that carry its name, and the nodes of its ranks that do not answer.

    `silent`: node → since when, in seconds since the epoch. A node that there is none of (`gone`)
    counts from its last pod on: caches of different kinds may lag behind each other. `shut` nodes
    are declared off by their taint out-of-service (KEP-2268): nothing runs there any more.
    `cordoned` are those of its nodes that take no pods, `giving` those that give pods the devices
    chosen for them; `consumers` are for claims that wait to be told a node.
    """

    gang: Gang
    pods: tuple[Pod, ...] = ()
    silent: dict[str, float] = {}
    gone: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    cordoned: frozenset[str] = frozenset()
    giving: frozenset[str] = frozenset()
    has_service: bool = False
    consumers: tuple[Consumer, ...] = ()
    refusal: Refusal | None = None


def observe(world: World, key: Key) -> Observed | None:
    """Read one gang's situation out of the caches; None when it is gone or going."""
    gang = world.cache(Gang).get(key)
    if gang is None or gang.metadata.deletion_timestamp is not None:
        return None
    pods = sorted(
        _adopted(gang, world) if gang.spec.adopts
        else world.cache(Pod).by(PODS_OF_GANG, f"{key.namespace}/{key.name}"),
        key=lambda pod: pod.metadata.name,
    )  # fmt: skip
    nodes = world.cache(Node)
    used = {pod.spec.node_name for pod in pods} - {""}  # without: a pod of others that waits
    given = _nodes_of(gang)
    known = {n: node for n in used | given if (node := nodes.get(Key("", n))) is not None}
    gone = used - known.keys()
    return Observed(
        gang=gang,
        pods=tuple(pods),
        silent={
            **_last_seen(pods, gone),
            **{name: since for name, node in known.items() if (since := _silent_since(node)) > 0},
        },
        gone=frozenset(gone),
        shut=frozenset(name for name in used & known.keys() if _is_shut(known[name])),
        cordoned=frozenset(n for n in given & known.keys() if known[n].spec.unschedulable),
        giving=frozenset(name for name in given & known.keys() if _gives(known[name])),
        has_service=world.cache(Service).get(key) is not None,
        consumers=consumers.observe(world, gang),
        refusal=refusal(world, key),
    )


def _adopted(gang: Gang, world: World) -> Iterator[Pod]:
    """The pods of others that are its ranks, as far as they are there."""
    for one in adoption.adopted(gang):
        pod = world.cache(Pod).get(Key(gang.metadata.namespace, one.name))
        if pod is not None and one.is_that(pod):
            yield pod


def gang_of(change: Changed[Pod] | Changed[Service], world: World) -> Iterable[Key]:
    """The gang that a pod (or Service) names, or that has adopted it. A gang that is over has
    nothing to do about what is cleaned up.
    """
    told = change.newest.metadata
    name = told.labels.get(labels.GANG)
    if name is not None:
        key = Key(told.namespace, name)
        gang = world.cache(Gang).get(key) if _leaves(change.after) else None
        return () if gang is not None and gang.status.phase in FINISHED else (key,)
    return _adopters(change.newest, world)


def _adopters(one: Object, world: World) -> list[Key]:
    """The gangs that have adopted a pod."""
    name = f"{one.metadata.namespace}/{one.metadata.name}"
    return [key_of(gang) for gang in world.cache(Gang).by(ADOPTS, name)]


def _leaves(after: Pod | Service | None) -> bool:
    """Whether it is gone, or is a pod that has ended and goes."""
    if after is None:
        return True
    going = after.metadata.deletion_timestamp is not None
    return going and isinstance(after, Pod) and not is_alive(after)


def gangs_with(change: Changed[PersistentVolumeClaim], world: World) -> Iterable[Key]:
    """The gangs whose pods mount a claim that has no volume yet."""
    told, after = change.newest.metadata, change.after
    if after is None or after.spec.get("volumeName"):
        return ()
    found = [key_of(g) for g in world.cache(Gang).by(MOUNTS, f"{told.namespace}/{told.name}")]
    for owner in told.owner_references:  # a claim that was made for one pod
        pod = world.cache(Pod).get(Key(told.namespace, owner.name))
        if owner.kind == "Pod" and pod is not None:
            found += gang_of(Changed(None, pod), world)
    return found


def gangs_of_class(change: Changed[StorageClass], world: World) -> Iterable[Key]:
    """The gangs whose pods mount claims of a class."""
    return _gangs_of_class(change.newest.metadata.name, world)


def gangs_of_volume(change: Changed[PersistentVolume], world: World) -> Iterable[Key]:
    """The gangs whose claims may take a volume that people made and that came, or is free now."""
    told = change.newest.spec
    klass = world.cache(StorageClass).get(Key("", str(told.get("storageClassName") or "")))
    if klass is None or klass.provisioner != claims.NOBODY:
        return ()
    return _gangs_of_class(klass.metadata.name, world)


def _gangs_of_class(name: str, world: World) -> Iterable[Key]:
    return [
        key for claim in world.cache(PersistentVolumeClaim) if claims.class_of(claim) == name
        for key in gangs_with(Changed(None, claim), world)
    ]  # fmt: skip


def gangs_matter(change: Changed[Gang], world: World) -> Iterable[Key]:
    """A gang that is in line, and was, is the scheduler's business alone. That its ranks were
    counted again asks for nothing: whoever counted them has done what there was to do.
    """
    before, after = change
    if after is not None and _in_line(after) and (before is None or _in_line(before)):
        return ()
    if before is not None and after is not None and _stands(before) == _stands(after):
        return ()
    return (key_of(change.newest),)


def _stands(gang: Gang) -> tuple[object, ...]:
    """What a plan acts on, besides pods and nodes."""
    meta, status = gang.metadata, gang.status
    return (
        meta.uid, meta.generation, meta.deletion_timestamp, meta.labels, meta.annotations,
        status.phase, status.admission, status.attempt, status.evictions, status.resizes,
        status.generation, status.failures, status.observed_generation,
    )  # fmt: skip


def _in_line(gang: Gang) -> bool:
    spec, status = gang.spec, gang.status
    seen = status.observed_generation in (0, gang.metadata.generation)
    waits = status.phase == "Pending" and status.admission is None
    return waits and seen and not spec.suspend and spec.outcome is None and (
        status.observed_generation == 0 or status.attempt == spec.attempt
    )  # fmt: skip


def adopted_by(gang: Object) -> Iterable[str]:
    """Index: the pods of others that a gang has adopted."""
    if not isinstance(gang, Gang):
        return ()
    space = gang.metadata.namespace
    return [f"{space}/{name}" for names in gang.spec.adopts.values() for name in names]


def gangs_on(change: Changed[Node], world: World) -> Iterable[Key]:
    """The gangs with pods on a node whose readiness has changed, their own or adopted."""
    if _answer(change.before) == _answer(change.after):
        return ()
    pods = world.cache(Pod).by(PODS_ON_NODE, change.newest.metadata.name)
    return dict.fromkeys(key for pod in pods for key in _gangs_of(pod, world))


def _gangs_of(pod: Pod, world: World) -> Iterable[Key]:
    """The gang whose rank a pod is, or those that have adopted it."""
    told = pod.metadata
    name = told.labels.get(labels.GANG)
    return (Key(told.namespace, name),) if name is not None else _adopters(pod, world)


def node_of(pod: Object) -> Iterable[str]:
    """Index: the node a pod is on."""
    return (pod.spec.node_name,) if isinstance(pod, Pod) else ()


def _last_seen(pods: Iterable[Pod], gone: set[str]) -> dict[str, float]:
    """When the last pod of each node that is gone was made."""
    seen: dict[str, float] = {}
    for pod in pods if gone else ():
        name = pod.spec.node_name
        if name in gone:
            created = parse_rfc3339(pod.metadata.creation_timestamp or _LONG_AGO)
            seen[name] = max(created, seen.get(name, 0.0))
    return seen


def _nodes_of(gang: Gang) -> set[str]:
    admission = gang.status.admission
    placements = admission.placements if admission is not None else []
    return {name for placement in placements for name in unpack(placement.nodes)}


def _answer(node: Node | None) -> tuple[bool, bool]:
    """Whether a node answers, and whether it is declared off."""
    if node is None:
        return False, True
    return _silent_since(node) == 0, _is_shut(node)


def _is_shut(node: Node) -> bool:
    return any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _gives(node: Node) -> bool:
    return node.metadata.labels.get(labels.GIVES_DEVICES) == "true"


def _silent_since(node: Node) -> float:
    """0 for a node that answers, else since when it does not."""
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    if ready is None or ready.status == "True":
        return 0.0
    return parse_rfc3339(ready.last_transition_time) if ready.last_transition_time else 1.0
