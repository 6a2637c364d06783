"""Phase 5, reclaim and preempt: whom to ask to go so that a gang can run, validated or not at all.

Whom a gang may push out:
- in its own queue, gangs of lower priority (if the queue's rule is LowerPriority);
- in other queues, when the gang is *entitled*: at every step from its queue up to where the two
  queues' paths meet, use with the gang stays within the guarantee (else within what is deserved),
  while the victim's side uses more than that at every step. So a victim's queue is only ever left
  with less than its right if the victim itself would not have fitted in it.
An elastic gang is pushed out whole only if what is left without its surplus is open to that too.
Never: gangs that are not preemptible, that run for less than their queue's minimum, or leave
already. The order is: lower priority, least device time lost (since the last checkpoint, and the
restart; where that is about equal, in the queue that borrows most for its weight), youngest. The
eviction is played through in a copy of the world, those that can be spared are put back (the most
valuable first), and only what then still works is proposed: with every victim above its queue's
right even when it is looked at last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import place, rights, shrink
from athanor.features.scheduling.core.hopeless import hopeless
from athanor.features.scheduling.core.quota import some
from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.snapshot import Resize
from athanor.features.scheduling.core.spots import Spots
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints, ints

RETRIES = 8
"""Other choices of victims that are tried when the cheapest ones lead nowhere."""
LOOKS = 256
"""Victims that are looked at in all these tries together."""
PLACES = 64
"""How often one try looks for a place; not before as much would be free as the gang needs."""


class Proposal(NamedTuple):
    """Evicting `victims` makes room for the gang in `pool`; `world` is how it looks then: without
    any, `soon` itself with the gang in it.

    `shrunk` gangs keep so many ranks, a set each: those that cannot shrink now start again.
    """

    pool: int
    victims: tuple[int, ...]
    shrunk: Mapping[int, tuple[int, ...]]
    spots: Spots
    amounts: Ints
    world: World


def propose(state: State, gang: int, pools: list[int]) -> Proposal | None:
    """Where evictions let the gang start (victims may be none: all leave already), if anywhere.

    The least the gang can start with is what others have to make room for. Of its pools that is
    taken where it harms least: nobody has to leave, else those of the least priority that lose
    least. Where that is equal, the last pool gives way: own hardware is kept, the cloud given back.
    """
    made: dict[int, Proposal] = {}
    for at, pool in enumerate(pools):
        found = _in_pool(state, gang, pool)
        if found is None:
            continue
        if not found.victims and not found.shrunk:
            return found
        made[at] = found
    if len(made) > 1:
        return made[min(made, key=lambda at: _harm(state, made[at], at))]
    return next(iter(made.values()), None)


def _harm(state: State, made: Proposal, at: int) -> tuple[bool, int, float, bool, int]:
    """What a proposal costs others, the less the better; `at` is its pool's place in the order."""
    again = [g for g in made.shrunk if state.snapshot.gangs.resize[g] == Resize.NEVER]
    gone = ints((*made.victims, *again))
    worst = int(state.snapshot.gangs.priority[gone].max()) if len(gone) else 0
    loss = float(rights.lost(state, gone).sum()) if len(gone) else 0.0
    return bool(len(gone)), worst, loss, bool(made.shrunk), -at


def _in_pool(state: State, gang: int, pool: int) -> Proposal | None:
    ask = state.ask(gang)
    amounts = ask.amounts(ask.least)
    someone_goes = bool(state.leaving or state.shrinking or state.released)
    if someone_goes:  # beside what their ends leave, nobody else has to go
        spots = _fits(state, state.soon(), gang, pool, amounts)
        if spots is not None:
            return Proposal(pool, (), {}, spots, amounts, state.soon())
    candidates = _candidates(state, gang, pool, amounts)
    surplus = shrink.candidates(state, gang, pool, amounts)
    if not len(candidates) and not surplus:
        return None
    tried = _try(state, gang, pool, surplus, candidates, full=someone_goes)
    more = min(RETRIES, LOOKS // max(len(candidates), 1))
    denied = tried.denied
    for first in denied[:more]:  # cheap victims may use up what a queue is above its right
        if tried.made is not None:
            break
        again = np.concatenate(([first], candidates[candidates != first]))
        tried = _try(state, gang, pool, surplus, again)
    if tried.made is None and not hopeless(state, gang, pool, amounts):
        state.unproven.add(gang)
    return tried.made


class _Tried(NamedTuple):
    """What came of asking candidates in one order; `denied`: they fit their queues' right then."""

    made: Proposal | None
    denied: tuple[int, ...]


def _try(
    state: State, gang: int, pool: int, surplus: Sequence[int], candidates: Ints,
    more: int = RETRIES, *, full: bool = False,
) -> _Tried:  # fmt: skip
    """`full`: it is known that the gang has no place yet."""
    amounts = state.ask(gang).amounts(state.ask(gang).least)
    world = state.soon().fork()
    victims: list[int] = []
    denied: list[int] = []
    shrunk: dict[int, tuple[int, ...]] = {}
    spots = _fits(state, world, gang, pool, amounts) if not full else None
    for one in surplus:
        if spots is not None:
            break
        if shrink.allowed(state, world, gang, one, pool, amounts):
            left = shrink.core(state, world, one)
            if left != state.held[one].counts:
                shrunk[one] = left
                state.cut(world, one, left)
                spots = _fits(state, world, gang, pool, amounts)
    lacks, looks = _lacks(world, pool, amounts), 0
    for victim in map(int, candidates):
        if spots is not None or looks == PLACES:
            break
        if rights.allowed(state, world, gang, victim, pool, amounts):  # with what is left of it
            if victim in shrunk:
                state.uncut(world, victim, shrunk.pop(victim), state.held[victim].counts)
            state.release(world, victim)
            victims.append(victim)
            lacks -= state.held[victim].amounts
            if (lacks <= 0).all() and state.refusal(world.tree, gang, pool, amounts) is None:
                spots = seat(state, world.ledger, gang, state.ask(gang).least, pool)
                looks += 1
        else:
            denied.append(victim)
    if spots is None:
        return _Tried(None, tuple(denied))
    for victim in list(reversed(victims)):
        spared = _spare(state, world, gang, pool, amounts, spots, victim)
        if spared is not None:
            spots = spared
            victims.remove(victim)
    within = [v for v in victims if not _fair(state, world, gang, pool, amounts, v)]
    if within and not more:
        return _Tried(None, tuple(denied))
    if within:  # others took what their queue was above its right: do without these
        rest = candidates[~np.isin(candidates, within)]
        return _try(state, gang, pool, surplus, rest, more - 1)
    for one in list(reversed(shrunk)):
        spots = _regrow(state, world, gang, pool, amounts, spots, one, shrunk)
    return _Tried(Proposal(pool, tuple(victims), shrunk, spots, amounts, world), tuple(denied))


def _lacks(world: World, pool: int, amounts: Ints) -> Ints:
    """What the free capacity of a pool, all nodes together, is short of a gang, by resource."""
    free = world.ledger.free[world.ledger.nodes.pool == pool]
    short: Ints = amounts - np.maximum(free, 0).sum(axis=0)
    return short


def _fair(state: State, world: World, gang: int, pool: int, amounts: Ints, victim: int) -> bool:
    """Whether a victim would be above its queue's right even if it were the only one to stay."""
    held = state.held[victim]
    state.count(world.tree, victim, held.pool, held.amounts)
    fair = rights.allowed(state, world, gang, victim, pool, amounts)
    state.count(world.tree, victim, held.pool, -held.amounts)
    return fair


def _regrow(
    state: State, world: World, gang: int, pool: int, amounts: Ints, spots: Spots, one: int,
    shrunk: dict[int, tuple[int, ...]],
) -> Spots:  # fmt: skip
    """Give a gang that shrinks as many of its ranks back as the newcomer can spare."""
    sets, had = state.ask(gang).sets, state.held[one].counts
    low, high = 0, max(h - n for h, n in zip(had, shrunk[one], strict=True))
    kept = shrunk[one]
    while low < high:  # `low` further ranks fit, more than `high` do not
        more = (low + high + 1) // 2
        upto = tuple(min(n + more, h) for n, h in zip(kept, had, strict=True))
        place.undo(world.ledger, sets, spots)
        state.uncut(world, one, shrunk[one], upto)
        again = _fits(state, world, gang, pool, amounts)
        if again is None:
            state.uncut_back(world, one, shrunk[one], upto)
            place.redo(world.ledger, sets, spots)
            high = more - 1
        else:
            spots, shrunk[one], low = again, upto, more
    if shrunk[one] == had:
        del shrunk[one]
    return spots


def _fits(state: State, world: World, gang: int, pool: int, amounts: Ints) -> Spots | None:
    """The gang's places in a world (booked there), or None."""
    if state.refusal(world.tree, gang, pool, amounts) is not None:
        return None
    return seat(state, world.ledger, gang, state.ask(gang).least, pool)


def _spare(
    state: State, world: World, gang: int, pool: int, amounts: Ints, spots: Spots, victim: int
) -> Spots | None:
    """Put a victim back and place the gang again; None (and nothing changed) if that fails."""
    sets = state.ask(gang).sets
    place.undo(world.ledger, sets, spots)
    state.restore(world, victim)
    again = _fits(state, world, gang, pool, amounts)
    if again is None:
        state.release(world, victim)
        place.redo(world.ledger, sets, spots)
    return again


def _candidates(state: State, gang: int, pool: int, amounts: Ints) -> Ints:
    """Those who may be pushed out, the first to go first."""
    gangs = state.snapshot.gangs
    if not gangs.preempts[gang]:
        return ints(())
    rows = state.movable(pool)
    open_ = rights.open_to(state, state.soon(), gang, rows, pool, amounts)
    if not some(open_):
        return ints(())
    order = rights.cheapest(state, gang, pool, open_)
    found: Ints = order[~state.going()[order]]
    return found
