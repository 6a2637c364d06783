"""Phases 0 and 6: ranks that lost their node get another; elastic gangs grow into what is idle.

Repair comes before everything: free nodes first, then spares (Reservations of them), near the
ranks that run on. A gang for which there is no place goes back in line. Growth comes last: only
what nobody in line can use now and nothing is promised of, never beyond a quota. Those that start
now come first, then those that run, and of these a gang whose ranks all start again for it only
when that pays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from athanor.features.scheduling.core import place
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Eviction,
    GangState,
    Move,
    Placed,
    QueueState,
    Resize,
)
from athanor.features.scheduling.core.spots import SetAsk, Spot, Spots
from athanor.features.scheduling.core.start import Started
from athanor.features.scheduling.core.state import Ask, Held, State
from athanor.features.scheduling.core.table import Bools, ints, smalls
from athanor.features.scheduling.core.topology import Near


def repair(state: State) -> tuple[list[Move], list[Eviction]]:
    """New places for lost ranks; whoever finds none is told to go."""
    moves: list[Move] = []
    evictions: list[Eviction] = []
    for gang, lost in _lost(state).items():
        if gang in state.leaving:
            continue
        name = "rank" if sum(map(len, lost.values())) == 1 else "ranks"
        count = f"{sum(map(len, lost.values()))} {name} that lost a node"
        found = _repaired(state, gang, lost)
        state.busy.add(gang)
        if found is not None:
            moves.append(_move(state, gang, found, "Replaced", f"another place for {count}"))
            continue
        deadline = state.time + float(state.snapshot.gangs.grace[gang])
        text = f"no other place for {count}"
        evictions.append(
            Eviction(gang=gang, by=UNSET, reason="NodeLost", message=text, deadline=deadline)
        )
        if gang in state.held:
            state.leaving.add(gang)
    return moves, evictions


def _lost(state: State) -> dict[int, dict[int, list[int]]]:
    """Gang → pod set → ranks without a node."""
    found: dict[int, dict[int, list[int]]] = {}
    table = state.snapshot.lost
    for g, row, rank in zip(
        table.gang.tolist(), table.pod_set.tolist(), table.rank.tolist(), strict=True
    ):
        found.setdefault(g, {}).setdefault(row, []).append(rank)
    return found


def _repaired(state: State, gang: int, lost: dict[int, list[int]]) -> Held | None:
    """All places of the gang with new ones for the lost ranks, booked; None if there are none."""
    ask, pool = state.ask(gang), int(state.snapshot.gangs.pool[gang])
    kept = _by_rank(state, gang)
    if pool == UNSET or len(ask.sets) != len(kept):
        return None
    ledger = state.now.ledger
    done: list[tuple[SetAsk, Spots]] = []
    for i, one in enumerate(ask.sets):
        for ranks, inside in _groups(state, gang, one, kept, sorted(lost.get(one.row, []))):
            alone = one._replace(near=_still(one.near, kept[i].values()))
            spots = None
            for spares in (False, True):
                nodes = _both(inside, state.inside(gang, spares=spares))
                spots = place.place(
                    ledger, (alone,), (len(ranks),), pool, state.levels(pool), nodes
                )
                if spots is not None:
                    break
            if spots is None:
                for earlier, taken in reversed(done):
                    place.undo(ledger, (earlier,), taken)
                return None
            done.append((alone, spots))
            kept[i].update(zip(ranks, spots[0], strict=True))
    whole = tuple(tuple(spots[rank] for rank in sorted(spots)) for spots in kept)
    counts = tuple(len(spots) for spots in whole)
    before = state.held.get(gang)
    amounts = ask.amounts(counts)
    state.count(state.now.tree, gang, pool, amounts - (before.amounts if before else 0))
    held = Held(pool, counts, whole, amounts)
    state.hold(gang, held)
    return held


def _by_rank(state: State, gang: int) -> list[dict[int, Spot]]:
    """The places of the ranks that run on, a set each."""
    running = state.snapshot.running
    sets = {one.row: i for i, one in enumerate(state.ask(gang).sets)}
    found: list[dict[int, Spot]] = [{} for _ in sets]
    for a in np.flatnonzero(running.gang == gang).tolist():
        spot = Spot(int(running.node[a]), int(running.devices[a]), int(running.slot[a]))
        found[sets[int(running.pod_set[a])]][int(running.rank[a])] = spot
    return found


def _groups(
    state: State, gang: int, one: SetAsk, kept: Sequence[dict[int, Spot]], ranks: list[int]
) -> Iterator[tuple[list[int], Bools | None]]:
    """Lost ranks of a set that go to the same domain, and the nodes of that domain (None: any)."""
    near, size = one.near, one.near.slice_size
    mine = kept[[s.row for s in state.ask(gang).sets].index(one.row)]
    slices: dict[int, list[int]] = {}
    for rank in ranks:
        slices.setdefault(rank // size if size else 0, []).append(rank)
    for number, group in slices.items():
        nodes = _domain(state, near.required, mine.values())
        if size:
            mates = [spot for rank, spot in mine.items() if rank // size == number]
            nodes = _both(nodes, _domain(state, near.slice_level, mates))
        everyone = [spot for spots in kept for spot in spots.values()]
        within = int(state.snapshot.gangs.within[gang])
        yield group, _both(nodes, _domain(state, within, everyone))


def _still(near: Near, mates: Iterable[Spot]) -> Near:
    """What ranks that join others want, in the domains of these.

    Pods that run are counted in rules of equal spreading already, but not where each domain takes
    so many of the set and no more.
    """
    beside = tuple((spot.node, 1) for spot in mates)
    spreads = tuple(
        one if one.skew > 0 else one._replace(beside=(*one.beside, *beside)) for one in near.spreads
    )
    return Near(spreads=spreads, prefer=near.prefer)


def _domain(state: State, level: int, mates: Iterable[Spot]) -> Bools | None:
    """The nodes in the mates' domain of a level; None where it does not matter."""
    first, domains = next(iter(mates), None), state.snapshot.nodes.domains
    if level == UNSET or first is None or level >= len(domains):
        return None
    same: Bools = domains[level] == domains[level][first.node]
    return same


def _both(a: Bools | None, b: Bools | None) -> Bools | None:
    if a is None or b is None:
        return a if b is None else b
    return a & b


def grow(state: State, states: Sequence[QueueState]) -> list[Move]:
    """Elastic gangs with more ranks, the queue with the smallest share first."""
    gangs = state.snapshot.gangs
    if not gangs.resize.any():
        return []
    able = [g for g in state.held if _may_grow(state, g, states)]
    order = sorted(
        able,
        key=lambda g: (
            -int(gangs.priority[g]), state.shares.path(int(gangs.queue[g])),
            float(gangs.created[g]), g,
        ),
    )  # fmt: skip
    moves = []
    for g in order:
        had = state.held[g]
        more = _room(state, g, had)
        if more is not None and _pays(state, g, sum(map(len, more))):
            held = _grown(state, g, had, more)
            state.hold(g, held)
            text = f"grows from {sum(had.counts)} to {sum(held.counts)} ranks"
            moves.append(_move(state, g, held, "Grown", text))
    return moves


def fill(state: State, started: dict[int, Started]) -> dict[int, Started]:
    """The gangs that start, those that started small with what is idle after all."""
    found = {}
    for g, one in started.items():
        counts = tuple(map(len, one.spots))
        if counts != state.ask(g).full and not _keeps_size(state.ask(g)):
            had = Held(one.pool, counts, one.spots, one.amounts)
            more = _room(state, g, had)
            if more is not None:
                held = _grown(state, g, had, more)
                extra = held.amounts - had.amounts
                state.shares.start(int(state.snapshot.gangs.queue[g]), one.pool, extra)
                one = Started(one.pool, held.spots, held.amounts)
        found[g] = one
    return found


def _may_grow(state: State, g: int, states: Sequence[QueueState]) -> bool:
    gangs, held, ask = state.snapshot.gangs, state.held[g], state.ask(g)
    if gangs.resize[g] == Resize.NEVER or gangs.state[g] != GangState.RUNNING:
        return False
    if g in state.leaving | state.released | state.busy or gangs.queue[g] == UNSET:
        return False
    if states[int(gangs.queue[g])] != QueueState.OPEN or held.counts == ask.full:
        return False
    if _keeps_size(ask):
        return False
    if gangs.resize[g] == Resize.LIVE:
        return True
    since = np.nanmax([float(gangs.started[g]), float(gangs.resized[g]), -np.inf])
    return bool(state.time - since >= state.policy.resize_every)


def _keeps_size(ask: Ask) -> bool:
    """Whether a set is cut into slices or spread evenly: then ranks are not simply added."""
    return any(one.near.slice_size or one.near.spreads for one in ask.sets)


def _room(state: State, g: int, held: Held) -> Spots | None:
    """Places for the most further ranks that quota and idle nodes allow; None: there is none."""
    ask = state.ask(g)
    low, high = 0, max(f - n for f, n in zip(ask.full, held.counts, strict=True))
    best: Spots | None = None
    ledger = state.now.ledger if state.tight is None else state.tight
    while low < high:
        middle = (low + high + 1) // 2
        more = tuple(min(middle, f - n) for f, n in zip(ask.full, held.counts, strict=True))
        spots = _beside(state, g, held, more)
        if spots is None:
            high = middle - 1
            continue
        place.undo(ledger, ask.sets, spots)
        low, best = middle, spots
    return best


def _grown(state: State, g: int, held: Held, spots: Spots) -> Held:
    """What a gang holds with further ranks at these places, which are booked everywhere."""
    ask = state.ask(g)
    amounts = ask.amounts(tuple(map(len, spots)))
    place.redo(state.now.ledger, ask.sets, spots)
    state.count(state.now.tree, g, held.pool, amounts)
    if state.tight is not None:
        place.redo(state.tight, ask.sets, spots)
    state.book_ahead(g, held.pool, spots, amounts, lasts=True)
    whole = tuple((*old, *new) for old, new in zip(held.spots, spots, strict=True))
    return Held(held.pool, tuple(map(len, whole)), whole, held.amounts + amounts)


def _beside(state: State, g: int, held: Held, more: tuple[int, ...]) -> Spots | None:
    """Places for so many further ranks near those there are, booked in the tightest ledger."""
    ask = state.ask(g)
    amounts = ask.amounts(more)
    worlds = [state.now.tree] + ([state.later.tree] if state.later is not None else [])
    if any(state.refusal(tree, g, held.pool, amounts) is not None for tree in worlds):
        return None
    nodes = state.inside(g)
    everyone = [spot for spots in held.spots for spot in spots]
    nodes = _both(nodes, _domain(state, int(state.snapshot.gangs.within[g]), everyone))
    ledger = state.now.ledger if state.tight is None else state.tight
    found: list[tuple[Spot, ...]] = []
    for i, one in enumerate(ask.sets):
        inside = _both(nodes, _domain(state, one.near.required, held.spots[i]))
        alone = one._replace(near=Near(prefer=one.near.prefer))
        spots = place.place(
            ledger, (alone,), (more[i],), held.pool, state.levels(held.pool), inside
        )
        if spots is None:
            place.undo(ledger, ask.sets[:i], tuple(found))
            return None
        found.append(spots[0])
    return tuple(found)


def _pays(state: State, g: int, more: int) -> bool:
    """Whether a gang that starts again for it gains more than the new start costs it."""
    gangs = state.snapshot.gangs
    if gangs.resize[g] == Resize.LIVE:
        return True
    had = sum(state.held[g].counts)
    left = state.end_of(g) - state.time
    return left * more / (had + more) > float(gangs.restart_cost[g])


def _move(state: State, gang: int, held: Held, reason: str, message: str) -> Move:
    return Move(gang=gang, placed=_placed(state.ask(gang), held), reason=reason, message=message)


def _placed(ask: Ask, held: Held) -> tuple[Placed, ...]:
    return tuple(
        Placed(
            pod_set=one.row,
            nodes=smalls(spot.node for spot in spots),
            devices=ints(spot.devices for spot in spots),
            slots=smalls(spot.slot for spot in spots),
        )
        for one, spots in zip(ask.sets, held.spots, strict=True)
    )
