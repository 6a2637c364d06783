"""Whether a gang has no place whoever may be asked to go: what makes a "no" of preempt a proof.

Who goes may bring others within their queue's right, so which of them go matters, and preempt
tries a few choices only. That none of them made room is a proof where more than any choice would
not do either: without all who are open to the gang, even once those of its own queue have gone,
or with as much as the rules let go of each queue.
"""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core import rights
from athanor.features.scheduling.core.quota import GUARANTEED
from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Ints


def hopeless(state: State, gang: int, pool: int, amounts: Ints) -> bool:
    """Whether that nobody was found to ask is a proof; asked for after `preempt` found nobody."""
    gangs, world, going = state.snapshot.gangs, state.soon().fork(), state.going()
    rows = state.movable(pool)
    rows = rows[~going[rows]]
    own = gangs.queue[rows] == gangs.queue[gang]
    mine = rows[own & rights.open_to(state, world, gang, rows, pool, amounts)]
    state.release_all(world, mine)
    theirs = rows[~own & rights.open_to(state, world, gang, rows, pool, amounts)]
    gone = {*mine.tolist(), *theirs.tolist()}
    surplus = [g for g in state.loose if state.held[g].pool == pool and g not in gone
               and gangs.preemptible[g] and not going[g]]  # fmt: skip
    if not surplus and (_at_most(state, world, gang, pool, amounts, theirs) < amounts).any():
        return True
    state.release_all(world, theirs)
    for one in surplus:
        state.cut(world, one, state.ask(one).least)
    if state.refusal(world.tree, gang, pool, amounts) is not None:
        return True
    before = world.ledger.gave_up[0]
    spots = seat(state, world.ledger, gang, state.ask(gang).least, pool)
    return spots is None and world.ledger.gave_up[0] == before


def _at_most(
    state: State, world: World, gang: int, pool: int, amounts: Ints, theirs: Ints
) -> Ints:  # fmt: skip
    """What the pool has free at most, all nodes together, when of `theirs` some go.

    Each of them is above its queue's right although the others have gone. Where a right is of one
    resource, the others have at most brought the queue down to just above it.
    """
    ledger, tree, queues = world.ledger, world.tree, state.snapshot.gangs.queue
    free: Ints = np.maximum(ledger.free[ledger.nodes.pool == pool], 0).sum(axis=0)
    mine = int(queues[gang])
    asked = np.flatnonzero((tree.priced(pool, amounts) > 0) & tree.covered[pool])
    for queue in np.unique(queues[theirs]).tolist():
        sizes = np.array([state.held[g].amounts for g in theirs[queues[theirs] == queue].tolist()])
        freed = sizes.sum(axis=0)
        if len(asked) == 1 and not tree.derives[pool]:
            claim = tree.tier(mine, pool, amounts, below=tree.meeting(mine, queue))
            right = tree.guaranteed if claim == GUARANTEED else tree.deserved
            above = int(tree.use[queue, pool, asked[0]] - right[queue, pool, asked[0]])
            most = above - 1 + int(sizes[:, asked[0]].max())
            freed[asked[0]] = min(int(freed[asked[0]]), most)
        free += freed
    return free
