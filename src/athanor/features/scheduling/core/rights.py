"""Who may push whom out, and what that costs: the rules of reclaim and preemption."""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core.quota import BORROWED, Tree
from athanor.features.scheduling.core.snapshot import UNSET, Consent
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Bools, Floats, Ints

SLIGHT = 600.0
"""Device-seconds: who loses less than this by an eviction loses next to nothing."""


def lost(state: State, rows: Ints) -> Floats:
    """Device-seconds (or core-seconds) that evicting each of these running gangs throws away."""
    return _lost_and_served(state, rows)[0]


def _lost_and_served(state: State, rows: Ints) -> tuple[Floats, Floats]:
    """What an eviction throws away of each gang, and what it has had since it started, in
    device-seconds (or core-seconds)."""
    gangs = state.snapshot.gangs
    started = gangs.started[rows]
    since = np.fmax(gangs.saved[rows], started)
    unsaved, ran = (
        np.maximum(state.time - np.where(np.isnan(at), state.time, at), 0.0)
        for at in (since, started)
    )
    amounts = np.array([state.held[g].amounts for g in rows.tolist()], dtype=np.int64)
    kinds = [state.snapshot.resources.index(k) for k in state.snapshot.device_kinds]
    devices = amounts[:, kinds].sum(axis=1) / 1000.0
    cores = [r for r, name in enumerate(state.snapshot.resources) if name == "cpu"]
    size = np.where(devices > 0, devices, amounts[:, cores].sum(axis=1) / 1000.0)
    return size * (unsaved + gangs.restart_cost[rows]), size * ran


def cheapest(state: State, gang: int, pool: int, open_: Bools) -> Ints:
    """Those of the pool's movable gangs that are marked, the first to go for `gang` first: lower
    priority, least lost; where that is about equal, longest served (who had its devices for long
    will most likely hold them for long, and is the next to be served again), of the queue that
    borrows most, youngest.

    What each loses and has had is asked for once a cycle, and who goes first once as long as the
    same ones are marked and no queue overtakes another in what it borrows.
    """
    rows, gangs = state.movable(pool), state.snapshot.gangs
    marked = pool, open_.tobytes()
    if marked not in state.sides:
        some = rows[open_]
        queues, of = np.unique(gangs.queue[some], return_inverse=True)
        state.sides[marked] = some, queues.tolist(), of.reshape(-1)
    some, sides, of = state.sides[marked]
    lent = np.array([borrowed(state, gang, pool, q) for q in sides])
    rank: Ints = np.unique(lent, return_inverse=True)[1].reshape(-1)
    known = state.orders.get((marked, rank.tobytes()))
    if known is None:
        if pool not in state.losses:
            state.losses[pool] = _lost_and_served(state, rows)
        losses, served = (one[open_] for one in state.losses[pool])
        began = np.where(np.isnan(gangs.started[some]), state.time, gangs.started[some])
        keys = (
            -some, -began, losses, -rank[of], -about(served), about(losses), gangs.priority[some],
        )  # fmt: skip
        known = state.orders[marked, rank.tobytes()] = some[np.lexsort(keys)]
    return known


def about(seconds: Floats) -> Ints:
    """Device-seconds in classes that count as equal: slight ones, then each factor of two."""
    found: Ints = np.floor(np.log2(np.maximum(2.0 * seconds / SLIGHT, 1.0))).astype(np.int64)
    return found


def borrowed(state: State, gang: int, pool: int, queue: int) -> float:
    """The part of a pool that a queue's side of the tree, seen from a gang's queue, uses beyond its
    guarantee, by the side's weight; 0 for the gang's own queue."""
    tree, mine = state.soon().tree, int(state.snapshot.gangs.queue[gang])
    meet = tree.meeting(mine, queue)
    if meet == queue:
        return 0.0
    path = tree.path[queue]
    side = path[path.index(meet) - 1] if meet != UNSET else path[-1]
    some = tree.covered[pool] & (tree.capacity[pool] > 0)
    over = (tree.use[side, pool] - tree.guaranteed[side, pool])[some] / tree.capacity[pool][some]
    return float(over.max(initial=0.0)) / float(state.shares.weight[side])


def begun(state: State, gang: int) -> float:
    """Since when a gang runs."""
    started = float(state.snapshot.gangs.started[gang])
    return state.time if np.isnan(started) else started


def protected(state: State, gang: int) -> bool:
    """Whether a gang runs for less than its queue lets everyone run."""
    queue, started = (
        int(state.snapshot.gangs.queue[gang]),
        float(state.snapshot.gangs.started[gang]),
    )
    if queue == UNSET or np.isnan(started):
        return False
    return bool(state.time - started < float(state.snapshot.queues.min_runtime[queue]))


def claimed(
    state: State, tree: Tree, gang: int, pool: int, counts: tuple[int, ...]
) -> tuple[int, ...]:
    """The largest size up to `counts` that the claim of the gang's least still covers.

    The gang itself is not counted in the tree. More than that would be taken from those whose claim
    is better, and they would reclaim it a moment later.
    """
    ask, queue = state.ask(gang), int(state.snapshot.gangs.queue[gang])
    if counts == ask.least or queue == UNSET:
        return counts
    claim = tree.tier(queue, pool, ask.amounts(ask.least))
    if claim == BORROWED or tree.tier(queue, pool, ask.amounts(counts)) == claim:
        return counts
    low, high = 0, max(m - n for m, n in zip(counts, ask.least, strict=True))
    while high - low > 1:  # `low` further ranks are covered, `high` are not
        middle = (low + high) // 2
        size = beyond(ask.least, middle, counts)
        if tree.tier(queue, pool, ask.amounts(size)) == claim:
            low = middle
        else:
            high = middle
    return beyond(ask.least, low, counts)


def beyond(least: tuple[int, ...], more: int, most: tuple[int, ...]) -> tuple[int, ...]:
    """The least size with up to `more` further pods a set, `most` of each at most."""
    return tuple(min(n + more, m) for n, m in zip(least, most, strict=True))


def allowed(state: State, world: World, gang: int, victim: int, pool: int, amounts: Ints) -> bool:
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


def open_to(
    state: State, world: World, gang: int, rows: Ints, pool: int, amounts: Ints
) -> Bools:  # fmt: skip
    """Which of these running gangs `gang` is `allowed` to push out: the same rules, all at once."""
    gangs, queues, tree = state.snapshot.gangs, state.snapshot.queues, world.tree
    mine, theirs = int(gangs.queue[gang]), gangs.queue[rows]
    lower = gangs.priority[rows] < gangs.priority[gang]
    own = theirs == mine
    within: Bools = own & lower & (int(queues.within[mine]) == Consent.LOWER_PRIORITY)
    reclaim = int(queues.reclaim[mine])
    if reclaim == Consent.NEVER:
        return within
    others = tree.reclaimable(mine, pool, amounts)
    if others is None:
        return within
    reached: Bools = ~own & others[theirs]
    if reclaim == Consent.LOWER_PRIORITY:
        reached &= lower
    within |= reached
    return within
