"""Phase 5, reclaim and preempt: whom to ask to go so that a gang can run, validated or not at all.

Whom a gang may push out:
- in its own queue, gangs of lower priority (if the queue's rule is LowerPriority);
- in other queues, when the gang is *entitled*: at every step from its queue up to where the two
  queues' paths meet, use with the gang stays within the guarantee (else within what is deserved),
  while the victim's side uses more than that at every step. So a victim's queue is only ever left
  with less than its right if the victim itself would not have fitted in it.
Never: gangs that are not preemptible, that run for less than their queue's minimum, or leave
already. The order is: lower priority, least device time lost (since the last checkpoint, and the
restart), youngest. The eviction is played through in a copy of the world, those that can be spared
are put back (the most valuable first), and only what then still works is proposed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import place
from athanor.features.scheduling.core.quota import BORROWED
from athanor.features.scheduling.core.snapshot import UNSET, Consent
from athanor.features.scheduling.core.spots import Spots
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints


class Proposal(NamedTuple):
    """Evicting `victims` makes room for the gang in `pool`; `world` is how it looks then."""

    pool: int
    victims: tuple[int, ...]
    spots: Spots
    amounts: Ints
    world: World


def propose(state: State, gang: int, pools: list[int]) -> Proposal | None:
    """The first pool where evictions let the gang start (victims may be none: all leave already).

    The least the gang can start with is what others have to make room for.
    """
    for pool in pools:
        found = _in_pool(state, gang, pool)
        if found is not None:
            return found
    return None


def lost(state: State, gang: int) -> float:
    """Device-seconds (or core-seconds) that evicting a gang throws away."""
    gangs = state.snapshot.gangs
    known = [t for t in (float(gangs.saved[gang]), float(gangs.started[gang])) if not np.isnan(t)]
    since = max(known, default=state.time)
    amounts = state.held[gang].amounts
    kinds = [state.snapshot.resources.index(k) for k in state.snapshot.device_kinds]
    devices = float(amounts[kinds].sum()) / 1000.0 if kinds else 0.0
    size = devices if devices else float(amounts.max(initial=0)) / 1e6
    return size * (max(state.time - since, 0.0) + float(gangs.restart_cost[gang]))


def _in_pool(state: State, gang: int, pool: int) -> Proposal | None:
    ask = state.ask(gang)
    amounts = ask.amounts(ask.least)
    future = state.future()
    candidates = _candidates(state, gang, pool, amounts)
    if not candidates and not state.leaving and not state.released:
        return None
    world = future.fork()
    victims: list[int] = []
    spots = _fits(state, world, gang, pool, amounts)
    for victim in candidates:
        if spots is not None or len(victims) == state.policy.max_evictions:
            break
        if _allowed(state, world, gang, victim, pool, amounts):
            state.release(world, victim)
            victims.append(victim)
            spots = _fits(state, world, gang, pool, amounts)
    if spots is None:
        return None
    for victim in list(reversed(victims)):
        spared = _spare(state, world, gang, pool, amounts, spots, victim)
        if spared is not None:
            spots = spared
            victims.remove(victim)
    return Proposal(pool, tuple(victims), spots, amounts, world)


def _fits(state: State, world: World, gang: int, pool: int, amounts: Ints) -> Spots | None:
    """The gang's places in a world (booked there), or None."""
    ask = state.ask(gang)
    if state.refusal(world.tree, gang, pool, amounts) is not None:
        return None
    return place.place(
        world.ledger, ask.sets, ask.least, pool, state.levels(pool), state.inside(gang)
    )


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


def _candidates(state: State, gang: int, pool: int, amounts: Ints) -> list[int]:
    gangs, policy = state.snapshot.gangs, state.snapshot.queues
    if not gangs.preempts[gang]:
        return []
    found = []
    for g, held in state.held.items():
        if (
            held.pool != pool
            or g in state.leaving
            or g in state.released
            or not gangs.preemptible[g]
        ):
            continue
        if gangs.queue[g] == UNSET:
            continue
        started = float(gangs.started[g])
        protected = float(policy.min_runtime[gangs.queue[g]])
        if not np.isnan(started) and state.time - started < protected:
            continue
        if _allowed(state, state.future(), gang, g, pool, amounts):
            found.append(g)
    priority = gangs.priority
    return sorted(
        found, key=lambda g: (int(priority[g]), lost(state, g), -_begun(state, g), -g)
    )  # fmt: skip


def _begun(state: State, gang: int) -> float:
    started = float(state.snapshot.gangs.started[gang])
    return state.time if np.isnan(started) else started


def _allowed(state: State, world: World, gang: int, victim: int, pool: int, amounts: Ints) -> bool:
    """Whether the rules let `gang` push `victim` out as the world is now."""
    gangs, queues, tree = state.snapshot.gangs, state.snapshot.queues, world.tree
    mine, theirs = int(gangs.queue[gang]), int(gangs.queue[victim])
    lower = bool(gangs.priority[victim] < gangs.priority[gang])
    if mine == theirs:
        return lower and int(queues.within[mine]) == Consent.LOWER_PRIORITY
    reclaim = int(queues.reclaim[mine])
    if reclaim == Consent.NEVER or (reclaim == Consent.LOWER_PRIORITY and not lower):
        return False
    meet = tree.meeting(mine, theirs)
    claim = tree.tier(mine, pool, amounts, below=meet)
    if claim == BORROWED:
        return False
    return tree.over(theirs, pool, claim, meet, amounts)
