"""Nodes as the scheduler sees them: their pool, what they have, their devices, and their class.

Nodes that answer every question about where a pod may go alike are one class. A class knows only
the labels that somebody asks for, so a thousand nodes with different names are usually one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from athanor.api.core import Node, Taint
from athanor.api.scheduling import Pool
from athanor.features.scheduling.core.rows import DeviceRow
from athanor.kit import quantity

MOST_DEVICES = 62
"""Devices of a node are counted in a bit mask; resources with more units are only counted."""

NAME = "metadata.name"
"""The node's own name among its labels, for affinity by field."""

MODEL_LABELS = ("athanor.dev/gpu.model", "nvidia.com/gpu.product", "amd.com/gpu.product-name")
MEMORY_LABELS = ("athanor.dev/gpu.memory", "nvidia.com/gpu.memory")
"""Labels that say a node's device model, and its memory in MiB (as GPU feature discovery does)."""


SLICES = "athanor.dev/gpu.slices"
"""Label: into how many memory slices each GPU of the node can be cut, where we cut them."""
DEVICE_IDS = "athanor.dev/device-ids"
"""Annotation: the ids (UUIDs) of the node's GPUs in the order of their indices."""


COST = "athanor.dev/cost-per-hour"
"""Label: what an hour of the node costs; one without it counts as paid for."""
DEAREST = float("inf")
"""What a node costs whose price cannot be read."""


Toleration = tuple[str, ...]
"""Key, operator, value, effect."""


class NodeClass(NamedTuple):
    """All that decides whether a pod may go to a node, besides room."""

    ready: bool
    cordoned: bool
    taints: tuple[tuple[str, str, str], ...]
    labels: frozenset[tuple[str, str]]


def pool_of(node: Node, pools: Sequence[Pool]) -> str:
    """The pool whose selector matches with most labels, the first by name; "" for none."""
    labels = node.metadata.labels.items()
    matching = [
        (-len(pool.spec.node_selector), pool.metadata.name)
        for pool in pools
        if pool.spec.node_selector.items() <= labels
    ]
    return min(matching)[1] if matching else ""


def class_of(node: Node, asked: Iterable[str], marks: Mapping[str, str] | None = None) -> NodeClass:
    """The node's class when somebody asks for these labels; `marks` are made-up ones."""
    labels = {**node.metadata.labels, NAME: node.metadata.name, **(marks or {})}
    ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "True")
    taints = [t for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute")]
    return NodeClass(
        ready == "True",
        node.spec.unschedulable,
        tuple(sorted((t.key, t.value, t.effect) for t in taints)),
        frozenset((key, labels[key]) for key in (*asked, *(marks or ())) if key in labels),
    )


def cost(klass: NodeClass) -> float:
    """What an hour of the class's nodes costs."""
    said = next((value for key, value in klass.labels if key == COST), "0")
    return float(said) if said.replace(".", "", 1).isdecimal() else DEAREST


def amounts(said: Mapping[str, str | int]) -> dict[str, int]:
    """Quantities in the core's units: cpu in thousandths, the rest in whole units.

    Raises QuantityError for what is no quantity.
    """
    return {
        name: quantity.milli(str(text)) if name == "cpu" else quantity.whole(str(text))
        for name, text in said.items()
    }


def is_device(resource: str, count: int) -> bool:
    """Whether units of a resource are devices of their own: extended resources, a few a node."""
    return "/" in resource and "hugepages" not in resource and 0 < count <= MOST_DEVICES


def capacity(node: Node) -> tuple[dict[str, int], tuple[DeviceRow, ...]]:
    """What the node offers pods: plain amounts, and devices. Raises QuantityError."""
    offered = amounts(node.status.allocatable or node.status.capacity)
    labels = node.metadata.labels
    model = next((labels[key] for key in MODEL_LABELS if key in labels), "")
    memory = next((labels[key] for key in MEMORY_LABELS if key in labels), "0")
    mib = int(memory) if memory.isdecimal() else 0
    devices: list[DeviceRow] = []
    slices = labels.get(SLICES, "0")
    slots = int(slices) if slices.isdecimal() else 0
    for name in sorted(offered):
        count = offered[name]
        if is_device(name, count) and len(devices) + count <= MOST_DEVICES:
            gpu = name.endswith("/gpu") or ("gpu" in name and "/mig-" not in name)
            row = DeviceRow(name, model, mib, slots) if gpu else DeviceRow(name)
            devices += [row] * count
    kinds = {device.kind for device in devices}
    return {name: n for name, n in offered.items() if name not in kinds}, tuple(devices)


def tolerated(taint: tuple[str, str, str], tolerations: Sequence[Toleration]) -> bool:
    """Whether one of a pod's tolerations covers a taint (core/v1 rules)."""
    key, value, effect = taint
    for asked, operator, wanted, where in tolerations:
        if where and where != effect:
            continue
        if operator == "Exists" and asked in ("", key):
            return True
        if operator in ("", "Equal") and asked == key and wanted == value:
            return True
    return False


POOL = "athanor.dev/pool"
"""Key of the taint (NoSchedule) that keeps kube-scheduler's pods off the nodes of a pool. Gangs
need not tolerate it."""


def barring(klass: NodeClass) -> str:
    """The keys, "a,b", of the taints that gangs must tolerate to go to the class's nodes."""
    return ",".join(sorted({key for key, _, _ in klass.taints if key != POOL}))


def is_ours(node: Node) -> bool:
    """Whether kube-scheduler places nothing there without being told."""
    return any(taint.key == POOL and taint.effect == "NoSchedule" for taint in node.spec.taints)


def is_closed(node: Node) -> bool:
    """Whether it takes no pods now: it is not ready, or cordoned."""
    ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "True")
    return ready != "True" or node.spec.unschedulable


CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
