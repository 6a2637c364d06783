"""Where a gang goes: all of its pod sets or none, pods in score order, ties in a fixed order.

A single pod set is placed exactly: nodes are independent, so it fits if and only if the room for
its pods adds up. Several sets of different shapes are tried hardest first. Nodes that suit better
come first, but decide only where a gang goes, never whether.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from athanor.features.scheduling.core import gpu, search, topology
from athanor.features.scheduling.core.ledger import Ledger, Shape
from athanor.features.scheduling.core.snapshot import UNSET, Cause
from athanor.features.scheduling.core.spots import SetAsk, Spot, Spots
from athanor.features.scheduling.core.table import Bools


def place(
    ledger: Ledger,
    sets: Sequence[SetAsk],
    counts: Sequence[int],
    pool: int,
    levels: Sequence[int],
    inside: Bools | None = None,
) -> Spots | None:
    """Take places for `counts` pods of the sets, all or nothing; None leaves the ledger as it was.

    On success the places are booked in the ledger; `undo` gives them back. When taking the best
    nodes first fails for several sets, it does not matter any more which suit better, and then all
    ways are searched within a budget. `inside`: the nodes the gang may use (None: all).
    """
    if len(sets) == 1:
        alone = _place_set(ledger, sets[0], counts[0], pool, levels, inside)
        return None if alone is None else (alone,)
    order = sorted(range(len(sets)), key=lambda i: _hardness(sets[i], counts[i]))
    tries = [sets]
    if any(one.near.prefer for one in sets):
        tries.append([one._replace(near=one.near.anywhere) for one in sets])
    for asked in tries:
        found: dict[int, tuple[Spot, ...]] = {}
        for i in order:
            spots = _place_set(ledger, asked[i], counts[i], pool, levels, inside)
            if spots is None:
                break
            found[i] = spots
        else:
            return tuple(found[i] for i in range(len(sets)))
        for i, taken in found.items():
            _give(ledger, sets[i].shape, taken)
        if not found:  # the set that comes first fits nowhere by itself
            return None
    return search.exactly(ledger, sets, counts, pool, order, inside)


def undo(ledger: Ledger, sets: Sequence[SetAsk], spots: Spots) -> None:
    """Give all places of a gang back."""
    for ask, taken in zip(sets, spots, strict=True):
        _give(ledger, ask.shape, taken)


def redo(ledger: Ledger, sets: Sequence[SetAsk], spots: Spots) -> None:
    """Take these very places. Raises BrokenLedger when one is not free."""
    for ask, taken in zip(sets, spots, strict=True):
        for spot in taken:
            ledger.take(spot.node, ask.shape, spot.devices, spot.slot)


def force(ledger: Ledger, sets: Sequence[SetAsk], spots: Spots) -> None:
    """Count these places as taken even where that leaves less than nothing."""
    for ask, taken in zip(sets, spots, strict=True):
        for spot in taken:
            ledger.force(spot.node, ask.shape, spot.devices, spot.slot)


def _hardness(ask: SetAsk, pods: int) -> tuple[bool, int, int, int]:
    devices = ask.shape.devices
    return (
        not ask.near.tied, -devices.needed * devices.milli, -max(ask.shape.request, default=0),
        -pods,
    )  # fmt: skip


def _place_set(
    ledger: Ledger,
    ask: SetAsk,
    pods: int,
    pool: int,
    levels: Sequence[int],
    inside: Bools | None,
) -> tuple[Spot, ...] | None:
    if pods == 0:
        return ()
    if not len(ledger.open):
        return None
    if not ask.near.asked:
        return _fill(ledger, ask.shape, pods, pool, inside)
    view = ledger.view(ask.shape, pool)
    room = view.room if inside is None else np.where(inside, view.room, 0)
    for way in topology.parts(
        ask.near,
        pods,
        room,
        ledger.nodes.domains,
        levels,
        _meant(ledger, ask.shape, pool),
        ledger.nodes.klass,
        ledger.gave_up,
    ):
        spots: tuple[Spot, ...] = ()
        for part in way:
            there = part.nodes if inside is None else part.nodes & inside
            more = _fill(ledger, ask.shape, part.pods, pool, there)
            if more is None:
                _give(ledger, ask.shape, spots)
                break
            spots += more
        else:
            return spots
    return None


def _meant(ledger: Ledger, shape: Shape, pool: int) -> Bools:
    """The nodes a shape is meant for, whether they take it now or not: these make the domains.

    As in Kubernetes, its node selector and affinity say which; taints and full nodes do not. Nor
    are those meant that cannot give the devices it asks for.
    """
    others = Cause.SELECTOR, Cause.AFFINITY, Cause.GIVEN_DEVICES
    barred = np.array(shape.barred)[ledger.nodes.klass]
    meant: Bools = (ledger.nodes.pool == pool) & ~np.isin(barred, others)
    return meant


def _fill(
    ledger: Ledger, shape: Shape, pods: int, pool: int, inside: Bools | None
) -> tuple[Spot, ...] | None:
    """The best nodes in turn, each filled before the next, until every pod has a place."""
    view = ledger.view(shape, pool)
    if pods > 1 and view.total < pods:
        return None
    score = view.score if inside is None else np.where(inside, view.score, -1)
    if pods > 1:
        room = view.room if inside is None else np.where(inside, view.room, 0)
        if int(np.minimum(room, pods).sum()) < pods:
            return None
        score = score.copy()
    spots: list[Spot] = []
    while len(spots) < pods:
        node = int(score.argmax())
        if score[node] < 0:
            _give(ledger, shape, spots)
            return None
        here = min(int(view.room[node]), pods - len(spots))
        first = int(view.device[node])
        if pods > 1 and ledger.engine is None and _whole(shape):
            masks = ledger.take_whole(node, shape, here)
            spots += [Spot(node, mask, UNSET) for mask in masks]
            here = 0
        for i in range(here):
            spots.append(Spot(node, *ledger.grab(node, shape, first if i == 0 else UNSET)))
        if len(spots) < pods:
            score[node] = -1
    return tuple(spots)


def _whole(shape: Shape) -> bool:
    """Whether the pods of a shape take nothing but whole devices (or none)."""
    wanted = shape.devices
    simple = not wanted.slots and not wanted.mib and not shape.per_node
    return simple and (not wanted.needed or wanted.milli == gpu.WHOLE)


def _give(ledger: Ledger, shape: Shape, spots: Sequence[Spot]) -> None:
    for spot in spots:
        ledger.give(spot.node, shape, spot.devices, spot.slot)
