"""The rate table: what resources cost in each pool, and what is derived from them for quota.

Derived are cost units (by a pool's rates) and device memory ("nvidia.com/gpu.memory"): a share
with an amount of memory counts as that, anything else by its part of the device.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from athanor.api.scheduling import Pool, Queue
from athanor.features.scheduling.core.rows import NodeRow, ShapeRow
from athanor.features.scheduling.core.snapshot import UNITS
from athanor.kit import quantity
from athanor.kit.quantity import QuantityError

GIB = 2**30
MIB = 2**20
MEMORY, PLAIN = ".memory", ".plain"
"""Resources beside a device's own: its memory, and devices that ask for no amount of memory."""


def of_pool(pool: Pool, devices: Collection[str]) -> dict[str, float]:
    """Cost units (thousandths) of one unit of the core of each resource."""
    found: dict[str, float] = {}
    for name, said in pool.spec.rates.items():
        try:
            rate = quantity.parse(str(said)).nano / 1e9
        except QuantityError:
            continue  # the schema lets none in
        each = 1.0 if name == "cpu" or name in devices else 1000.0
        found[name] = rate * (1000.0 / GIB if name == "memory" else each)
    return found


def derived(
    pool: Pool, devices: Collection[str], counted: Iterable[str], nodes: Sequence[NodeRow]
) -> dict[tuple[str, str], float]:
    """What the pool derives: units of what has a rate; memory for the devices in `counted`."""
    found = {(name, UNITS): rate for name, rate in of_pool(pool, devices).items()}
    for kind in counted:
        sizes = [
            device.memory for node in nodes if node.pool == pool.metadata.name
            for device in node.devices if device.kind == kind
        ]  # fmt: skip
        found[kind + PLAIN, kind + MEMORY] = max(sizes, default=0) * MIB / 1000.0
    return found


def counted_by_memory(queues: Iterable[Queue], devices: Collection[str]) -> frozenset[str]:
    """The devices whose memory somebody's quota counts."""
    named: set[str] = set()
    for queue in queues:
        named |= set(queue.spec.user_limit)
        for quota in queue.spec.pools:
            named |= {*quota.guaranteed, *quota.deserved, *quota.limit, *quota.lendable}
    return frozenset(kind for kind in devices if kind + MEMORY in named)


def with_memory(shape: ShapeRow, counted: Collection[str]) -> ShapeRow:
    """The shape with the memory of its devices, or the devices for whose memory the pool knows."""
    if shape.kind not in counted:
        return shape
    more = (
        (shape.kind + MEMORY, shape.devices * shape.mib * MIB) if shape.mib
        else (shape.kind + PLAIN, shape.devices * shape.milli)
    )  # fmt: skip
    return shape._replace(request=tuple(sorted((*shape.request, more))))


def with_room(node: NodeRow, counted: Collection[str]) -> NodeRow:
    """The node with room for what `with_memory` adds: its devices are the bound, not this."""
    more: dict[str, int] = {}
    for device in node.devices:
        if device.kind in counted:
            plain, memory = device.kind + PLAIN, device.kind + MEMORY
            more[plain] = more.get(plain, 0) + 1000
            more[memory] = more.get(memory, 0) + device.memory * MIB
    return node._replace(capacity={**node.capacity, **more}) if more else node


def hourly(shape: ShapeRow, rates: Mapping[str, float]) -> float:
    """GPU-hours an hour of one pod: by the pool's rates if it has any, else devices."""
    if not rates:
        return shape.devices * shape.milli / 1000.0 if shape.kind else 0.0
    asked = dict(shape.request)
    if shape.kind:
        asked[shape.kind] = shape.devices * shape.milli
    return sum(amount * rates.get(name, 0.0) for name, amount in asked.items()) / 1000.0
