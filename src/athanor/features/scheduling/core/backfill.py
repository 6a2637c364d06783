"""Phase 4, backfill: blocked gangs are promised capacity on a timeline of expected ends.

The promise to a blocked gang is the earliest time at which it fits when running gangs end as
expected (declared, or the policy's assumption), together with its places then. Later ones in line
start only if they end before that, or fit beside it (conservative backfill, Mu'alem & Feitelson
2001). Quotas bind at that time as well.
"""

from __future__ import annotations

from typing import NamedTuple

from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints


class Promise(NamedTuple):
    """From `start` on the gang fits in `pool`; `world` is the future with it placed.

    `outlived` gangs run now and will have ended by then.
    """

    pool: int
    start: float
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
    ends = sorted(
        (state.end_of(g), g) for g in state.held if g not in state.leaving | state.released
    )  # fmt: skip
    low, high = 0, len(ends)
    best = _after(state, gang, pool, ends)
    if best is None:
        return None
    while low < high:  # the fewest ends that make it fit
        middle = (low + high) // 2
        tried = _after(state, gang, pool, ends[:middle])
        if tried is None:
            low = middle + 1
        else:
            best, high = tried, middle
    return best


def _after(state: State, gang: int, pool: int, ends: list[tuple[float, int]]) -> Promise | None:
    """The gang placed after these gangs have ended, or None."""
    ask = state.ask(gang)
    world = state.future().fork()
    outlived = tuple(g for _, g in ends if g not in state.outlived)
    for g in outlived:
        state.release(world, g)
    amounts = ask.amounts(ask.least)
    if state.refusal(world.tree, gang, pool, amounts) is not None:
        return None
    if seat(state, world.ledger, gang, ask.least, pool) is None:
        return None
    leave = state.time + (state.policy.grace if state.leaving else 0.0)
    start = max((end for end, _ in ends), default=leave)
    return Promise(pool, start, amounts, world, outlived)
