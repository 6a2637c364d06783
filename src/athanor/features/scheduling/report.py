"""What the scheduler says of queues and pools: their statuses, when they say something new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from athanor.api.amounts import Amounts
from athanor.api.meta import JSON, Condition, set_condition, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Pool, PoolUse, Queue, QueueTop
from athanor.features.scheduling import budgets
from athanor.features.scheduling.allowance import Allowance
from athanor.features.scheduling.budgets import Spent
from athanor.features.scheduling.core.account import in_pool, lines_of
from athanor.features.scheduling.core.snapshot import COUNTED, UNITS, UNSET, Decisions, Snapshot
from athanor.features.scheduling.nodes import POOL
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.rates import MEMORY, PLAIN
from athanor.features.scheduling.runtimes import Runtimes
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Patch

QUEUES, POOLS = of(Queue), of(Pool)
INF = float("inf")
TOP = 10
"""What only single nodes run short of."""
SAVE_EVERY = 60.0
"""Seconds between two writes of past use that nothing else in a queue's status changed for."""


STATUSES_A_SECOND, MOST_STATUSES = 20.0, 60
"""So many statuses of queues and pools are written a second, and at once."""


class _Known(NamedTuple):
    """What a queue's status was last compared with, and when it was last written."""

    facts: tuple[object, ...]
    looked: float
    written: float


class Reporter:
    """Says of queues and pools what is new; what it remembers is what it has compared lately."""

    def __init__(self, runtimes: Runtimes) -> None:
        self.allowance = Allowance(MOST_STATUSES)
        self.runtimes = runtimes
        self._known: dict[str, _Known] = {}

    def __call__(
        self, seen: Observed, decisions: Decisions, spent: Mapping[str, Spent]
    ) -> tuple[list[Patch], list[float]]:
        """The writes, and seconds until more may be written (none when all was)."""
        late = False
        made: list[Patch] = []
        for told in of_pools(seen, decisions):
            granted = bool(self.allowance.grant(1, decisions.now, STATUSES_A_SECOND))
            late |= not granted
            made += [told] if granted else []
        now = decisions.now
        for facts, q, line, running in self._due(seen, decisions, spent):
            name = seen.snapshot.queues.names[q]
            learned = self.runtimes if self.runtimes.is_unsaved(seen.queues[name], now) else None
            patch = _of_queue(seen, decisions, spent.get(name), learned, q, line, running)
            if patch is not None and not self.allowance.grant(1, now, STATUSES_A_SECOND):
                late = True
                break
            written = self._written(name) if patch is None else now
            self._known[name] = _Known(facts, now, written)
            made += [patch] if patch is not None else []
        return made, [self.allowance.pause] if late else []

    def _written(self, name: str) -> float:
        """When a queue's status was last written."""
        return self._known[name].written if name in self._known else -INF

    def _due(
        self, seen: Observed, decisions: Decisions, spent: Mapping[str, Spent]
    ) -> Iterator[_Due]:
        """Queues of which something is new, or that were not looked at for a while; those first
        whose status is oldest: while many are new, only so many are looked at as may be written."""
        s, now = seen.snapshot, decisions.now
        lines, admitted = lines_of(s, decisions)
        names, queues = s.gangs.names, s.queues.names
        for q in sorted(range(len(queues)), key=lambda q: self._written(queues[q])):
            name, line, running = queues[q], lines[q], admitted[q]
            known = self._known.get(name)
            top = tuple((seen.gangs[names[g]], _first_code(decisions, g)) for g in line[:TOP])
            facts = (
                seen.queues[name], len(line), running, top, decisions.use[q].tobytes(),
                seen.problems.get(name),
            )  # fmt: skip
            if known is None or name in spent or known.facts != facts \
                    or now - known.looked >= SAVE_EVERY:  # fmt: skip
                yield _Due(facts, q, line, running)


class _Due(NamedTuple):
    """A queue to look at: what is known of it, its row, its line, how many run."""

    facts: tuple[object, ...]
    q: int
    line: list[int]
    running: int


def past_of(s: Snapshot, decisions: Decisions, q: int) -> dict[tuple[str, str], float]:
    """Past use of a queue: (pool, resource) → resource-seconds."""
    return {
        (pool, resource): amount
        for pool, amounts in zip(s.pools.names, decisions.decayed[q].tolist(), strict=True)
        for resource, amount in zip(s.resources, amounts, strict=True)
        if amount and not resource.startswith(COUNTED)
    }


def _of_queue(
    seen: Observed, decisions: Decisions, metered: Spent | None, learned: Runtimes | None,
    q: int, line: list[int], running: int,
) -> Patch | None:  # fmt: skip
    """Queue.status: use, the line, conditions; past use, budget, runtimes for the next start."""
    name = seen.snapshot.queues.names[q]
    queue, past = seen.queues[name], past_of(seen.snapshot, decisions, q)
    wanted: JSON = {
        "observedGeneration": queue.metadata.generation,
        "use": [to_manifest(use) for use in _use(seen, decisions, q)],
        "pending": len(line),
        "admitted": running,
        "top": [to_manifest(_top(seen, decisions, g)) for g in line[:TOP]],
        "share": f"{float(decisions.share[q]):.3f}",
        "conditions": [to_manifest(c) for c in _conditions(seen, queue, running, decisions.now)],
    }
    have = to_manifest(queue.status)
    fixed = {key: value for key, value in wanted.items() if key != "share"}
    same = all(have.get(key) == value or (not value and key not in have)
               for key, value in fixed.items())  # fmt: skip
    stale = learned is not None or _stale(queue, past, decisions.now) or _unsaved(queue, metered)
    if same and not stale:
        return None
    if learned is not None:
        wanted["runtimes"] = learned.told(queue, decisions.now)
    if metered is not None:
        hours = decisions.committed[q] if q < len(decisions.committed) else 0.0
        wanted["budget"] = to_manifest(budgets.told(metered, hours))
    elif queue.status.budget is not None:
        wanted["budget"] = None
    wanted["decayed"] = _saved(queue, past, decisions.now)
    return Patch(resource=QUEUES, name=name, body={"status": wanted}, subresource="status")


def _saved(queue: Queue, past: Mapping[tuple[str, str], float], now: float) -> JSON:
    """Past use by pool; what is not there any more is taken out."""
    pools: dict[str, dict[str, float | None]] = {}
    for pool, amounts in (queue.status.decayed.get("pools") or {}).items():
        pools[pool] = dict.fromkeys(amounts)
    for (pool, resource), amount in past.items():
        pools.setdefault(pool, {})[resource] = round(amount, 3)
    return {"at": rfc3339(now), "pools": pools}


def _stale(queue: Queue, past: Mapping[tuple[str, str], float], now: float) -> bool:
    """Whether past use is worth another write: there is some, and the last is a while ago."""
    at = queue.status.decayed.get("at")
    return bool(past) and (not at or now - parse_rfc3339(str(at)) >= SAVE_EVERY)


def _unsaved(queue: Queue, spent: Spent | None) -> bool:
    """Whether what a budget has lost is worth another write."""
    saved = queue.status.budget
    if saved is None or spent is None:
        return saved is not None or spent is not None
    known = budgets.remembered(queue)
    if known is None or known.since != spent.since:
        return True
    return spent.hours > known.hours and spent.at - known.at >= SAVE_EVERY


def _use(seen: Observed, decisions: Decisions, q: int) -> list[PoolUse]:
    s = seen.snapshot
    found = []
    for p, pool in enumerate(s.pools.names):
        used = decisions.use[q, p].tolist()
        over = (decisions.use[q, p] - s.queues.guaranteed[q, p]).tolist()
        lent = s.queues.guaranteed[q, p].tolist()
        if s.queues.preference[q, p] == UNSET and not any(used):
            continue
        found.append(
            PoolUse(
                pool=pool,
                used=_amounts(s, seen.devices, used),
                borrowed=_amounts(
                    s, seen.devices,
                    [o if o > 0 and g > 0 else 0 for o, g in zip(over, lent, strict=True)],
                ),
            )
        )  # fmt: skip
    return found


def _amounts(s: Snapshot, devices: frozenset[str], values: list[int]) -> Amounts:
    return {
        name: amount(name, value, devices)
        for name, value in zip(s.resources, values, strict=True)
        if value and not name.endswith(PLAIN) and not name.startswith(COUNTED)
    }


def amount(resource: str, value: int, devices: frozenset[str]) -> str:
    """An amount of the core as a quantity."""
    if resource in ("cpu", UNITS) or resource in devices:
        return quantity.from_milli(value)
    return quantity.from_whole(value, binary="memory" in resource or "storage" in resource)


def _first_code(decisions: Decisions, g: int) -> str:
    reasons = decisions.why(g)
    return reasons[0].code if reasons else ""


def _top(seen: Observed, decisions: Decisions, g: int) -> QueueTop:
    """One in line, neither its name nor its shape and age: everybody may read queues."""
    priority = int(seen.snapshot.gangs.priority[g])
    return QueueTop(reason=_first_code(decisions, g), priority=priority)


def _conditions(seen: Observed, queue: Queue, running: int, now: float) -> list[Condition]:
    """Valid; and Drained, for whoever waits until a queue that is not open has run empty."""
    problem = seen.problems.get(queue.metadata.name)
    said = Condition(
        type="Valid",
        status="False" if problem else "True",
        reason=problem.reason if problem else "Valid",
        message=problem.message if problem else "",
        observed_generation=queue.metadata.generation,
    )
    found = set_condition(queue.status.conditions, said, rfc3339(now))
    state = queue.spec.state
    if state == "Open" and all(c.type != "Drained" for c in found):
        return found
    empty = state != "Open" and running == 0
    drained = Condition(
        type="Drained",
        status="True" if empty else "False",
        reason=state,
        message="" if empty or state == "Open" else "gangs of the queue still run",
        observed_generation=queue.metadata.generation,
    )
    return set_condition(found, drained, rfc3339(now))


def is_physical(resource: str) -> bool:
    """Whether a pool has it; the rest is worked out from it, or runs short on single nodes only."""
    derived = resource == UNITS or resource.endswith((PLAIN, MEMORY))
    return not derived and not resource.startswith(COUNTED)


def _physical(amounts: Amounts) -> Amounts:
    return {name: amount for name, amount in amounts.items() if is_physical(name)}


def _kept(seen: Observed, pool: Pool, count: int, now: float) -> list[Condition]:
    """Of an exclusive pool, whether its nodes are kept for us; only their owner can do that."""
    conditions, name = pool.status.conditions, pool.metadata.name
    if not pool.spec.exclusive or not count:
        return [one for one in conditions if one.type != "Exclusive"]
    open_ = seen.open.get(name, 0)
    way = f"kubectl taint node NAME {POOL}={name}:NoSchedule"
    said = Condition(
        type="Exclusive",
        status="False" if open_ else "True",
        reason="NotTainted" if open_ else "Tainted",
        message=f"kube-scheduler's pods may go to {open_} of {count} nodes, too: {way}"
        if open_ else "",
        observed_generation=pool.metadata.generation,
    )  # fmt: skip
    return set_condition(conditions, said, rfc3339(now))


def of_pools(seen: Observed, decisions: Decisions) -> Iterator[Patch]:
    """Pool.status: how many nodes, what they have, what gangs may still get of it."""
    s = seen.snapshot
    for p, name in enumerate(s.pools.names):
        pool = seen.pools[name]
        count, capacity, free = in_pool(s, decisions, p, seen.closed)
        wanted: JSON = {
            "observedGeneration": pool.metadata.generation,
            "nodes": count,
            "capacity": _physical(_amounts(s, seen.devices, capacity)),
            "free": _physical(_amounts(s, seen.devices, free)),
        }
        wanted["conditions"] = [to_manifest(c) for c in _kept(seen, pool, count, decisions.now)]
        have = to_manifest(pool.status)
        if all(have.get(key) == value or (not value and key not in have)
               for key, value in wanted.items()):  # fmt: skip
            continue
        for key in ("capacity", "free"):  # merge patches keep what they do not name
            wanted[key] = {**dict.fromkeys(have.get(key, {})), **wanted[key]}
        yield Patch(resource=POOLS, name=name, body={"status": wanted}, subresource="status")
