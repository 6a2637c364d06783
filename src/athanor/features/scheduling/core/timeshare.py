"""The policy `timeshare`: everyone in one order, running or not; who stands behind makes way.

For clusters that stop and resume gangs at little cost. All gangs are ranked anew in each cycle:
1. priority;
2. *critical* gangs, longest first: those whose expected rest is longer than all the work there is
   would take on the whole cluster (with a margin where the rest is not known). Only they decide
   when the last one ends;
3. the others by the chance of an end per second of running (Gittins index over what is learned,
   `core.lifetimes`; shortest rest first where the rest is known), divided by their size: in
   device-seconds where nobody says how long it runs (Tiresias' 2D order, NSDI 2019). Gangs that
   declare their runtime gain by waiting long for their length (response ratio, the more the fewer
   wait), and their size counts the less the fewer wait (`contention`): else a stream of small
   ones would starve large ones of a fair finish (Themis, NSDI 2020).
Within their queues' guarantees gangs go first; limits, reservations and topology hold as ever. A
gang that may start beside those that run pushes nobody out. Each runs for a turn before it makes
way: the policy's `turn`, or ten times what its restart costs where that is less; and its queue's
minimum. Those that are not preemptible never make way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu, place
from athanor.features.scheduling.core.ledger import Ledger
from athanor.features.scheduling.core.lifetimes import Outlook, capacity, sizes
from athanor.features.scheduling.core.quota import BORROWED
from athanor.features.scheduling.core.seat import seat
from athanor.features.scheduling.core.snapshot import UNSET, GangState
from athanor.features.scheduling.core.spots import SetAsk, Spot, Spots
from athanor.features.scheduling.core.start import Barred, Started
from athanor.features.scheduling.core.state import State, World
from athanor.features.scheduling.core.table import Floats, Ints
from athanor.features.scheduling.core.why import Code

MARGIN, GUESS = 1.1, 2.0
"""A declared runtime, and a rest that was only learned, may turn out so many times as long when it
decides what is critical: who begins too late ends alone on an idle cluster."""
WORTH_IT = 10.0
"""A gang runs so many times as long as its restart costs before it makes way."""


class Turn(NamedTuple):
    """`starts` at once; `waits` for places that victims leave; `victims`: each by which gang."""

    starts: list[tuple[int, Started]]
    waits: list[tuple[int, Started]]
    victims: dict[int, int]
    barred: dict[int, list[Barred]]


def ranks(state: State, gangs: Ints) -> Ints:
    """The gangs in the order in which they get their places."""
    s, outlook = state.snapshot, Outlook(state.snapshot, state.time)
    size, whole = sizes(s), max(capacity(s), 1.0)
    everyone = np.union1d(gangs, np.array(list(state.held), dtype=np.int64))
    crowd = max(float(size[everyone].sum()) / whole, 1.0)
    drain = float((outlook.left[everyone] * size[everyone]).sum()) / whole
    left = outlook.left[gangs]
    exact, declared = ~np.isnan(s.gangs.remaining[gangs]), outlook.declared[gangs]
    late = np.where(exact, 1.0, np.where(declared, MARGIN, GUESS)) * left
    critical = late >= drain + (late - left) * size[gangs] / whole
    worth = _worth(state, outlook, size, crowd)[gangs]
    second = np.where(critical, -left, -worth)
    order = np.lexsort((gangs, s.gangs.created[gangs], second, ~critical, -s.gangs.priority[gangs]))
    found: Ints = gangs[order]
    return found


def _worth(state: State, outlook: Outlook, size: Floats, crowd: float) -> Floats:
    """What a place is worth to a gang; `crowd` is all that is asked for, in clusters."""
    gangs = state.snapshot.gangs
    waited = np.maximum(state.time - gangs.created, 0.0)
    ratio = np.maximum((waited + outlook.left) / np.maximum(outlook.whole, 1e-9), 1.0)
    told = outlook.told
    by_size = np.where(told, (crowd - 1.0) / (crowd + 1.0), 1.0)
    by_ratio = np.where(told, 1.0 / crowd, 0.0)
    found: Floats = outlook.rate * ratio**by_ratio / np.maximum(size, 1.0) ** by_size
    return found


def turn(state: State, waiting: Ints, pools: Callable[[int], Sequence[int]]) -> Turn:
    """Who has which place from now on. Books what starts in the world of now."""
    return _Turn(state, pools).run(waiting)


class _Turn:
    """`ideal` has those that keep or get a place, `full` also those not yet come to."""

    def __init__(self, state: State, pools: Callable[[int], Sequence[int]]) -> None:
        self.state, self.pools = state, pools
        self.movable = {g for g in state.held if self._may_go(g)}
        self.full: World = state.future().fork()
        self.ideal = self.full.fork()
        for g in sorted(self.movable):
            state.release(self.ideal, g)
        self.there: dict[int, set[int]] = {}
        for g in self.movable:
            for n in _nodes(state.held[g].spots):
                self.there.setdefault(n, set()).add(g)
        self.kept: set[int] = set()
        self.gets: list[tuple[int, Started]] = []
        self.pushed: dict[int, int] = {}
        self.failed: dict[tuple[int, int, int, bool], list[Barred]] = {}
        self.barred: dict[int, list[Barred]] = {}

    def _may_go(self, g: int) -> bool:
        s, now = self.state.snapshot, self.state.time
        queue, began = int(s.gangs.queue[g]), float(s.gangs.started[g])
        if s.gangs.state[g] != GangState.RUNNING or not s.gangs.preemptible[g] or queue == UNSET:
            return False
        cost, turn = float(s.gangs.restart_cost[g]), self.state.policy.turn
        turn = min(turn, WORTH_IT * cost) if cost > 0 else turn
        least = max(turn, float(s.queues.min_runtime[queue]))
        return g not in self.state.busy and not now - began < least

    def run(self, waiting: Ints) -> Turn:
        """Everyone in order: those inside their queue's right first, then the others."""
        movable = np.array(sorted(self.movable), dtype=np.int64)
        later = ranks(self.state, np.concatenate([waiting, movable])).tolist()
        if self.ideal.tree.covered.any():
            later = [g for g in later if not (self._entitled(g) and self._consider(g))]
        for g in later:
            self._consider(g)
        return self._result()

    def _entitled(self, g: int) -> bool:
        """Whether the gang is within its queue's right beside those that have a place."""
        if g in self.state.held:
            held = self.state.held[g]
            pool, amounts = held.pool, held.amounts
        else:
            ask, mine = self.state.ask(g), self.pools(g)
            if not mine:
                return False
            pool, amounts = mine[0], ask.amounts(ask.least)
        queue = int(self.state.snapshot.gangs.queue[g])
        return self.ideal.tree.tier(queue, pool, amounts) != BORROWED

    def _consider(self, g: int) -> bool:
        """Keep a running gang where it is, or find a place; False: there is none."""
        gangs = self.state.snapshot.gangs
        key = (
            int(gangs.queue[g]), int(gangs.klass[g]), int(gangs.user[g]),
            bool(gangs.preemptible[g]),
        )  # fmt: skip
        if g in self.movable:
            return self._keep(g) or (key not in self.failed and self._settle(g, key, moving=True))
        if key in self.failed:
            self.barred[g] = self.failed[key]
            return False
        return self._settle(g, key, moving=False)

    def _keep(self, g: int) -> bool:
        state, held = self.state, self.state.held[g]
        if g in self.pushed:
            return False
        refusal = state.refusal(self.ideal.tree, g, held.pool, held.amounts)
        if refusal is not None and self.gets:
            self._leave(g, self.gets[-1][0])
            return False
        if not take_back(self.ideal.ledger, state.ask(g).sets, held.spots):
            return False
        state.count(self.ideal.tree, g, held.pool, held.amounts)
        self.kept.add(g)
        return True

    def _leave(self, g: int, by: int) -> None:
        self.pushed[g] = by
        self.state.release(self.full, g)

    def _settle(self, g: int, key: tuple[int, int, int, bool], *, moving: bool) -> bool:
        """A place beside all that run, else one that those behind in the order make free."""
        tried: list[Barred] = []
        for pool in self.pools(g):
            barred: Barred | None = None
            for world, other in ((self.full, self.ideal), (self.ideal, self.full)):
                found = self._place(g, pool, world)
                if isinstance(found, Started):
                    self._make_way(g, found, other)
                    if not moving:
                        self.gets.append((g, found))
                    return True
                barred = found
            if barred is not None:
                tried.append(barred)
        self.failed[key] = tried
        if not moving:
            self.barred[g] = tried
        return False

    def _place(self, g: int, pool: int, world: World) -> Started | Barred:
        state, ask = self.state, self.state.ask(g)
        for counts in dict.fromkeys((ask.full, ask.least)):
            amounts = ask.amounts(counts)
            refusal = state.refusal(world.tree, g, pool, amounts)
            if refusal is not None:
                barred = Barred(pool, refusal.code, refusal)
                continue
            spots = seat(state, world.ledger, g, counts, pool)
            if spots is not None:
                state.count(world.tree, g, pool, amounts)
                return Started(pool, spots, amounts)
            barred = Barred(pool, Code.NO_CAPACITY)
        return barred

    def _make_way(self, g: int, found: Started, other: World) -> None:
        """Book the place in the other world too; who stands on it there is pushed out of it."""
        state, sets = self.state, self.state.ask(g).sets
        if other is self.full:
            near = set().union(*(self.there.get(n, set()) for n in _nodes(found.spots)))
            for one in sorted(near - self.kept - self.pushed.keys()):
                held, theirs = state.held[one], state.ask(one).sets
                if take_back(self.ideal.ledger, theirs, held.spots):
                    place.undo(self.ideal.ledger, theirs, held.spots)
                else:
                    self._leave(one, g)
        place.force(other.ledger, sets, found.spots)
        state.count(other.tree, g, found.pool, found.amounts)

    def _result(self) -> Turn:
        state = self.state
        starts, waits = [], []
        for g, found in self.gets:
            sets, now = state.ask(g).sets, state.now
            refused = state.refusal(now.tree, g, found.pool, found.amounts) is not None
            if refused or not take_back(now.ledger, sets, found.spots):
                waits.append((g, found))
                continue
            state.count(now.tree, g, found.pool, found.amounts)
            starts.append((g, found))
        return Turn(starts, waits, self.pushed, self.barred)


def take_back(ledger: Ledger, sets: Sequence[SetAsk], spots: Spots) -> bool:
    """Take these very places if all of them are free; else take none."""
    taken: list[tuple[SetAsk, Spot]] = []
    for ask, places in zip(sets, spots, strict=True):
        for spot in places:
            if not _free(ledger, ask, spot.node, spot.devices, spot.slot):
                for done, at in reversed(taken):
                    ledger.give(at.node, done.shape, at.devices, at.slot)
                return False
            ledger.take(spot.node, ask.shape, spot.devices, spot.slot)
            taken.append((ask, spot))
    return True


def _free(ledger: Ledger, ask: SetAsk, node: int, devices: int, slot: int) -> bool:
    shape = ask.shape
    want = shape.devices
    asked = np.array(shape.request)
    if not ledger.open[node] or (ledger.free[node] < asked).any():
        return False
    for d in range(devices.bit_length()):
        if not devices >> d & 1:
            continue
        if want.slots:
            mask = ((1 << want.slots) - 1) << slot
            whole = ledger.milli[node, d] == gpu.WHOLE
            if int(ledger.cut[node, d]) & mask or not (whole or ledger.cut[node, d]):
                return False
        elif ledger.milli[node, d] < want.milli or ledger.mib[node, d] < want.mib:
            return False
    return True


def _nodes(spots: Spots) -> set[int]:
    return {spot.node for places in spots for spot in places}
