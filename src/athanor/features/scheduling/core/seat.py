"""A gang's places with all that is asked of them together: one domain for all of its pods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from athanor.features.scheduling.core import place, topology
from athanor.features.scheduling.core.ledger import Ledger
from athanor.features.scheduling.core.snapshot import UNSET
from athanor.features.scheduling.core.spots import SetAsk, Spots
from athanor.features.scheduling.core.state import State
from athanor.features.scheduling.core.table import Bools


def seat(
    state: State, ledger: Ledger, gang: int, counts: tuple[int, ...], pool: int
) -> Spots | None:
    """Places for so many pods of each set, booked in the ledger, or None (see `place`).

    Where the gang as a whole needs one domain of a level, domains are tried one after the other,
    that whose nodes suit best first, then that with least free capacity; its sets may ask for
    smaller ones inside it.
    """
    ask, level, inside = state.ask(gang), int(state.snapshot.gangs.within[gang]), state.inside(gang)
    if level == UNSET:
        return place.place(ledger, ask.sets, counts, pool, state.levels(pool), inside)
    domains = ledger.nodes.domains
    if level >= len(domains):
        return None
    mine = (ledger.nodes.pool == pool) & (domains[level] != UNSET)
    if inside is not None:
        mine &= inside
    found = np.unique(domains[level][mine])
    room = ledger.view(ask.sets[0].shape, pool).room
    free = [int(np.minimum(room[mine & (domains[level] == d)], 2**32).sum()) for d in found]
    suits = [_suits(ledger, ask.sets, counts, pool, mine & (domains[level] == d)) for d in found]
    for d in found[np.lexsort((free, [-one for one in suits]))]:
        spots = place.place(
            ledger, ask.sets, counts, pool, state.levels(pool), mine & (domains[level] == d)
        )
        if spots is not None:
            return spots
    return None


def _suits(
    ledger: Ledger, sets: Sequence[SetAsk], counts: Sequence[int], pool: int, inside: Bools
) -> int:
    """What the best places there are worth to all sets together."""
    return sum(
        topology.suits(
            np.array(one.near.prefer)[ledger.nodes.klass], pods,
            ledger.view(one.shape, pool).room, inside,
        )
        for one, pods in zip(sets, counts, strict=True) if one.near.prefer
    )  # fmt: skip
