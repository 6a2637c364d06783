"""Whose surplus ranks may go before anybody is preempted: those that elastic gangs grew into.

What a gang has beyond its least is taken back for whoever would wait otherwise: in its own queue
for everyone of no lower priority, in others for everyone whose claim is as good as that by which
its queue holds what it has. What a queue holds by its guarantee is never taken.

An elastic gang that cannot shrink now (it is starting, or never resizes) has to start again
smaller. It will be in line by the claim of its least, before those whose claim is worse; so only
what that claim does not cover is taken from it, and only for whom it may be pushed out.
"""

from __future__ import annotations

from athanor.features.scheduling.core import rights
from athanor.features.scheduling.core.quota import GUARANTEED
from athanor.features.scheduling.core.snapshot import UNSET, Resize
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints, ints


def candidates(state: State, gang: int, pool: int, amounts: Ints) -> list[int]:
    """Gangs of the pool that have ranks to spare, those first that lose least by it."""
    gangs = state.snapshot.gangs
    if not gangs.preempts[gang]:
        return []
    found = [
        g
        for g in state.loose
        if state.held[g].pool == pool
        and g not in state.leaving | state.released | state.outlived | state.busy
        and gangs.preemptible[g]
        and gangs.queue[g] != UNSET
        and (gangs.resize[g] == Resize.LIVE or not rights.protected(state, g))
        and allowed(state, state.soon(), gang, g, pool, amounts)
    ]
    return sorted(
        found,
        key=lambda g: (
            int(gangs.priority[g]),
            _cost(state, g),
            -rights.borrowed(state, gang, pool, int(gangs.queue[g])),
            -rights.begun(state, g),
            -g,
        ),
    )


def core(state: State, world: World, gang: int) -> tuple[int, ...]:
    """What nobody takes of an elastic gang that runs in the world without pushing it out whole."""
    held, ask = state.held[gang], state.ask(gang)
    if state.snapshot.gangs.resize[gang] != Resize.NEVER or held.counts == ask.least:
        return ask.least
    amounts = held.amounts
    state.count(world.tree, gang, held.pool, -amounts)
    found = rights.claimed(state, world.tree, gang, held.pool, held.counts)
    state.count(world.tree, gang, held.pool, amounts)
    return found


def allowed(state: State, world: World, gang: int, other: int, pool: int, amounts: Ints) -> bool:
    """Whether the surplus of `other` may be taken for `gang` as the world is now."""
    if rights.allowed(state, world, gang, other, pool, amounts):
        return True
    gangs, tree = state.snapshot.gangs, world.tree
    if gangs.resize[other] == Resize.NEVER:
        return False
    mine, theirs = int(gangs.queue[gang]), int(gangs.queue[other])
    if mine == theirs:
        return bool(gangs.priority[other] <= gangs.priority[gang])
    meet = tree.meeting(mine, theirs)
    holds = tree.standing(theirs, pool, amounts, below=meet)
    return holds != GUARANTEED and tree.tier(mine, pool, amounts, below=meet) <= holds


def _cost(state: State, gang: int) -> float:
    """What is lost: nothing where ranks may come and go."""
    if state.snapshot.gangs.resize[gang] == Resize.LIVE:
        return 0.0
    return float(rights.lost(state, ints((gang,)))[0])
