"""A node and its lease, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.core import Lease, Node
from athanor.runtime.cache import Changed, Key, World

LEASES = "kube-node-lease"


class Observed(Struct, frozen=True):
    """`beat` is whatever the lease says of its last renewal; "" when there is no lease."""

    node: Node
    beat: str = ""


def observe(world: World, key: Key) -> Observed | None:
    """Read a node's situation; None when it is gone."""
    node = world.cache(Node).get(key)
    if node is None:
        return None
    lease = world.cache(Lease).get(Key(LEASES, key.name))
    return Observed(node, (lease.spec.renew_time or "") if lease is not None else "")


def node_of(change: Changed[Lease], world: World) -> Iterable[Key]:
    """The node of a lease."""
    meta = change.newest.metadata
    return (Key("", meta.name),) if meta.namespace == LEASES else ()
