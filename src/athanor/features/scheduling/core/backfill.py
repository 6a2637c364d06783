"""Phase 4, backfill: blocked gangs are promised capacity on a timeline of expected ends.

The promise to a blocked gang is the earliest time at which it fits when running gangs end as
expected (declared, or the policy's assumption), together with its places then. Later ones in line
start only if they end before that, or fit beside it (conservative backfill, Mu'alem & Feitelson
2001). Quotas bind at that time as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


def _in_pool(state: State, gang: int, pool: int) -> Promise | None:
    """The fewest ends that make the gang fit: ever more of them at a time, then back."""
    ends = sorted(
        (state.end_of(g), g) for g in state.held if g not in state.leaving | state.released
    )  # fmt: skip
    world = state.future().fork()
    base, low, high, step = world, 0, 0, 1
    while (spots := _placed(state, world, gang, pool)) is None:
        if high == len(ends):
            return None
        low, high, step = high, min(high + step, len(ends)), step * 2
        base, world = world, world.fork()
        _release(state, world, ends[low:high])
    while low + 1 < high:  # `low` ends are too few, with `high` of them `world` has it placed
        middle = (low + high) // 2
        tried = base.fork()
        _release(state, tried, ends[low:middle])
        with_it = tried.fork()
        found = _placed(state, with_it, gang, pool)
        if found is not None:
            world, spots, high = with_it, found, middle
        else:
            base, low = tried, middle
    leave = state.time + (state.policy.grace if state.leaving else 0.0)
    start = ends[high - 1][0] if high else leave
    outlived = tuple(g for _, g in ends[:high] if g not in state.outlived)
    amounts = state.ask(gang).amounts(state.ask(gang).least)
    return Promise(pool, start, spots, amounts, world, outlived)


def _release(state: State, world: World, ends: Sequence[tuple[float, int]]) -> None:
    for _, g in ends:
        if g not in state.outlived:
            state.release(world, g)


def _placed(state: State, world: World, gang: int, pool: int) -> Spots | None:
    """The gang's places in a world, where they are booked; None: it does not fit."""
    ask = state.ask(gang)
    if state.refusal(world.tree, gang, pool, ask.amounts(ask.least)) is not None:
        return None
    return seat(state, world.ledger, gang, ask.least, pool)
