"""Phase 1, quota: use summed up the tree, who may borrow what, who is entitled to have it back.

Rules, a pool and a resource at a time (all are property tests):
- a queue's use, its descendants' included, never passes its limit, nor any ancestor's;
- what a queue keeps (guaranteed − lendable) stays free for it: the footprint of a queue is the
  larger of what it keeps and what it and its children use, and the footprints of the roots never
  pass the pool;
- gangs that cannot be preempted never stand on what is guaranteed to others: the same rule, with
  the whole guarantee kept and only such gangs counted;
- what a Reservation keeps of a pool and its queues do not use is not free for others;
- a queue's budget is never promised twice: a gang starts if what the budgets above it have left,
  without what running gangs may still spend, covers it for as long as it may run;
- a gang is entitled (to push others out) at the first of *guaranteed*, *deserved* that covers its
  queue's use with it.
A parent without an own guarantee has the sum of its children's. Some resources are derived from
others by the pool's rates (cost units, device memory): quota may be given in those as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.snapshot import UNITS, UNSET, Snapshot
from athanor.features.scheduling.core.table import Bools, Floats, Ints, same
from athanor.features.scheduling.core.why import Code

THOUSANDTHS = 1000
"""Of a GPU-hour (or unit-hour): budgets are compared in these."""
NO_LIMIT = np.iinfo(np.int64).max // 4
some = np.count_nonzero
"""Whether anything holds of a short row: a third of what `any` costs, and asked very often."""
MOST_ASKED = 10_000
"""So many different amounts are remembered as numbers."""
GUARANTEED, DESERVED, BORROWED = 0, 1, 2
"""Tiers of a claim, the strongest first."""


class Refusal(NamedTuple):
    """A quota says no: which queue's, for which resource, with which numbers."""

    code: Code
    queue: int
    resource: int
    asked: int
    used: int
    bound: int


class Use(NamedTuple):
    """How a gang counts: gangs of one queue, pool, user and preemptibility count alike."""

    queue: int
    pool: int
    user: str
    preemptible: bool


class Reserved(NamedTuple):
    """Amounts of a pool that are kept for these queues (none of which is above another)."""

    pool: int
    amounts: Ints
    queues: tuple[int, ...]


class _Asked(NamedTuple):
    """Resources that are asked for, and how much; `claims` are those somebody has a right to."""

    every: list[tuple[int, int]]
    claims: list[tuple[int, int]]


class Tree:
    """The quota tree of a snapshot with its current use; `add` and `remove` keep it current."""

    def __init__(self, snapshot: Snapshot, like: Tree | None = None) -> None:
        """`like` is a tree whose use is taken over where its queues have the same rights."""
        queues = snapshot.queues
        self.rights = (
            queues.parent, queues.limit, queues.guaranteed, queues.deserved, queues.lendable,
            queues.user_limit, snapshot.pools.derive,
        )  # fmt: skip
        self.resumed = like is not None and all(map(same, self.rights, like.rights))
        if like is not None and self.resumed:
            self.__dict__.update(like.fork().__dict__)
            self.resumed = True
        else:
            self._start(snapshot)
        self.capacity = _capacity(snapshot)
        for p, derives in enumerate(self.derives):
            if derives:
                derived = self.derive[p].any(axis=0)
                self.capacity[p][derived] = 0
                self.capacity[p] = self.priced(p, self.capacity[p])
        self.reserved = _reserved(snapshot, self)
        self.priced_by = _hourly(snapshot)
        self.budget: list[float] = queues.budget_left.tolist()

    def _start(self, snapshot: Snapshot) -> None:
        """The rights of all queues, with nothing in use."""
        queues = snapshot.queues
        self.parents = queues.parent
        self.parent: list[int] = queues.parent.tolist()
        self.path = [_path(q, self.parent) for q in range(len(self.parent))]
        self.depth = max(map(len, self.path), default=0)
        self.trees: dict[int, Bools] = {}
        self.limit = np.where(queues.limit == UNSET, NO_LIMIT, queues.limit)
        self.guaranteed = self._from_children(queues.guaranteed, 0)
        said = np.where(queues.deserved == UNSET, queues.guaranteed, queues.deserved)
        self.deserved = np.maximum(self._from_children(said, 0), self.guaranteed)
        self.derive = snapshot.pools.derive
        self.derives = [bool(one.any()) for one in self.derive]
        self.covered: Bools = np.any(self.deserved > 0, axis=0)
        self.user_limit = np.where(queues.user_limit == UNSET, NO_LIMIT, queues.user_limit)
        self.limits_users: list[bool] = (queues.user_limit != UNSET).any(axis=1).tolist()
        lendable = np.where(queues.lendable == UNSET, NO_LIMIT, queues.lendable)
        self.kept = np.maximum(queues.guaranteed - lendable, 0), queues.guaranteed
        self.asked: dict[tuple[int, bytes], _Asked] = {}
        self.clear()

    def clear(self) -> None:
        """Nothing is in use."""
        self.use = np.zeros_like(self.limit)
        self.stamps = [0] * len(self.parent)  # how often each queue's use has changed
        self.held = np.zeros(self.limit.shape[1:], dtype=np.int64)
        self.lend, self.firm = (_Footprint(self.path, kept) for kept in self.kept)
        self.users: dict[tuple[int, str], Ints] = {}
        self.committed = [0.0] * len(self.parent)

    def _from_children(self, said: Ints, nothing: int) -> Ints:
        """Own value where one is given, else the sum of the children's."""
        total = said.copy()
        for q in sorted(range(len(self.parent)), key=lambda q: -len(self.path[q])):
            up = self.parent[q]
            if up != UNSET and up in self.path[q]:
                missing = said[up] == nothing
                total[up] += np.where(missing, total[q], 0)
        return total

    def fork(self) -> Tree:
        """A copy to try things on."""
        other = Tree.__new__(Tree)
        other.__dict__.update(self.__dict__)
        other.use, other.held = self.use.copy(), self.held.copy()
        other.lend, other.firm = self.lend.fork(), self.firm.fork()
        other.users = {key: value.copy() for key, value in self.users.items()}
        other.committed = list(self.committed)
        other.stamps = list(self.stamps)
        return other

    def priced(self, pool: int, amounts: Ints) -> Ints:
        """The amounts with those resources filled in that the pool derives from others."""
        if not self.derives[pool]:
            return amounts
        found: Ints = amounts + np.rint(amounts @ self.derive[pool]).astype(np.int64)
        return found

    def _read(self, pool: int, amounts: Ints) -> _Asked:
        """What amounts ask of a pool, as numbers: a path is a few short rows, for which arrays
        cost ten times as much."""
        key = pool, amounts.tobytes()
        found = self.asked.get(key)
        if found is None:
            if len(self.asked) >= MOST_ASKED:
                self.asked.clear()
            priced = self.priced(pool, amounts).tolist()
            every = [(r, more) for r, more in enumerate(priced) if more > 0]
            claims = [(r, more) for r, more in every if self.covered[pool, r]]
            found = self.asked[key] = _Asked(every, claims)
        return found

    def cost(self, pool: int, amounts: Ints, seconds: float) -> float:
        """GPU-hours (unit-hours where the pool has rates) of holding amounts for so long."""
        return float(amounts @ self.priced_by[pool]) * seconds / 3600.0

    def add(
        self, queue: int, pool: int, amounts: Ints, *,
        user: str, preemptible: bool, seconds: float = 0.0,
    ) -> None:  # fmt: skip
        """Count a gang that holds `amounts` (negative to take it out), for `seconds` at most.

        One whose pool is gone counts nowhere, one whose queue is gone only as the pool's use.
        """
        if pool == UNSET:
            return
        hours = self.cost(pool, amounts, seconds) if seconds else 0.0
        self.count(Use(queue, pool, user, preemptible), self.priced(pool, amounts), hours)

    def count(self, use: Use, amounts: Ints, hours: float = 0.0) -> None:
        """Count amounts as `priced` gives them, whoever holds them."""
        queue, pool, user, preemptible = use
        self.held[pool] += amounts
        if queue == UNSET:
            self.lend.total[pool] += amounts
            return
        for q in self.path[queue]:
            self.stamps[q] += 1
            self.use[q, pool] += amounts
            self.committed[q] += hours
            held = self.users.get((q, user))
            self.users[q, user] = amounts.copy() if held is None else held + amounts
        self.lend.add(queue, pool, amounts)
        if not preemptible:
            self.firm.add(queue, pool, amounts)

    def refusal(
        self, queue: int, pool: int, amounts: Ints, *,
        user: str, preemptible: bool, seconds: float = 0.0, barring: Sequence[int] = (),
    ) -> Refusal | None:  # fmt: skip
        """Why this much more may not be used now, for so long at most; None when it may.

        `barring` are the reservations of amounts that count against it.
        """
        broke = self._broke(queue, pool, amounts, seconds)
        if broke is not None:
            return broke
        use, limit = self.use.item, self.limit.item
        every = self._read(pool, amounts).every
        for q in self.path[queue]:
            for r, more in every:
                used, bound = use(q, pool, r), limit(q, pool, r)
                if used + more > bound:
                    return Refusal(Code.QUEUE_LIMIT, q, r, more, used, bound)
        amounts = self.priced(pool, amounts)
        for q in self.path[queue]:
            if not self.limits_users[q]:
                continue
            bound = self.user_limit[q]
            held = self.users.get((q, user), np.zeros_like(amounts))
            over = (amounts > 0) & (held + amounts > bound)
            if some(over):
                return _refusal(Code.USER_LIMIT, q, over, amounts, held, bound)
        return self._kept(queue, pool, amounts, preemptible=preemptible, barring=barring)

    def _kept(
        self, queue: int, pool: int, amounts: Ints, *, preemptible: bool, barring: Sequence[int]
    ) -> Refusal | None:
        """What others have a right to."""
        capacity = self.capacity[pool]
        full = (amounts > 0) & (self.held[pool] + amounts > capacity)
        if some(full):
            return None  # no quota's fault: the nodes will say so
        total = self.lend.total[pool]
        more = self.lend.more(queue, pool, amounts)
        over = (more > 0) & (total + more > capacity)
        if some(over):
            return _refusal(Code.KEPT_FOR_OTHERS, queue, over, amounts, total, capacity)
        kept = sum((self._unused(v) for v in barring if self.reserved[v].pool == pool), 0)
        over = (amounts > 0) & (self.held[pool] + kept + amounts > capacity)
        if some(over):
            total = self.held[pool] + kept
            return _refusal(Code.RESERVED_FOR_OTHERS, queue, over, amounts, total, capacity)
        if not preemptible:
            total = self.firm.total[pool]
            more = self.firm.more(queue, pool, amounts)
            over = (more > 0) & (total + more > capacity)
            if some(over):
                return _refusal(Code.NOT_PREEMPTIBLE, queue, over, amounts, total, capacity)
        return None

    def _broke(self, queue: int, pool: int, amounts: Ints, seconds: float) -> Refusal | None:
        """The nearest budget that does not cover the amounts for so long."""
        if not seconds:
            return None
        hours = self.cost(pool, amounts, seconds)
        for q in self.path[queue]:
            left = self.budget[q] - self.committed[q]
            if hours > 0 and hours > left + 1e-9:
                asked, have = (round(x * THOUSANDTHS) for x in (hours, max(left, 0.0)))
                return Refusal(Code.BUDGET_SPENT, q, UNSET, asked, 0, have)
        return None

    def _unused(self, reservation: int) -> Ints:
        """What of a reservation of amounts its queues do not use yet."""
        one = self.reserved[reservation]
        used = sum((self.use[q, one.pool] for q in one.queues), np.zeros_like(one.amounts))
        return np.maximum(one.amounts - used, 0)

    def tier(self, queue: int, pool: int, amounts: Ints, below: int = UNSET) -> int:
        """The strongest claim that covers the queue's use with this much more.

        Every queue on the way up counts, up to (not including) `below`; of the resources, those
        that somebody in the pool has a right to.
        """
        use, guaranteed, deserved = self.use.item, self.guaranteed.item, self.deserved.item
        claims = self._read(pool, amounts).claims
        if not claims:
            return BORROWED
        worst = GUARANTEED
        for q in self.path[queue]:
            if q == below:
                break
            for r, more in claims:
                after = use(q, pool, r) + more
                if after > deserved(q, pool, r):
                    return BORROWED
                if after > guaranteed(q, pool, r):
                    worst = DESERVED
        return worst

    def standing(self, queue: int, pool: int, amounts: Ints, below: int = UNSET) -> int:
        """The claim by which a queue holds what it has of the resources in `amounts`."""
        amounts = self.priced(pool, amounts)
        asked = (amounts > 0) & self.covered[pool]
        worst = GUARANTEED if asked.any() else BORROWED
        for q in self.path[queue]:
            if q == below:
                break
            used = self.use[q, pool]
            if some(asked & (used > self.deserved[q, pool])):
                return BORROWED
            if some(asked & (used > self.guaranteed[q, pool])):
                worst = max(worst, DESERVED)
        return worst

    def meeting(self, a: int, b: int) -> int:
        """The nearest queue that both are under (or are); UNSET when they share none."""
        above = set(self.path[b])
        return next((q for q in self.path[a] if q in above), UNSET)

    def reclaimable(self, queue: int, pool: int, amounts: Ints) -> Bools | None:
        """For every other queue whether this one, with so much more, may take back what is held
        there.

        That is `tier` and `over` with regard to where the paths meet: the further up, the weaker
        is the claim. None: nowhere.
        """
        found: Bools | None = None
        rest = np.ones(len(self.parent), dtype=np.bool_)
        rest[queue] = False
        for meet in (*self.path[queue], UNSET):
            here = rest if meet == UNSET else rest & self.under(meet)
            if not some(here):
                continue
            rest = rest & ~here
            claim = self.tier(queue, pool, amounts, below=meet)
            if claim == BORROWED:
                break
            mine = here & self._all_over(pool, claim, meet, amounts)
            found = mine if found is None else found | mine
        return found

    def under(self, top: int) -> Bools:
        """Which queues are below one (or are it)."""
        known = self.trees.get(top)
        if known is None:
            known = np.array([top in path for path in self.path], dtype=np.bool_)
            self.trees[top] = known
        return known

    def _all_over(self, pool: int, tier: int, below: int, amounts: Ints) -> Bools:
        """`over` for every queue."""
        right = self.guaranteed if tier == GUARANTEED else self.deserved
        amounts = self.priced(pool, amounts)
        asked = (amounts > 0) & self.covered[pool]
        over: Bools = (asked & (self.use[:, pool] > right[:, pool])).any(axis=1)
        found, up = over.copy(), self.parents
        for _ in range(self.depth - 1):
            climbs = (up != UNSET) & (up != below)
            found &= ~climbs | over[up]
            up = np.where(climbs, self.parents[up], UNSET)
        if below != UNSET:
            found[below] = True  # nothing is above it that counts
        return found

    def over(self, queue: int, pool: int, tier: int, below: int, amounts: Ints) -> bool:
        """Whether the queue uses more than its right at every step up to `below`.

        Looks at the resources in `amounts` only: freeing others would help nobody.
        """
        right = self.guaranteed if tier == GUARANTEED else self.deserved
        amounts = self.priced(pool, amounts)
        asked = (amounts > 0) & self.covered[pool]
        for q in self.path[queue]:
            if q == below:
                return True
            if not some(asked & (self.use[q, pool] > right[q, pool])):
                return False
        return True


class _Footprint:
    """The larger of what is kept and what is used, summed up the tree; `total` is the roots'."""

    def __init__(self, path: list[list[int]], kept: Ints) -> None:
        self.path = path
        self.kept = kept
        self.base = np.zeros_like(kept)
        self.total = np.zeros(kept.shape[1:], dtype=np.int64)
        size = np.zeros_like(kept)
        for q in sorted(range(len(path)), key=lambda q: -len(path[q])):
            size[q] = np.maximum(self.base[q], kept[q])
            if len(path[q]) > 1:
                self.base[path[q][1]] += size[q]
            else:
                self.total += size[q]

    def fork(self) -> _Footprint:
        other = _Footprint.__new__(_Footprint)
        other.path, other.kept = self.path, self.kept
        other.base, other.total = self.base.copy(), self.total.copy()
        return other

    def more(self, queue: int, pool: int, amounts: Ints) -> Ints:
        """How much the roots' footprint would grow."""
        delta = amounts
        for q in self.path[queue]:
            base, kept = self.base[q, pool], self.kept[q, pool]
            delta = np.maximum(base + delta, kept) - np.maximum(base, kept)
        return delta

    def add(self, queue: int, pool: int, amounts: Ints) -> None:
        delta = amounts
        for q in self.path[queue]:
            base, kept = self.base[q, pool], self.kept[q, pool]
            old = np.maximum(base, kept)
            self.base[q, pool] = base + delta
            delta = np.maximum(self.base[q, pool], kept) - old
        self.total[pool] += delta


def _path(queue: int, parent: list[int]) -> list[int]:
    """The queue and its ancestors; a cycle is cut where it closes."""
    path = [queue]
    while parent[path[-1]] != UNSET and parent[path[-1]] not in path:
        path.append(parent[path[-1]])
    return path


def _capacity(snapshot: Snapshot) -> Ints:
    nodes = snapshot.nodes
    total = np.zeros((len(snapshot.pools.names), len(snapshot.resources)), dtype=np.int64)
    order = np.argsort(nodes.pool, kind="stable")
    pool = nodes.pool[order]
    first = np.flatnonzero(np.diff(pool, prepend=UNSET))
    net = np.ascontiguousarray((nodes.capacity - nodes.foreign)[order].T)
    total[pool[first]] = np.add.reduceat(net, first, axis=1).T
    return total


def _reserved(snapshot: Snapshot, tree: Tree) -> list[Reserved]:
    """The reservations; those of nodes keep no amounts."""
    kept = snapshot.reservations
    found = []
    for v, pool in enumerate(kept.pool.tolist()):
        named = [] if kept.spares[v] else np.flatnonzero(kept.queues[v]).tolist()
        tops = tuple(q for q in named if not set(tree.path[q][1:]) & set(named))
        amounts = kept.amounts[v] if pool == UNSET else tree.priced(pool, kept.amounts[v])
        found.append(
            Reserved(pool, np.zeros_like(amounts) if kept.nodes[v].any() else amounts, tops)
        )
    return found


def _hourly(snapshot: Snapshot) -> Floats:
    """What an hour of one unit of each resource costs: by the pool's rates, else 1 a device."""
    resources, derive = snapshot.resources, snapshot.pools.derive
    price = np.zeros(derive.shape[:2])
    devices = [resources.index(kind) for kind in snapshot.device_kinds]
    price[:, devices] = 1.0 / 1000.0
    if UNITS in resources:
        rates = derive[:, :, resources.index(UNITS)] / THOUSANDTHS
        rated = rates.any(axis=1)
        price[rated] = rates[rated]
    return price


def _refusal(code: Code, queue: int, over: Ints, amounts: Ints, used: Ints, bound: Ints) -> Refusal:
    r = int(np.flatnonzero(over)[0])
    return Refusal(code, queue, r, int(amounts[r]), int(used[r]), int(bound[r]))
