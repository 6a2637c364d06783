"""Exact search for gangs of several pod sets: all ways of sharing nodes and devices, in a budget.

Taking the best node for one set after the other may miss the one way in which all fit. Equal pods
are interchangeable, so a set's pods go to nodes in ascending order; devices of a node with equal
room are one choice. A "no" within the budget is a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from athanor.features.scheduling.core.ledger import Ledger, Shape
from athanor.features.scheduling.core.snapshot import UNSET
from athanor.features.scheduling.core.spots import SetAsk, Spot, Spots
from athanor.features.scheduling.core.table import Bools, Ints
from athanor.features.scheduling.core.topology import per_domain

BUDGET = 3000
"""Places tried before the search gives up: some tenths of a second at most."""


def exactly(
    ledger: Ledger,
    sets: Sequence[SetAsk],
    counts: Sequence[int],
    pool: int,
    order: Sequence[int],
    inside: Bools | None,
) -> Spots | None:
    """Places for all sets, booked, or None with the ledger as it was.

    What is no proof is counted in the ledger's `gave_up`.

    Sets that are cut into slices are beyond it: they are placed best first or not at all.
    """
    if any(
        int(np.minimum(ledger.view(sets[i].shape, pool).room, counts[i]).sum()) < counts[i]
        for i in order
    ):
        return None
    if any(one.near.slice_size or one.near.evenly for one in sets):
        ledger.gave_up[0] += 1
        return None
    return _Search(ledger, sets, counts, pool, order, inside).run()


class _Search:
    def __init__(
        self, ledger: Ledger, sets: Sequence[SetAsk], counts: Sequence[int], pool: int,
        order: Sequence[int], inside: Bools | None,
    ) -> None:  # fmt: skip
        self.ledger, self.sets, self.counts, self.pool = ledger, sets, counts, pool
        self.order, self.inside = order, inside
        self.left = BUDGET
        self.found: dict[int, list[Spot]] = {i: [] for i in order}

    def run(self) -> Spots | None:
        """The first way that works."""
        if not self._set(0):
            self.ledger.gave_up[0] += self.left <= 0
            return None
        return tuple(tuple(self.found[i]) for i in range(len(self.sets)))

    def _set(self, at: int) -> bool:
        if at == len(self.order):
            return True
        i = self.order[at]
        near = self.sets[i].near
        if near.required == UNSET:
            return self._pods(at, np.flatnonzero(self._room(i) > 0).tolist(), 0)
        domains = self.ledger.nodes.domains
        room = self._room(i)
        everywhere = np.ones(len(room), dtype=np.bool_)
        total = per_domain(near.required, np.minimum(room, self.counts[i]), domains, everywhere)
        for d in np.flatnonzero(total >= max(self.counts[i], 1)).tolist():
            inside = np.flatnonzero((domains[near.required] == d) & (room > 0)).tolist()
            if self._pods(at, inside, 0):
                return True
        return False

    def _room(self, i: int) -> Ints:
        room = self.ledger.view(self.sets[i].shape, self.pool).room
        return room if self.inside is None else np.where(self.inside, room, 0)

    def _pods(self, at: int, nodes: list[int], first: int) -> bool:
        i = self.order[at]
        done = self.found[i]
        if len(done) == self.counts[i]:
            return self._set(at + 1)
        shape = self.sets[i].shape
        for n in range(first, len(nodes)):
            for spot in self._ways(shape, nodes[n]):
                if self.left <= 0:
                    return False
                self.left -= 1
                self.ledger.take(spot.node, shape, spot.devices, spot.slot)
                done.append(spot)
                if self._pods(at, nodes, n):
                    return True
                done.pop()
                self.ledger.give(spot.node, shape, spot.devices, spot.slot)
        return False

    def _ways(self, shape: Shape, node: int) -> Iterator[Spot]:
        """A pod's ways onto one node: one for each sort of device that has room."""
        if self.ledger.view(shape, self.pool).room[node] < 1:
            return
        want = shape.devices
        if want.needed != 1 or want.slots:
            devices, slot = self.ledger.pick(node, shape)
            yield Spot(node, devices, slot)
            return
        seen: set[tuple[int, int]] = set()
        for d in self.ledger.fitting(node, shape):
            key = int(self.ledger.milli[node, d]), int(self.ledger.mib[node, d])
            if key not in seen:
                seen.add(key)
                yield Spot(node, 1 << d, UNSET)
