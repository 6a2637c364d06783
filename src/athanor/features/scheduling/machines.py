"""Nodes as the scheduler has read them, kept as they change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from athanor.api.core import Node
from athanor.api.scheduling import Pool
from athanor.features.scheduling import matters, nodes, pods, sites
from athanor.features.scheduling.core.rows import DeviceRow
from athanor.kit.quantity import QuantityError
from athanor.runtime.cache import Cache, Key

Offered = tuple[dict[str, int], tuple[DeviceRow, ...]]


class Machine(NamedTuple):
    """A node with what it offers, the pool it is in, and the ids of its devices."""

    node: Node
    offered: Offered
    pool: str
    ids: tuple[str, ...]


class Machines:
    """All nodes, in the order of their names; nothing that was handed out is changed."""

    def __init__(self) -> None:
        self.by_name: dict[str, Machine] = {}
        self.devices: frozenset[str] = frozenset()
        self.offers: Mapping[str, Offered] = {}
        self.sharing: Mapping[str, str] = {}
        self.open: Mapping[str, int] = {}
        self.closed: frozenset[str] = frozenset()
        self.changes = 0
        self.names = 0

    def look(
        self, cache: Cache[Node], keys: Iterable[Key], pools: Sequence[Pool], *, anew: bool
    ) -> None:
        """Take changes in; `changes` counts those that matter, `names` those of who is there.

        `anew`: pools have changed.
        """
        found = dict(self.by_name)
        for name in [*self.by_name] if anew else [key.name for key in keys]:
            before, node = found.get(name), cache.get(Key("", name))
            if node is None:
                found.pop(name, None)
            elif before is None or anew or not _alike(before.node, node):
                found[name] = read(node, pools)
        if anew:
            found.update({n: read(one, pools) for one in cache
                          if (n := one.metadata.name) not in found})  # fmt: skip
        if found == self.by_name:
            return
        self.changes += 1
        if found.keys() != self.by_name.keys():
            self.names += 1
            found = dict(sorted(found.items()))
        self.by_name = found
        self.offers = {name: one.offered for name, one in found.items()}
        kinds = {devices for _, devices in self.offers.values()}
        self.devices = frozenset(device.kind for devices in kinds for device in devices)
        told = {n: one.node.metadata.labels.get(pods.ISOLATION, "") for n, one in found.items()}
        self.sharing = {name: text for name, text in told.items() if text}
        self.open = Counter(one.pool for one in found.values() if not nodes.is_ours(one.node))
        self.closed = frozenset(n for n, one in found.items() if nodes.is_closed(one.node))


def _alike(before: Node, after: Node) -> bool:
    """Whether a node says the same of what matters."""
    if before is after:
        return True
    same = matters.offer(before) == matters.offer(after)
    return same and sites.device_ids(before) == sites.device_ids(after)


def read(node: Node, pools: Sequence[Pool]) -> Machine:
    """What a node says; one that says nonsense offers nothing."""
    try:
        offered: Offered = nodes.capacity(node)
    except QuantityError:
        offered = {}, ()
    return Machine(node, offered, nodes.pool_of(node, pools), sites.device_ids(node))
