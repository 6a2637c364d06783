"""The whole decision: `cycle(snapshot, policy, now, memo) → (decisions, memo')`.

0. budgets   1. quota   2. order   3. start   4. backfill   5. reclaim and preempt   7. why; then
the invariants.
The memo is speed alone: the ledger of the cycle before, brought up to date by what differs. It
belongs to the cycle it is given to; throwing it away changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from athanor.features.scheduling.core import (
    backfill,
    budget,
    check,
    elastic,
    memory,
    preempt,
    timeshare,
)
from athanor.features.scheduling.core.explain import Explainer
from athanor.features.scheduling.core.line import Line, waiting
from athanor.features.scheduling.core.line import lines as lines_of
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.quota import BORROWED
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Admit,
    Decisions,
    Eviction,
    Hold,
    Move,
    Placed,
    Policy,
    QueueState,
    Resize,
    Shrink,
    Snapshot,
    Why,
)
from athanor.features.scheduling.core.start import Started, open_pools, pools_of, start
from athanor.features.scheduling.core.state import State
from athanor.features.scheduling.core.table import Ints, ints, smalls
from athanor.features.scheduling.core.turns import Turns
from athanor.features.scheduling.core.why import Code, why

Enter = Callable[[str], None]
FIRST = -(BORROWED + 1)
"""Makes a claim come before all others: that of a gang for which others were told to go."""


def _quietly(phase: str) -> None:
    """Nobody measures."""


def cycle(
    snapshot: Snapshot, policy: Policy, now: float, memo: Memo | None = None,
    enter: Enter = _quietly,
) -> tuple[Decisions, Memo]:  # fmt: skip
    """Decide what starts, who goes, who is promised what, and why everyone else waits.

    `enter` is told which phase begins.

    Raises BrokenLedger when a decision would break an invariant: then nothing is decided.
    """
    enter("quota")
    memo = memory.current(memo, snapshot, policy, now)
    run = _Run(State(snapshot, policy, now, memo.ledger, memo.shapes, memo.kept), memo, enter)
    memo.kept = run.state.kept
    run.consider_all()
    enter("check")
    decisions = run.decisions()
    check.invariants(run.state, decisions.admitted, decisions.evicted)
    check.resized(run.state, run.moved, run.shrunk)
    return decisions, memo


class _Run:
    def __init__(self, state: State, memo: Memo, enter: Enter) -> None:
        self.state = state
        self.enter = enter
        self.explain = Explainer(state, memo.empty, memo.possible, memo.absent)
        self.started: dict[int, Started] = {}
        self.evicted: list[Eviction] = []
        self.shrunk: list[Shrink] = []
        self.moved: list[Move] = []
        self.held: list[Hold] = []
        self.whys: list[tuple[Why, ...]] = []
        self.numbers: dict[tuple[Why, ...], int] = {}
        self.reasons = np.full(len(state.snapshot.gangs.names), UNSET, dtype=np.int32)
        self.line = waiting(state.snapshot)
        self.states = [_state_of(state, q) for q in range(len(state.snapshot.queues.names))]
        self.pools: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        self.full: set[tuple[float, ...]] = set()

    def consider_all(self) -> None:
        """Take the lines' heads in order until nobody is left to consider."""
        self._refuse()
        self.enter("repair")
        self.moved, self.evicted = elastic.repair(self.state)
        self.evicted += budget.overspent(self.state)
        self.enter("order")
        if self.state.policy.timeshare:
            self._take_turns()
            return
        lines = lines_of(self.state.snapshot, self.line, self.states, self.state.sure)
        tree = self.state.now.tree
        turns = Turns(lines, tree.path, tree.stamps, self._head, self.state.shares.share)
        while (line := turns.first()) is not None:
            self._consider(line)
        self.enter("grow")
        self.started = elastic.fill(self.state, self.started)
        self.moved += elastic.grow(self.state, self.states)

    def _refuse(self) -> None:
        """Those that cannot be considered: refused by the API side, or by a queue's state."""
        s = self.state.snapshot
        queue, refused = s.gangs.queue[self.line], s.gangs.refused[self.line]
        for code in sorted(set(refused[refused > 0].tolist())):
            self._say_all(self.line[refused == code], _refused(Code(code)))
        unknown = (queue == UNSET) & (refused == 0)
        self._say_all(self.line[unknown], _refused(Code.QUEUE_NOT_FOUND))
        for q, state in enumerate(self.states):
            if state != QueueState.OPEN:
                closed = self.line[(queue == q) & (refused == 0)]
                self._say_all(closed, _not_open(s.queues.names[q], state))

    def _head(self, line: Line) -> tuple[int, int, float, int] | None:
        """What decides of a line's first gang besides the shares; None when nobody is left."""
        g = line.head()
        if g is None:
            return None
        gangs, tree = self.state.snapshot.gangs, self.state.now.tree
        ask, pools = self.state.ask(g), self._pools(g)
        claim = tree.tier(line.number, pools[0], ask.amounts(ask.least)) if pools else 0
        if gangs.awaits[g]:
            claim += FIRST
        return claim, -int(gangs.priority[g]), float(gangs.created[g]), g

    def _pools(self, g: int) -> list[int]:
        """The pools a gang may use, remembered for its queue and what it asks for."""
        key = int(self.state.snapshot.gangs.queue[g]), self.state.ask(g).pools
        if key not in self.pools:
            self.pools[key] = pools_of(self.state, g)
        return self.pools[key]

    def _consider(self, line: Line) -> None:
        g = line.head()
        if g is None:
            return
        state = self.state
        tries = open_pools(state, g, self._pools(g))
        alike = self._alike(line, g, tries)
        if alike in self.full and self._make_way(line, g, tries):
            return
        self.enter("start")
        tried = start(state, g, tries)
        self.enter("order")
        if isinstance(tried, Started):
            self.started[g] = tried
            line.take()
            return
        self.enter("why")
        reasons = self.explain.barred(g, tried)
        if self._make_way(line, g, tries):
            if all(b.code != Code.USER_LIMIT for b in tried):
                self.full.add(alike)
            return
        tries = [p for p in tries if self.explain.possible(state.ask(g), p)]
        if g in state.unproven:
            text = "not every choice of those who might make room was tried"
            reasons = (*reasons, why(Code.NOT_PROVEN, text))
        by_quota = bool(tried) and all(b.refusal is not None for b in tried)
        self.enter("backfill")
        promised = not by_quota and (
            (bool(tries) and self._reserve(line, g, tries)) or line.holds > 0
        )
        if any(b.code == Code.USER_LIMIT for b in tried):
            self._say(g, reasons)
            line.take()
        else:
            self._say_all(line.drop_kind(), reasons)
        if not promised:
            self._close(line, g)

    def _alike(self, line: Line, g: int, tries: list[int]) -> tuple[float, ...]:
        """All that decides whether a line's first gang can start: what starts or is promised in a
        cycle only takes, so where one could not, none like it can."""
        state, within = self.state, int(self.state.snapshot.gangs.within[g])
        return line.number, line.kind(), state.runtime(g), state.ahead(g), within, *tries

    def _make_way(self, line: Line, g: int, tries: list[int]) -> bool:
        """Whether others can be told to go, or go already, so that a line's first gang can run;
        done if so."""
        self.enter("preempt")
        tries = [p for p in tries if self.explain.possible(self.state.ask(g), p)]
        if not tries or not self._budget_left():
            return False
        made = preempt.propose(self.state, g, tries)
        if made is None:
            return False
        self._evict(g, made)
        line.take()
        self._close(line, g)
        return True

    def _take_turns(self) -> None:
        """The policy `timeshare`: all places are given out anew."""
        state, gangs = self.state, self.state.snapshot.gangs
        is_open = np.array([one == QueueState.OPEN for one in self.states] + [False])
        line = self.line[(gangs.refused[self.line] == 0) & is_open[gangs.queue[self.line]]]
        made = timeshare.turn(state, line, lambda g: open_pools(state, g, self._pools(g)))
        for g, started in made.starts:
            self.started[g] = started
            state.shares.start(int(gangs.queue[g]), started.pool, started.amounts)
        self.evicted += [self._eviction(one, by) for one, by in sorted(made.victims.items())]
        text = "has its turn when the gangs that make way have left"
        for g, found in made.waits:
            self.held.append(Hold(gang=g, pool=found.pool, start=state.time))
            self._say(g, (why(Code.WAITS_FOR_EVICTION, text, victims=len(made.victims)),))
        alike: dict[tuple[int, int], list[int]] = {}
        for g in made.barred:
            alike.setdefault((int(gangs.queue[g]), int(gangs.klass[g])), []).append(g)
        self.enter("why")
        for rows in alike.values():
            reasons = self.explain.barred(rows[0], made.barred[rows[0]])
            self._say_all(np.array(rows, dtype=np.int64), reasons)

    def _eviction(self, victim: int, by: int) -> Eviction:
        """The victim's order to leave, in words that name no one's work."""
        s = self.state.snapshot
        reason = "Preempted" if s.gangs.queue[victim] == s.gangs.queue[by] else "Reclaimed"
        ends = self.state.time + float(s.gangs.grace[victim])
        text = f"makes room for work of queue {_queue_name(s, by)}"
        return Eviction(gang=victim, by=by, reason=reason, message=text, deadline=ends)

    def _budget_left(self) -> bool:
        return len(self.evicted) < self.state.policy.max_evictions

    def _close(self, line: Line, g: int) -> None:
        """In a strict queue others pass a blocked head only under its promise (EASY backfill)."""
        s = self.state.snapshot
        if s.queues.strict[line.number]:
            queue, first = s.queues.names[line.number], int(self.reasons[g])
            code = self.whys[first][0].code if first != UNSET else ""
            text = f"queue {queue} is strict: behind the first in line, which waits itself"
            said = why(Code.BEHIND_HEAD, f"{text} ({code})", queue=queue, head=code)
            for rows in line.drop_all():
                self._say_all(rows, (said,))

    def _reserve(self, line: Line, g: int, pools: list[int]) -> bool:
        """Promise a blocked gang its capacity; False when it holds no promise."""
        state, policy = self.state, self.state.policy
        s = state.snapshot
        waited = state.time - float(s.gangs.created[g])
        strict = bool(s.queues.strict[line.number])
        if line.holds >= max(policy.reserved, int(strict)):
            return False
        if not strict and waited < policy.reserve_after:
            return False
        promise = backfill.earliest(state, g, pools)
        if promise is None:
            return False
        line.holds += 1
        state.promise(
            g, promise.pool, promise.world, promise.spots, promise.amounts, promise.start,
            promise.outlived,
        )  # fmt: skip
        self.held.append(Hold(gang=g, pool=promise.pool, start=promise.start))
        return True

    def admitted(self) -> tuple[Admit, ...]:
        """Those that start, in the order in which they were considered."""
        return tuple(self._admit(g, started) for g, started in self.started.items())

    def _admit(self, g: int, started: Started) -> Admit:
        placed = tuple(
            Placed(
                pod_set=ask.row,
                nodes=smalls(spot.node for spot in spots),
                devices=ints(spot.devices for spot in spots),
                slots=smalls(spot.slot for spot in spots),
            )
            for ask, spots in zip(self.state.ask(g).sets, started.spots, strict=True)
        )
        learned, said = self.state.likely[g], self.state.snapshot.gangs.estimate[g]
        said = float(np.fmin(said if np.isnan(learned) else learned, self.state.limit(g)))
        said = said if np.isfinite(said) else np.nan
        end = self.state.time + said
        return Admit(gang=g, pool=started.pool, placed=placed, expected_end=end)

    def _evict(self, g: int, made: preempt.Proposal) -> None:
        """Tell the victims to go and keep what they leave for the gang."""
        state = self.state
        s = state.snapshot
        deadline = state.time
        again = [one for one in made.shrunk if s.gangs.resize[one] == Resize.NEVER]
        for one, counts in made.shrunk.items():
            if one in again:
                continue
            had, left = sum(state.held[one].counts), sum(counts)
            text = f"shrinks from {had} to {left} ranks for work of queue {_queue_name(s, g)}"
            ends = state.time + float(s.gangs.grace[one])
            deadline = max(deadline, ends)
            self.shrunk.append(
                Shrink(gang=one, counts=counts, by=g, reason="Shrunk", message=text, deadline=ends)
            )
            state.shrinking[one] = counts
            state.busy.add(one)
        for victim in (*made.victims, *again):
            self.evicted.append(self._eviction(victim, g))
            deadline = max(deadline, self.evicted[-1].deadline)
        deadline = max(deadline, state.time)
        state.make_way(
            g, made.pool, made.world, made.spots, made.amounts, deadline,
            made.victims, made.shrunk,
        )  # fmt: skip
        state.released |= {*made.victims, *again}
        self.held.append(Hold(gang=g, pool=made.pool, start=deadline))
        gone = len(made.victims) + len(made.shrunk) or len(state.leaving) + len(state.shrinking)
        ways = "leave" if made.victims or again or not made.shrunk else "shrink in"
        text = f"waits for {gone} gang{'s' * (gone > 1)} to {ways} pool {s.pools.names[made.pool]}"
        self._say(g, (why(Code.WAITS_FOR_EVICTION, text, victims=gone),))

    def _say(self, g: int, reasons: tuple[Why, ...]) -> None:
        self.reasons[g] = self._number(reasons)

    def _say_all(self, rows: Ints, reasons: tuple[Why, ...]) -> None:
        if len(rows):
            self.reasons[rows] = self._number(reasons)

    def _number(self, reasons: tuple[Why, ...]) -> int:
        number = self.numbers.setdefault(reasons, len(self.whys))
        if number == len(self.whys):
            self.whys.append(reasons)
        return number

    def decisions(self) -> Decisions:
        """All of it as one frozen value."""
        state = self.state
        for array in (self.reasons, self.line):
            array.setflags(write=False)
        return Decisions(
            now=state.time,
            admitted=self.admitted(),
            evicted=tuple(self.evicted),
            held=tuple(self.held),
            line=self.line.astype(np.int32),
            reasons=self.reasons,
            whys=tuple(self.whys),
            use=state.now.tree.use,
            held_in_pool=state.now.tree.held,
            share=state.shares.all(),
            decayed=state.shares.past,
            shrunk=tuple(self.shrunk),
            moved=tuple(self.moved),
            committed=tuple(state.now.tree.committed),
        )


def _queue_name(s: Snapshot, g: int) -> str:
    return s.queues.names[int(s.gangs.queue[g])]


def _state_of(state: State, queue: int) -> QueueState:
    """The strictest state on the way up."""
    states = state.snapshot.queues.state
    return QueueState(max(int(states[q]) for q in state.now.tree.path[queue]))


_SAID = {
    Code.QUEUE_NOT_FOUND: "its queue does not exist",
    Code.QUEUE_INVALID: "its queue is not valid: see the queue's conditions",
    Code.NAMESPACE_NOT_ALLOWED: "its queue does not admit gangs of this namespace",
    Code.INVALID_REQUEST: "its request cannot be read",
    Code.BUDGET_SPENT: "its queue's budget is spent",
}


def _refused(code: Code) -> tuple[Why, ...]:
    return (why(code, _SAID.get(code, code.name.lower().replace("_", " "))),)


def _not_open(queue: str, state: QueueState) -> tuple[Why, ...]:
    code = Code.QUEUE_CLOSED if state == QueueState.CLOSED else Code.QUEUE_ON_HOLD
    said = {QueueState.CLOSED: "closed", QueueState.HOLD: "on hold", QueueState.DRAIN: "draining"}
    return (why(code, f"queue {queue} is {said[state]}", queue=queue),)
