"""Phase 3, start: a gang's pools in order; in each the most pods that quota and nodes allow.

An elastic gang is in line by the claim of its least, so it starts with what that claim covers; when
everyone in line was considered, it gets what of the rest is idle (see `elastic.fill`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import place, rights
from athanor.features.scheduling.core.ledger import Ledger
from athanor.features.scheduling.core.quota import Refusal
from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.snapshot import UNSET, Queues
from athanor.features.scheduling.core.spots import Spots
from athanor.features.scheduling.core.state import Ask, State
from athanor.features.scheduling.core.table import Floats, Ints
from athanor.features.scheduling.core.why import Code


class Started(NamedTuple):
    """A gang found its place; everything is booked."""

    pool: int
    spots: Spots
    amounts: Ints


class Barred(NamedTuple):
    """Why one pool did not take a gang: a quota (`refusal`), or its nodes."""

    pool: int
    code: Code
    refusal: Refusal | None = None


def pools_of(state: State, gang: int) -> list[int]:
    """The pools a gang may use, in order: its own wish within the queue's, else the queue's.

    A queue that names no pool has its parent's; a tree that names none has all, the cheapest
    first.
    """
    queues, ask = state.snapshot.queues, state.ask(gang)
    allowed: list[int] = []
    for q in state.now.tree.path[int(state.snapshot.gangs.queue[gang])]:
        named = np.flatnonzero(queues.preference[q] != UNSET)
        if len(named):
            allowed = sorted(named.tolist(), key=lambda p: int(queues.preference[q, p]))
            break
    else:
        cost = state.snapshot.pools.cost
        allowed = sorted(range(len(cost)), key=lambda p: (float(cost[p]), p))
    return [p for p in ask.pools if p in allowed] if ask.pools else allowed


def open_pools(state: State, gang: int, pools: list[int]) -> list[int]:
    """Those of the pools whose turn has come: a pool is left only after its spill time."""
    queue = int(state.snapshot.gangs.queue[gang])
    # whoever dated the gang may have a faster clock
    waited = max(state.time - float(state.snapshot.gangs.created[gang]), 0.0)
    found: list[int] = []
    needed = 0.0
    for pool in pools:
        if waited < needed:
            break
        found.append(pool)
        needed += float(state.snapshot.queues.spill_after[queue, pool])
    return found


def spill_times(queues: Queues) -> Floats:
    """So many seconds in line may open another pool to a gang of some queue."""
    times = queues.spill_after[np.isfinite(queues.spill_after) & (queues.spill_after > 0)]
    return np.unique([*times, times.sum()]) if len(times) else times


def start(state: State, gang: int, pools: list[int]) -> Started | list[Barred]:
    """Start the gang in the first pool that takes it, booked in all worlds; else why not."""
    barred: list[Barred] = []
    for pool in pools:
        tried = _in_pool(state, gang, pool)
        if isinstance(tried, Started):
            _book(state, gang, tried)
            return tried
        barred.append(tried)
    return barred


def _in_pool(state: State, gang: int, pool: int) -> Started | Barred:
    ask = state.ask(gang)
    most = rights.claimed(state, state.now.tree, gang, pool, ask.full)
    found = _with(state, gang, pool, most)
    if isinstance(found, Started) or ask.least == most:
        return found
    smallest = _with(state, gang, pool, ask.least)
    if isinstance(smallest, Barred):
        return smallest
    low, high = 0, max(m - n for m, n in zip(most, ask.least, strict=True))
    while high - low > 1:  # the largest size that fits: `low` does, `high` does not
        middle = (low + high) // 2
        more = _with(state, gang, pool, rights.beyond(ask.least, middle, most), keep=smallest)
        if isinstance(more, Started):
            low, smallest = middle, more
        else:
            high = middle
    return smallest


def _with(
    state: State, gang: int, pool: int, counts: tuple[int, ...], keep: Started | None = None
) -> Started | Barred:
    """Try one size in the tightest world that binds the gang; leaves it placed there.

    `keep` is a smaller size that is placed already: it makes room first and comes back on failure.
    """
    ask = state.ask(gang)
    amounts = ask.amounts(counts)
    refusal = refused(state, gang, pool, amounts)
    if refusal is not None:
        return Barred(pool, refusal.code, refusal)
    ledger = binding(state, gang)
    if keep is not None:
        place.undo(ledger, ask.sets, keep.spots)
    before = ledger.gave_up[0]
    spots = seat(state, ledger, gang, counts, pool)
    if spots is not None:
        return Started(pool, spots, amounts)
    proven = ledger.gave_up[0] == before
    if keep is not None:
        place.redo(ledger, ask.sets, keep.spots)
    kept = ledger is not state.now.ledger or state.inside(gang) is not None
    blocked = kept and _fits_now(state, ask, counts, pool)
    if blocked:
        return Barred(pool, Code.RESERVED_FOR_OTHERS)
    return Barred(pool, Code.NO_CAPACITY if proven else Code.NOT_PROVEN)


def refused(state: State, gang: int, pool: int, amounts: Ints) -> Refusal | None:
    """What a quota says, now and (for those that outlast the first promise) later."""
    worlds = [state.now]
    if state.tight is not None and state.later is not None and not _ends_first(state, gang):
        worlds.append(state.later)
    for world in worlds:
        refusal = state.refusal(world.tree, gang, pool, amounts)
        if refusal is not None:
            return refusal
    return None


def binding(state: State, gang: int) -> Ledger:
    """The ledger a gang has to fit: `tight` unless it ends before the first promise starts."""
    if state.tight is None or _ends_first(state, gang):
        return state.now.ledger
    return state.tight


def _ends_first(state: State, gang: int) -> bool:
    return state.time + state.runtime(gang) <= state.first_hold


def _fits_now(state: State, ask: Ask, counts: tuple[int, ...], pool: int) -> bool:
    spots = place.place(state.now.ledger, ask.sets, counts, pool, state.levels(pool))
    if spots is None:
        return False
    place.undo(state.now.ledger, ask.sets, spots)
    return True


def _book(state: State, gang: int, started: Started) -> None:
    """The gang is placed in its binding ledger: book it everywhere else.

    One that ends before the first promise is none of `later`'s business, but what it takes now is
    not there for others in `tight`.
    """
    sets, now = state.ask(gang).sets, state.now.ledger
    state.count(state.now.tree, gang, started.pool, started.amounts)
    lasts = state.tight is None or binding(state, gang) is not now
    if state.tight is not None and lasts:
        place.redo(now, sets, started.spots)
    elif state.tight is not None:
        place.force(state.tight, sets, started.spots)
    state.book_ahead(gang, started.pool, started.spots, started.amounts, lasts=lasts)
    queue = int(state.snapshot.gangs.queue[gang])
    state.shares.start(queue, started.pool, started.amounts)
