"""A node and its lease, as one frozen value; of a node that there is none of, the pods it left."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.core import Lease, Node, Pod
from athanor.api.meta import Object
from athanor.runtime.cache import Changed, Key, World

LEASES = "kube-node-lease"
PODS_LEFT = "left-on-node"


class Observed(Struct, frozen=True):
    """`beat` is whatever the lease says of its last renewal; "" when there is no lease.

    `pods` are listed only when there is no node: those that name it.
    """

    node: Node | None
    beat: str = ""
    pods: tuple[Pod, ...] = ()


def observe(world: World, key: Key) -> Observed | None:
    """Read a node's situation; None when it is gone and nothing names it."""
    node = world.cache(Node).get(key)
    if node is None:
        pods = sorted(world.cache(Pod).by(PODS_LEFT, key.name), key=_order)
        return Observed(None, pods=tuple(pods)) if pods else None
    lease = world.cache(Lease).get(Key(LEASES, key.name))
    return Observed(node, (lease.spec.renew_time or "") if lease is not None else "")


def node_of(change: Changed[Lease], world: World) -> Iterable[Key]:
    """The node of a lease."""
    meta = change.newest.metadata
    return (Key("", meta.name),) if meta.namespace == LEASES else ()


def missing_of(change: Changed[Pod], world: World) -> Iterable[Key]:
    """The node that a pod names, when there is none of that name."""
    name = change.newest.spec.node_name
    return (Key("", name),) if name and world.cache(Node).get(Key("", name)) is None else ()


def on_node(value: Object) -> Iterable[str]:
    """Index: the node a pod names."""
    return (value.spec.node_name,) if isinstance(value, Pod) and value.spec.node_name else ()


def _order(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name
