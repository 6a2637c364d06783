"""What is free, as columns: whole snapshots, and many pods at once, are booked in arrays alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu
from athanor.features.scheduling.core.shapes import Shape
from athanor.features.scheduling.core.snapshot import UNSET, Nodes, Shapes, Snapshot
from athanor.features.scheduling.core.table import Bools, Ints, Smalls


class Booked(NamedTuple):
    """What is free on every node, and how many pods of shapes that are limited a node are there."""

    free: Ints
    milli: Smalls
    mib: Ints
    cut: Smalls
    open: Bools
    beside: dict[Shape, Smalls]


class Pods(NamedTuple):
    """Pods with their places: row of Shapes, node, mask of devices, slot."""

    shape: Smalls
    node: Smalls
    devices: Ints
    slot: Smalls


def booked(snapshot: Snapshot, shapes: list[Shape], now: float) -> Booked:
    """What is free in a snapshot. Nodes in back-off are closed; nodes may be overbooked."""
    nodes, running = snapshot.nodes, snapshot.running
    usable = (nodes.kind != UNSET) & nodes.healthy
    found = Booked(
        free=nodes.capacity - nodes.foreign,
        milli=np.where(usable, gpu.WHOLE, gpu.NO_DEVICE).astype(np.int32),
        mib=np.where(usable, nodes.memory, 0),
        cut=np.zeros_like(nodes.slots),
        open=~(nodes.retry_at > now),
        beside={},
    )
    of = snapshot.pod_sets.shape[running.pod_set]
    pods = Pods(of, running.node, running.devices, running.slot)
    book(found, nodes, snapshot.shapes, shapes, pods, 1)
    return found


def book(
    held: Booked, nodes: Nodes, table: Shapes, shapes: list[Shape], pods: Pods, sign: int
) -> None:
    """Count pods in (1) or out (-1), whether there is room for them or not; `shapes` are the
    rows of `table`."""
    of, node = pods.shape, pods.node
    for r in range(held.free.shape[1]):
        asked = table.request[of, r]
        some = np.flatnonzero(asked)
        np.subtract.at(held.free[:, r], node[some], sign * asked[some])
    usable = held.milli != gpu.NO_DEVICE
    sliced = table.slice_slots[of] > 0
    for d in range(nodes.kind.shape[1]):
        here = np.flatnonzero(pods.devices >> d & 1 == 1)
        here = here[usable[node[here], d]]
        rows = here[~sliced[here]]
        if len(rows):
            where, part = node[rows], table.milli[of[rows]]
            own = table.mib[of[rows]]
            mib = np.where(own > 0, own, nodes.memory[where, d] * part // gpu.WHOLE)
            np.subtract.at(held.milli[:, d], where, sign * part)
            np.subtract.at(held.mib[:, d], where, sign * mib)
        rows = here[sliced[here]]
        if len(rows):
            where = node[rows]
            mask = ((1 << table.slice_slots[of[rows]]) - 1) << pods.slot[rows]
            if sign > 0:
                np.bitwise_or.at(held.cut[:, d], where, mask)
            else:
                np.bitwise_and.at(held.cut[:, d], where, ~mask)
            held.milli[where, d] = np.where(held.cut[where, d], 0, gpu.WHOLE)
    limited = np.flatnonzero(table.per_node[of] > 0)
    for k in np.unique(of[limited]).tolist():
        count = held.beside.setdefault(shapes[k], np.zeros(len(held.open), dtype=np.int32))
        np.add.at(count, node[limited[of[limited] == k]], sign)
