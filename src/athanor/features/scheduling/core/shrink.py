"""Whose surplus ranks may go before anybody is preempted: those that elastic gangs grew into.

What a gang has beyond its least is taken back for whoever would wait otherwise: in its own queue
for everyone of no lower priority, in others for everyone whose claim is as good as that by which
its queue holds what it has. What a queue holds by its guarantee is never taken.
"""

from __future__ import annotations

from athanor.features.scheduling.core import rights
from athanor.features.scheduling.core.quota import GUARANTEED
from athanor.features.scheduling.core.snapshot import UNSET, Resize
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints


def candidates(state: State, gang: int, pool: int, amounts: Ints) -> list[int]:
    """Gangs of the pool that have ranks to spare, those first that lose least by it."""
    gangs = state.snapshot.gangs
    if not gangs.preempts[gang] or not gangs.resize.any():
        return []
    found = [
        g
        for g, held in state.held.items()
        if held.pool == pool
        and gangs.resize[g] != Resize.NEVER
        and g not in state.leaving | state.released | state.outlived | state.busy
        and gangs.preemptible[g]
        and gangs.queue[g] != UNSET
        and any(have > least for have, least in zip(held.counts, state.ask(g).least, strict=True))
        and (gangs.resize[g] == Resize.LIVE or not rights.protected(state, g))
        and allowed(state, state.future(), gang, g, pool, amounts)
    ]
    return sorted(
        found,
        key=lambda g: (int(gangs.priority[g]), _cost(state, g), -rights.begun(state, g), -g),
    )


def allowed(state: State, world: World, gang: int, other: int, pool: int, amounts: Ints) -> bool:
    """Whether the surplus of `other` may be taken for `gang` as the world is now."""
    if rights.allowed(state, world, gang, other, pool, amounts):
        return True
    gangs, tree = state.snapshot.gangs, world.tree
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
    return rights.lost(state, gang)
