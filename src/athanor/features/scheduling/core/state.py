"""What the phases of one cycle share: the worlds of now and later, and what gangs ask for.

`now` is what is true; `later` is what will be once everyone who was told to go has gone, with the
promises made to blocked gangs taken out. Whoever starts now and does not end before the first
promise must fit both: `tight` is what is free in both. In `later` those have ended whose ends a
promise counts on; in `soon` nobody has, so what is freed there by evictions is free at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.ends import Leaving, expected
from athanor.features.scheduling.core.ledger import Ledger, Shape
from athanor.features.scheduling.core.lifetimes import rest
from athanor.features.scheduling.core.order import Shares
from athanor.features.scheduling.core.place import force, redo, undo
from athanor.features.scheduling.core.quota import Refusal, Tree
from athanor.features.scheduling.core.snapshot import UNSET, GangState, Policy, Snapshot
from athanor.features.scheduling.core.spots import SetAsk, Spots
from athanor.features.scheduling.core.spread import Spread
from athanor.features.scheduling.core.standing import Held, Kind, Standing, find
from athanor.features.scheduling.core.table import Bools, Floats, Ints
from athanor.features.scheduling.core.topology import Near

__all__ = ["Ask", "Held", "Kept", "State", "World", "tail"]

INF = float("inf")
SURE = 0.9
"""The part of a kind's runs that end before the time that is counted on for one that waits."""


class World(NamedTuple):
    """Capacity and quota at one moment."""

    ledger: Ledger
    tree: Tree

    def fork(self) -> World:
        """A copy to try things on."""
        return World(self.ledger.fork(), self.tree.fork())


@dataclass(frozen=True)
class Ask:
    """What gangs of one class ask for; `pools` empty: the queue's order."""

    sets: tuple[SetAsk, ...]
    pools: tuple[int, ...]

    def amounts(self, counts: tuple[int, ...]) -> Ints:
        """What so many pods of each set hold together."""
        found = self._amounts.get(counts)
        if found is None:
            found = self._amounts[counts] = np.array(counts, dtype=np.int64) @ self._requests
            found.setflags(write=False)
        return found

    @cached_property
    def _amounts(self) -> dict[tuple[int, ...], Ints]:
        return {}

    @cached_property
    def _requests(self) -> Ints:
        return np.array([one.shape.request for one in self.sets], dtype=np.int64)

    @cached_property
    def full(self) -> tuple[int, ...]:
        """All pods of every set."""
        return tuple(s.pods for s in self.sets)

    @cached_property
    def least(self) -> tuple[int, ...]:
        """The fewest pods that may start together."""
        return tuple(s.least for s in self.sets)


class Kept(NamedTuple):
    """What a cycle found running, for the next one: true while `ground` is the same."""

    ground: tuple[object, ...]
    standing: Standing
    tree: Tree
    held: dict[int, Held]
    asked: tuple[object, ...]
    asks: list[Ask]


def _ground(snapshot: Snapshot) -> tuple[object, ...]:
    """What the places and counts of running gangs are numbered by."""
    nodes = snapshot.nodes
    return (
        snapshot.queues.names, snapshot.pools.names, snapshot.resources, nodes.names,
        nodes.pool.tobytes(),
    )  # fmt: skip


def tail(held: Held, ask: Ask, counts: tuple[int, ...]) -> tuple[Spots, Ints]:
    """The places of the ranks from `counts` on, a set each, and what they hold."""
    spots = tuple(one[n:] for one, n in zip(held.spots, counts, strict=True))
    return spots, ask.amounts(tuple(len(one) for one in spots))


class State:
    """The working state of a cycle. Only the phases change it, through the methods here."""

    def __init__(
        self, snapshot: Snapshot, policy: Policy, now: float, ledger: Ledger, shapes: list[Shape],
        before: Kept | None = None,
    ) -> None:  # fmt: skip
        self.snapshot, self.policy, self.time = snapshot, policy, now
        self.shapes = shapes
        asked = snapshot.classes, snapshot.pod_sets, snapshot.shapes
        if before is not None and all(a is b for a, b in zip(before.asked, asked, strict=True)):
            self.asks = before.asks
        else:
            self.asks = [_ask(snapshot, z, shapes) for z in range(len(snapshot.classes.pools))]
        same = before if before is not None and before.ground == _ground(snapshot) else None
        tree = Tree(snapshot, same.tree if same is not None else None)
        self.now = World(ledger, tree)
        longest: list[float] = snapshot.queues.max_runtime.tolist()
        self.longest = [min(longest[q] for q in path) for path in tree.path]
        self.budgeted = bool(np.isfinite(snapshot.queues.budget_left).any())
        kinds = [_kind(ask) for ask in self.asks]
        found = find(
            snapshot, kinds, lambda z, counts: self.asks[z].amounts(counts),
            same.standing if same is not None and tree.resumed else None,
        )  # fmt: skip
        standing = found.standing
        held = before.held if before is not None and before.standing is standing else dict(
            zip(standing.rows.tolist(), standing.held.tolist(), strict=True)
        )  # fmt: skip
        self.held: dict[int, Held] = held
        if self.budgeted:
            tree.clear()
            for g, one in held.items():
                self.count(tree, g, one.pool, one.amounts)
        else:
            tree.committed = [0.0] * len(tree.committed)
            for sign, some in ((-1, found.gone), (1, found.came)):
                for gang in some:
                    tree.add(gang.queue, gang.held.pool, sign * gang.held.amounts,
                             user=gang.user, preemptible=gang.preemptible)  # fmt: skip
        self.kept = Kept(_ground(snapshot), standing, tree.fork(), held, asked, self.asks)
        self._leave = Leaving(snapshot, standing, tree)
        self.shares = Shares(snapshot, self.now.tree, policy, now)
        self.later: World | None = None
        self._soon: World | None = None
        self.tight: Ledger | None = None
        self.first_hold = INF
        self.released: set[int] = set()
        self._movable: dict[int, Ints] = {}
        self.losses: dict[int, tuple[Floats, Floats]] = {}
        self.sides: dict[tuple[int, bytes], tuple[Ints, list[int], Ints]] = {}  # see `rights`
        self.orders: dict[tuple[tuple[int, bytes], bytes], Ints] = {}
        self.outlived: set[int] = set()
        gone = np.flatnonzero(snapshot.gangs.state == GangState.LEAVING)
        self.leaving = {g for g in gone.tolist() if g in self.held}
        self.shrinking = _shrinking(snapshot, self)
        self.busy: set[int] = set(self.shrinking)
        self.unproven: set[int] = set()  # not every choice of whom they might push out was tried

    def hold(self, gang: int, held: Held) -> None:
        """A running gang has other places from now on."""
        if self.held is self.kept.held:
            self.held = dict(self.held)
        self.held[gang] = held

    def movable(self, pool: int) -> Ints:
        """Running gangs of a pool that may be preempted by their own nature; asked for after
        repair, when no gang changes its pool any more."""
        known = self._movable.get(pool)
        if known is None:
            gangs, queues = self.snapshot.gangs, self.snapshot.queues
            mine = [g for g, held in self.held.items() if held.pool == pool]
            rows = np.array(mine, dtype=np.int64)
            rows = rows[gangs.preemptible[rows] & (gangs.queue[rows] != UNSET)]
            ran = self.time - gangs.started[rows]
            known = rows[~(ran < queues.min_runtime[gangs.queue[rows]])]
            self._movable[pool] = known
        return known

    def going(self) -> Bools:
        """By row: who leaves, was told to in this cycle, or has ended or changed by its end."""
        found = np.zeros(len(self.snapshot.gangs.names), dtype=np.bool_)
        for some in (self.leaving, self.released, self.outlived, self.busy):
            found[list(some)] = True
        return found

    @cached_property
    def loose(self) -> tuple[int, ...]:
        """Running gangs with more ranks than their least; asked for after repair."""
        elastic = np.array([ask.least != ask.full for ask in self.asks], dtype=np.bool_)
        rows = np.array(list(self.held), dtype=np.int64)
        some: list[int] = rows[elastic[self.snapshot.gangs.klass[rows]]].tolist()
        return tuple(g for g in some if self.held[g].counts != self.ask(g).least)

    def ask(self, gang: int) -> Ask:
        """What a gang asks for."""
        return self.asks[int(self.snapshot.gangs.klass[gang])]

    def count(self, tree: Tree, gang: int, pool: int, amounts: Ints) -> None:
        """Count what a gang holds in a tree."""
        gangs = self.snapshot.gangs
        tree.add(
            int(gangs.queue[gang]), pool, amounts,
            user=self.snapshot.users[gangs.user[gang]],
            preemptible=bool(gangs.preemptible[gang]), seconds=self.ahead(gang),
        )  # fmt: skip

    def refusal(self, tree: Tree, gang: int, pool: int, amounts: Ints) -> Refusal | None:
        """Why a gang may not use this much (more) in a tree; None when it may."""
        gangs = self.snapshot.gangs
        return tree.refusal(
            int(gangs.queue[gang]), pool, amounts,
            user=self.snapshot.users[gangs.user[gang]],
            preemptible=bool(gangs.preemptible[gang]), seconds=self.ahead(gang),
            barring=self.barring(gang),
        )  # fmt: skip

    def limit(self, gang: int) -> float:
        """How long a gang may run at most, in seconds: its own limit and those of its queues."""
        queue, own = int(self.snapshot.gangs.queue[gang]), float(self.snapshot.gangs.limit[gang])
        return own if queue == UNSET else min(own, self.longest[queue])

    def ahead(self, gang: int) -> float:
        """How much longer a gang may run or is expected to, in seconds; 0 where no budget cares."""
        if not self.budgeted:
            return 0.0
        gangs, limit = self.snapshot.gangs, self.limit(gang)
        if gangs.state[gang] == GangState.WAITING:
            return limit if np.isfinite(limit) else self._said(gang)
        started, end = float(gangs.started[gang]), float(gangs.expected_end[gang])
        began = self.time if np.isnan(started) else started
        if np.isfinite(limit):
            end = began + limit
        elif np.isnan(end):
            end = began + self.policy.assumed_runtime
        return max(end - self.time, 0.0)

    def release(self, world: World, gang: int) -> None:
        """Take a running gang out of a world."""
        held = self._left(gang)
        undo(world.ledger, self.ask(gang).sets, held.spots)
        self.count(world.tree, gang, held.pool, -held.amounts)

    def release_all(self, world: World, rows: Ints) -> None:
        """Take many running gangs out of a world; asked for after repair."""
        s = self.snapshot
        alone = self.budgeted or self.held is not self.kept.held
        odd = np.isin(rows, list(self.shrinking)) | alone
        for gang in rows[odd].tolist():
            self.release(world, gang)
        rows = rows[~odd]
        world.ledger.give_all(s.shapes, self.shapes, self._leave.pods(rows))
        for use, amounts in self._leave.uses(rows):
            world.tree.count(use, -amounts)

    def restore(self, world: World, gang: int) -> None:
        """Put a gang that was released back to its old place."""
        held = self._left(gang)
        force(world.ledger, self.ask(gang).sets, held.spots)
        self.count(world.tree, gang, held.pool, held.amounts)

    def _left(self, gang: int) -> Held:
        """What a gang holds in the future: less than now when it was told to shrink."""
        held, counts = self.held[gang], self.shrinking.get(gang)
        if counts is None:
            return held
        spots = tuple(one[:n] for one, n in zip(held.spots, counts, strict=True))
        return Held(held.pool, counts, spots, self.ask(gang).amounts(counts))

    def cut(self, world: World, gang: int, counts: tuple[int, ...]) -> None:
        """Take the last ranks of a running gang out of a world; `counts` stay."""
        spots, amounts = tail(self.held[gang], self.ask(gang), counts)
        undo(world.ledger, self.ask(gang).sets, spots)
        self.count(world.tree, gang, self.held[gang].pool, -amounts)

    def uncut(
        self, world: World, gang: int, counts: tuple[int, ...], upto: tuple[int, ...]
    ) -> None:
        """Put the ranks from `counts` on, before `upto`, back to their old places."""
        held, ask = self.held[gang], self.ask(gang)
        spots = tuple(one[n:m] for one, n, m in zip(held.spots, counts, upto, strict=True))
        force(world.ledger, ask.sets, spots)
        self.count(world.tree, gang, held.pool, ask.amounts(tuple(len(one) for one in spots)))

    def uncut_back(
        self, world: World, gang: int, counts: tuple[int, ...], upto: tuple[int, ...]
    ) -> None:
        """Undo `uncut`."""
        held, ask = self.held[gang], self.ask(gang)
        spots = tuple(one[n:m] for one, n, m in zip(held.spots, counts, upto, strict=True))
        undo(world.ledger, ask.sets, spots)
        self.count(world.tree, gang, held.pool, -ask.amounts(tuple(len(one) for one in spots)))

    def future(self) -> World:
        """The world once everyone who leaves has left, with all promises taken out."""
        if self.later is None:
            later = self.now.fork()
            for gang in sorted(self.leaving):
                self.release(later, gang)
            for gang, counts in self.shrinking.items():
                if gang not in self.leaving:
                    self.cut(later, gang, counts)
            self.later = later
        return self.later

    def soon(self) -> World:
        """The world once everyone who leaves has left, with all promises taken out, but nobody's
        place whose end they count on."""
        return self.future() if self._soon is None else self._soon

    def promise(
        self, gang: int, pool: int, world: World, spots: Spots, amounts: Ints, start: float,
        outlived: Collection[int],
    ) -> None:  # fmt: skip
        """`world` is the future with the gang placed in it: keep it so from `start` on.

        `outlived` are gangs that run now and will have ended by then: they hold nothing there.
        """
        if outlived or self._soon is not None:
            self._soon = self.soon()
            force(self._soon.ledger, self.ask(gang).sets, spots)
            self.count(self._soon.tree, gang, pool, amounts)
        self.outlived.update(outlived)
        self.count(world.tree, gang, pool, amounts)
        self._keep(world, start)

    def make_way(
        self, gang: int, pool: int, world: World, spots: Spots, amounts: Ints, start: float,
        victims: Iterable[int], shrunk: Mapping[int, tuple[int, ...]],
    ) -> None:  # fmt: skip
        """`world` is `soon`, or a copy of it, with the gang placed where others leave and shrink:
        keep it so."""
        self.count(world.tree, gang, pool, amounts)
        if self._soon is None or self.later is None:
            self._keep(world, start)
            return
        self._soon, later = world, self.later
        for victim in victims:
            self.release(later, victim)
        for one, counts in shrunk.items():
            self.cut(later, one, counts)
        redo(later.ledger, self.ask(gang).sets, spots)
        self.count(later.tree, gang, pool, amounts)
        self._keep(later, start)

    def _keep(self, later: World, start: float) -> None:
        self.later = later
        if self.tight is None:
            self.tight = self.now.ledger.meet(later.ledger)
        else:
            self.tight.narrow(later.ledger)
        self.first_hold = min(self.first_hold, start)

    def book_ahead(self, gang: int, pool: int, spots: Spots, amounts: Ints, *, lasts: bool) -> None:
        """Take the places of a gang that starts or grows in the worlds of promises.

        One that does not last until the first promise is none of `later`'s business.
        """
        sets = self.ask(gang).sets
        if self.later is not None and lasts:
            redo(self.later.ledger, sets, spots)
            self.count(self.later.tree, gang, pool, amounts)
        if self._soon is not None:
            force(self._soon.ledger, sets, spots)
            self.count(self._soon.tree, gang, pool, amounts)

    def end_of(self, gang: int) -> float:
        """When a running gang is expected to end."""
        return float(self._expected(np.array([gang]))[0])

    def _expected(self, rows: Ints) -> Floats:
        return expected(self.snapshot, self.policy, self.time, self.likely, rows)

    @cached_property
    def ends(self) -> tuple[Ints, Floats]:
        """Running gangs in the order in which they are expected to end, and when; asked for after
        repair."""
        rows = np.array(list(self.held), dtype=np.int64)
        at = self._expected(rows)
        order = np.lexsort((rows, at))
        return rows[order], at[order]

    def runtime(self, gang: int) -> float:
        """How long a waiting gang surely runs at most: as learned, else as said."""
        learned = float(self.sure[gang])
        return self._said(gang) if np.isnan(learned) else min(learned, self.limit(gang))

    def _said(self, gang: int) -> float:
        said = float(self.snapshot.gangs.estimate[gang])
        return min(self.policy.assumed_runtime if np.isnan(said) else said, self.limit(gang))

    @cached_property
    def likely(self) -> Floats:
        """Seconds that each gang runs on as likely as not, by what was learned; NaN: nothing."""
        return rest(self.snapshot, self.time, 0.5)

    @cached_property
    def sure(self) -> Floats:
        """Seconds beyond which hardly any gang like it runs on; NaN: nothing was learned."""
        return rest(self.snapshot, self.time, SURE)

    def inside(self, gang: int, *, spares: bool = False) -> Bools | None:
        """The nodes that no Reservation keeps from a gang while it runs; None: all of them.

        `spares`: those kept as spares for its queue are open to it.
        """
        kept = self.snapshot.reservations
        if not len(kept.names):
            return None
        bars = self._bars(gang, spares=spares)
        if not (kept.nodes & bars[:, None]).any():
            return None
        open_: Bools = ~np.any(kept.nodes[bars], axis=0)
        return open_

    def barring(self, gang: int) -> list[int]:
        """The reservations of amounts that keep something from a gang while it runs."""
        if not len(self.snapshot.reservations.names):
            return []
        found: list[int] = np.flatnonzero(self._bars(gang, spares=False)).tolist()
        return found

    def _bars(self, gang: int, *, spares: bool) -> Bools:
        """Which reservations are against a gang from now until it ends."""
        kept = self.snapshot.reservations
        queue = int(self.snapshot.gangs.queue[gang])
        path = self.now.tree.path[queue] if queue != UNSET else []
        mine = kept.queues[:, path].any(axis=1)
        if not spares:
            mine = mine & ~kept.spares
        until = self.time + self.runtime(gang)
        bars: Bools = ~mine & (kept.start < until) & (kept.end > self.time)
        return bars

    def levels(self, pool: int) -> tuple[int, ...]:
        """The pool's topology levels."""
        return self.snapshot.pools.levels[pool]


def _ask(snapshot: Snapshot, z: int, shapes: list[Shape]) -> Ask:
    sets, classes = snapshot.pod_sets, snapshot.classes
    rows = range(int(classes.first[z]), int(classes.first[z + 1]))
    return Ask(
        tuple(
            SetAsk(
                row,
                shapes[sets.shape[row]],
                int(sets.count[row]),
                int(sets.least[row]),
                Near(
                    int(sets.required[row]),
                    int(sets.preferred[row]),
                    bool(sets.balanced[row]),
                    int(sets.slice_size[row]),
                    int(sets.slice_level[row]),
                    tuple(Spread(*one) for one in sets.spreads[row]),
                    sets.prefer[row],
                ),
            )
            for row in rows
        ),
        classes.pools[z],
    )


def _kind(ask: Ask) -> Kind:
    """What the pods of a class hold, whichever rows its pod sets have."""
    return tuple((one.shape, one.pods, one.least) for one in ask.sets)


def _shrinking(snapshot: Snapshot, state: State) -> dict[int, tuple[int, ...]]:
    """How many ranks stay, a set each, of gangs that were told to shrink."""
    running = snapshot.running
    going: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(running.leaving).tolist():
        key = int(running.gang[row]), int(running.pod_set[row])
        going[key] = going.get(key, 0) + 1
    found = {}
    for g in sorted({gang for gang, _ in going}):
        sets = state.ask(g).sets
        found[g] = tuple(
            n - going.get((g, one.row), 0)
            for one, n in zip(sets, state.held[g].counts, strict=True)
        )  # fmt: skip
    return found
