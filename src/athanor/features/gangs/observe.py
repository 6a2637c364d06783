"""Everything a plan about one gang may know, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.core import Node, Pod, Service
from athanor.api.meta import Object
from athanor.api.scheduling import Gang
from athanor.features.gangs import labels
from athanor.kit.times import parse_rfc3339
from athanor.runtime.cache import Changed, Key, World, by_label

PODS_OF_GANG = "gang"
PODS_ON_NODE = "node"

pods_of_gang = by_label(labels.GANG)


class Refusal(Struct, frozen=True):
    """How the server refused the last try: the reason and message of its Status."""

    reason: str
    message: str


class Observed(Struct, frozen=True, kw_only=True):
    """A gang, all pods that carry its name, and the nodes among theirs that do not answer.

    `silent`: node → since when (seconds since the epoch), or None when there is no such node.
    """

    gang: Gang
    pods: tuple[Pod, ...] = ()
    silent: dict[str, float | None] = {}
    has_service: bool = False
    refusal: Refusal | None = None


def observe(world: World, key: Key) -> Observed | None:
    """Read one gang's situation out of the caches; None when it is gone or going."""
    gang = world.cache(Gang).get(key)
    if gang is None or gang.metadata.deletion_timestamp is not None:
        return None
    pods = sorted(
        world.cache(Pod).by(PODS_OF_GANG, f"{key.namespace}/{key.name}"),
        key=lambda pod: pod.metadata.name,
    )
    problem = world.problem(key)
    nodes = world.cache(Node)
    on = dict.fromkeys(pod.spec.node_name for pod in pods)
    silent = {
        name: since
        for name in on
        if (since := _silent_since(nodes.get(Key("", name)))) is None or since > 0
    }
    return Observed(
        gang=gang,
        pods=tuple(pods),
        silent=silent,
        has_service=world.cache(Service).get(key) is not None,
        refusal=Refusal(problem.reason, problem.message) if problem is not None else None,
    )


def gang_of(change: Changed[Pod] | Changed[Service], world: World) -> Iterable[Key]:
    """The gang that a pod (or Service) names."""
    told = change.newest.metadata
    name = told.labels.get(labels.GANG)
    return () if name is None else (Key(told.namespace, name),)


def gangs_on(change: Changed[Node], world: World) -> Iterable[Key]:
    """The gangs with pods on a node whose readiness has changed."""
    before = change.before is not None and _silent_since(change.before) == 0
    after = change.after is not None and _silent_since(change.after) == 0
    if before == after:
        return ()
    pods = world.cache(Pod).by(PODS_ON_NODE, change.newest.metadata.name)
    return {
        Key(pod.metadata.namespace, name): None
        for pod in pods
        if (name := pod.metadata.labels.get(labels.GANG)) is not None
    }


def node_of(pod: Object) -> Iterable[str]:
    """Index: the node a pod is on."""
    return (pod.spec.node_name,) if isinstance(pod, Pod) else ()


def _silent_since(node: Node | None) -> float | None:
    """0 for a node that answers, else since when it does not; None for one that is gone."""
    if node is None:
        return None
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    if ready is None or ready.status == "True":
        return 0.0
    return parse_rfc3339(ready.last_transition_time) if ready.last_transition_time else 1.0
