"""The whole decision: `cycle(snapshot, policy, now, memo) → (decisions, memo')`.

1. quota   2. order   3. start   4. backfill   5. reclaim and preempt   7. why; then the invariants.
The memo is speed alone: the ledger of the cycle before, brought up to date by what differs. It
belongs to the cycle it is given to; throwing it away changes nothing but the time.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from athanor.features.scheduling.core import backfill, check, memory, preempt
from athanor.features.scheduling.core.explain import Explainer
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.order import waiting
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Admit,
    Decisions,
    Eviction,
    Hold,
    Placed,
    Policy,
    QueueState,
    Snapshot,
    Why,
)
from athanor.features.scheduling.core.start import Started, open_pools, pools_of, start
from athanor.features.scheduling.core.state import State
from athanor.features.scheduling.core.table import ints, smalls
from athanor.features.scheduling.core.why import Code, why


def cycle(
    snapshot: Snapshot, policy: Policy, now: float, memo: Memo | None = None
) -> tuple[Decisions, Memo]:
    """Decide what starts, who goes, who is promised what, and why everyone else waits.

    Raises BrokenLedger when a decision would break an invariant: then nothing is decided.
    """
    memo = memory.current(memo, snapshot, policy, now)
    run = _Run(State(snapshot, policy, now, memo.ledger, memo.shapes))
    run.consider_all()
    check.invariants(run.state, run.admitted, run.evicted)
    return run.decisions(), memo


Kind = tuple[int, bool, int, bool]


@dataclass
class _Queue:
    """One queue's line in this cycle: gangs still to consider, and classes that cannot start."""

    number: int
    gangs: list[int]
    at: int = 0
    barred: dict[Kind, int] = field(default_factory=dict)
    closed: int = UNSET
    holds: int = 0


class _Run:
    def __init__(self, state: State) -> None:
        self.state = state
        self.explain = Explainer(state)
        self.admitted: list[Admit] = []
        self.evicted: list[Eviction] = []
        self.held: list[Hold] = []
        self.whys: list[tuple[Why, ...]] = []
        self.numbers: dict[tuple[Why, ...], int] = {}
        self.reasons = np.full(len(state.snapshot.gangs.names), UNSET, dtype=np.int32)
        self.line = waiting(state.snapshot)

    def consider_all(self) -> None:
        """Take the lines' heads in order until nobody is left to consider."""
        heap: list[tuple[tuple[object, ...], int]] = []
        lines = self._lines()
        for line in lines.values():
            self._push(heap, line)
        while heap:
            key, number = heapq.heappop(heap)
            line = lines[number]
            if self._head(line) is None:
                continue
            current = self._key(line)
            if current != key:
                heapq.heappush(heap, (current, number))
                continue
            self._consider(line)
            self._push(heap, line)

    def _lines(self) -> dict[int, _Queue]:
        s = self.state.snapshot
        lines: dict[int, _Queue] = {}
        for g in self.line.tolist():
            refused = int(s.gangs.refused[g])
            q = int(s.gangs.queue[g])
            if refused or q == UNSET:
                self._say(g, _refused(Code(refused or Code.QUEUE_NOT_FOUND)))
                continue
            state = _state_of(self.state, q)
            if state != QueueState.OPEN:
                self._say(g, _not_open(s.queues.names[q], state))
                continue
            lines.setdefault(q, _Queue(q, [])).gangs.append(g)
        return lines

    def _head(self, line: _Queue) -> int | None:
        """The first gang that may still start; those of barred classes get their reason."""
        while line.at < len(line.gangs):
            g = line.gangs[line.at]
            number = line.closed
            if number == UNSET:
                number = line.barred.get(self._kind(g), UNSET)
            if number == UNSET:
                return g
            self.reasons[g] = number
            line.at += 1
        return None

    def _kind(self, g: int) -> Kind:
        """What decides whether a gang of a queue can start: if one cannot, all alike cannot."""
        state, gangs = self.state, self.state.snapshot.gangs
        short = state.time + state.runtime(g) <= state.first_hold
        return int(gangs.klass[g]), bool(gangs.preemptible[g]), int(gangs.priority[g]), short

    def _push(self, heap: list[tuple[tuple[object, ...], int]], line: _Queue) -> None:
        if self._head(line) is not None:
            heapq.heappush(heap, (self._key(line), line.number))

    def _key(self, line: _Queue) -> tuple[object, ...]:
        g = line.gangs[line.at]
        gangs = self.state.snapshot.gangs
        ask = self.state.ask(g)
        pools = pools_of(self.state, g)
        tree = self.state.now.tree
        claim = tree.tier(line.number, pools[0], ask.amounts(ask.least)) if pools else 0
        return (
            claim, -int(gangs.priority[g]), self.state.shares.path(line.number),
            float(gangs.created[g]), g,
        )  # fmt: skip

    def _consider(self, line: _Queue) -> None:
        g = line.gangs[line.at]
        line.at += 1
        state = self.state
        pools = pools_of(state, g)
        tries = open_pools(state, g, pools)
        tried = start(state, g, tries)
        if isinstance(tried, Started):
            self._admit(g, tried)
            return
        reasons = self.explain.barred(g, tried)
        if self._budget_left():
            made = preempt.propose(state, g, tries)
            if made is not None:
                self._evict(g, made)
                self._close(line, g)
                return
        self._say(g, reasons)
        by_quota = bool(tried) and all(b.refusal is not None for b in tried)
        promised = not by_quota and (self._reserve(line, g, tries) or line.holds > 0)
        self._bar(line, g, by_user=any(b.code == Code.USER_LIMIT for b in tried))
        if not promised:
            self._close(line, g)

    def _budget_left(self) -> bool:
        return len(self.evicted) < self.state.policy.max_evictions

    def _close(self, line: _Queue, g: int) -> None:
        """In a strict queue others pass a blocked head only under its promise (EASY backfill)."""
        s = self.state.snapshot
        if s.queues.strict[line.number]:
            text = f"queue {s.queues.names[line.number]} is strict: behind {s.gangs.names[g]}"
            line.closed = self._number((why(Code.BEHIND_HEAD, text, head=s.gangs.names[g]),))

    def _bar(self, line: _Queue, g: int, *, by_user: bool) -> None:
        """Whoever asks for the same in the same queue waits for the same reason."""
        if not by_user:
            line.barred[self._kind(g)] = int(self.reasons[g])

    def _reserve(self, line: _Queue, g: int, pools: list[int]) -> bool:
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
        state.promise(g, promise.pool, promise.world, promise.amounts, promise.start)
        self.held.append(Hold(gang=g, pool=promise.pool, start=promise.start))
        return True

    def _admit(self, g: int, started: Started) -> None:
        placed = tuple(
            Placed(
                pod_set=ask.row,
                nodes=smalls(spot.node for spot in spots),
                devices=ints(spot.devices for spot in spots),
                slots=smalls(spot.slot for spot in spots),
            )
            for ask, spots in zip(self.state.ask(g).sets, started.spots, strict=True)
        )
        said = float(self.state.snapshot.gangs.estimate[g])
        self.admitted.append(
            Admit(gang=g, pool=started.pool, placed=placed, expected_end=self.state.time + said)
        )

    def _evict(self, g: int, made: preempt.Proposal) -> None:
        """Tell the victims to go and keep what they leave for the gang."""
        state = self.state
        s = state.snapshot
        deadline = state.time
        for victim in made.victims:
            same = s.gangs.queue[victim] == s.gangs.queue[g]
            reason = "Preempted" if same else "Reclaimed"
            text = f"makes room for {s.gangs.names[g]} of queue {_queue_name(s, g)}"
            ends = state.time + float(s.gangs.grace[victim])
            deadline = max(deadline, ends)
            self.evicted.append(
                Eviction(gang=victim, by=g, reason=reason, message=text, deadline=ends)
            )
        state.promise(g, made.pool, made.world, made.amounts, max(deadline, state.time))
        state.released |= set(made.victims)
        self.held.append(Hold(gang=g, pool=made.pool, start=deadline))
        gone = len(made.victims) or len(state.leaving)
        text = f"waits for {gone} gang{'s' * (gone > 1)} to leave pool {s.pools.names[made.pool]}"
        self._say(g, (why(Code.WAITS_FOR_EVICTION, text, victims=gone),))

    def _say(self, g: int, reasons: tuple[Why, ...]) -> None:
        self.reasons[g] = self._number(reasons)

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
            admitted=tuple(self.admitted),
            evicted=tuple(self.evicted),
            held=tuple(self.held),
            line=self.line.astype(np.int32),
            reasons=self.reasons,
            whys=tuple(self.whys),
            use=state.now.tree.use,
            held_in_pool=state.now.tree.held,
            share=state.shares.all(),
            decayed=state.shares.past,
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
