"""Budgets of queues: who has to go before one is overspent.

A gang is promised what it may cost when it starts (`quota`), so gangs that end when they said
never overspend. Those that run on beyond that go while what is left still pays for their way out.
"""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core.snapshot import UNSET, Eviction
from athanor.features.scheduling.core.state import State

LOOK = 60.0
"""Seconds in which a budget is looked at again at the latest: so much is kept back."""


def overspent(state: State) -> list[Eviction]:
    """The gangs that leave because a budget above them is spent, or would be by the next look.

    Those beyond their declared end go first; everyone once nothing is left at all.
    """
    if not state.budgeted:
        return []
    tree, names = state.now.tree, state.snapshot.queues.names
    found: dict[int, Eviction] = {}
    for q in np.flatnonzero(np.isfinite(state.snapshot.queues.budget_left)).tolist():
        mine = [g for g in state.held if q in _path(state, g)]
        late = [g for g in mine if state.ahead(g) <= 0.0]
        left = tree.budget[q] - tree.committed[q]
        soon = sum(_rate(state, g) * (LOOK + float(state.snapshot.gangs.grace[g])) for g in late)
        goes = mine if tree.budget[q] <= 0.0 else late if late and left * 3600.0 <= soon else []
        for g in goes:
            if g not in state.leaving and _rate(state, g) > 0.0:
                found.setdefault(g, _eviction(state, g, names[q]))
    for g in found:
        state.leaving.add(g)
    return list(found.values())


def _path(state: State, gang: int) -> list[int]:
    queue = int(state.snapshot.gangs.queue[gang])
    return [] if queue == UNSET else state.now.tree.path[queue]


def _rate(state: State, gang: int) -> float:
    """GPU-hours an hour."""
    held = state.held[gang]
    return state.now.tree.cost(held.pool, held.amounts, 3600.0)


def _eviction(state: State, gang: int, queue: str) -> Eviction:
    deadline = state.time + float(state.snapshot.gangs.grace[gang])
    text = f"the budget of queue {queue} is spent"
    return Eviction(gang=gang, by=UNSET, reason="BudgetSpent", message=text, deadline=deadline)
