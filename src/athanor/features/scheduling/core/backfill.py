"""Phase 4, backfill: blocked gangs are promised capacity on a timeline of expected ends.

The promise to a blocked gang is the earliest time at which it fits when running gangs end as
expected (declared, or the policy's assumption), together with its places then. Later ones in line
start only if they end before that, or fit beside it (conservative backfill, Mu'alem & Feitelson
2001). Quotas bind at that time as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.place import redo
from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.spots import Spots
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints


class Promise(NamedTuple):
    """From `start` on the gang fits in `pool`; `world` is the future with it placed.

    `outlived` gangs run now and will have ended by then.
    """

    pool: int
    start: float
    spots: Spots
    amounts: Ints
    world: World
    outlived: tuple[int, ...]


def earliest(state: State, gang: int, pools: list[int]) -> Promise | None:
    """The soonest promise over the gang's pools, the first pool if equal; None: no end helps."""
    best: Promise | None = None
    for pool in pools:
        found = _in_pool(state, gang, pool)
        if found is not None and (best is None or found.start < best.start):
            best = found
    return best


class _Then(NamedTuple):
    """A moment of the future: `world` keeps every promise and has nobody whose end they count on.

    Before these ends they hold their places: `soon` has them still, if there are promises at all.
    """

    world: World
    soon: World | None

    def fork(self) -> _Then:
        """A copy to try things on."""
        return _Then(self.world.fork(), self.soon.fork() if self.soon is not None else None)

    def release(self, state: State, rows: Ints) -> None:
        """These have ended."""
        state.release_all(self.world, rows[~np.isin(rows, list(state.outlived))])
        if self.soon is not None:
            state.release_all(self.soon, rows)

    def seat(self, state: State, gang: int, pool: int) -> Spots | None:
        """The gang's places from this moment on, booked in `world`; None: it does not fit."""
        ask, world, soon = state.ask(gang), self.world, self.soon
        for one in (world, soon):
            if one and state.refusal(one.tree, gang, pool, ask.amounts(ask.least)) is not None:
                return None
        if soon is None:
            return seat(state, world.ledger, gang, ask.least, pool)
        spots = seat(state, world.ledger.meet(soon.ledger), gang, ask.least, pool)
        if spots is not None:
            redo(world.ledger, ask.sets, spots)
        return spots


def _in_pool(state: State, gang: int, pool: int) -> Promise | None:
    """The fewest ends that make the gang fit: ever more of them at a time, then back."""
    rows, at = state.ends
    stays = ~np.isin(rows, list(state.leaving | state.released))
    rows, at = rows[stays], at[stays]
    then = _Then(state.future(), state.soon() if state.outlived else None).fork()
    base, low, high, step = then, 0, 0, 1
    while (spots := then.seat(state, gang, pool)) is None:
        if high == len(rows):
            return None
        low, high, step = high, min(high + step, len(rows)), step * 2
        base, then = then, then.fork()
        then.release(state, rows[low:high])
    while low + 1 < high:  # `low` ends are too few, with `high` of them `then` has it placed
        middle = (low + high) // 2
        tried = base.fork()
        tried.release(state, rows[low:middle])
        with_it = tried.fork()
        found = with_it.seat(state, gang, pool)
        if found is not None:
            then, spots, high = with_it, found, middle
        else:
            base, low = tried, middle
    goes = state.leaving or state.released or state.shrinking
    start = float(at[high - 1]) if high else state.time + (state.policy.grace if goes else 0.0)
    outlived = tuple(g for g in rows[:high].tolist() if g not in state.outlived)
    amounts = state.ask(gang).amounts(state.ask(gang).least)
    return Promise(pool, start, spots, amounts, then.world, outlived)
