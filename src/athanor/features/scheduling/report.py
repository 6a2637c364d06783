"""What the scheduler says of queues and pools: their statuses, when they say something new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from athanor.api.meta import JSON, Condition, set_condition, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Amounts, Pool, PoolUse, Queue, QueueTop
from athanor.features.scheduling import budgets
from athanor.features.scheduling.budgets import Spent
from athanor.features.scheduling.core.snapshot import UNITS, UNSET, Decisions, Snapshot
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.pods import HOST_PORT
from athanor.features.scheduling.rates import MEMORY, PLAIN
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Patch

QUEUES, POOLS = of(Queue), of(Pool)
TOP = 10
COUNTED = (HOST_PORT, "attachable-")
"""What only single nodes run short of."""
SAVE_EVERY = 60.0
"""Seconds between two writes of past use that nothing else in a queue's status changed for."""


def by_name(s: Snapshot, decisions: Decisions) -> dict[str, dict[tuple[str, str], float]]:
    """Past use: queue → (pool, resource) → resource-seconds."""
    return {
        queue: {
            (pool, resource): amount
            for pool, amounts in zip(s.pools.names, decisions.decayed[q].tolist(), strict=True)
            for resource, amount in zip(s.resources, amounts, strict=True)
            if amount
        }
        for q, queue in enumerate(s.queues.names)
    }


def of_queues(seen: Observed, decisions: Decisions, spent: Mapping[str, Spent]) -> Iterator[Patch]:
    """Queue.status: use, the line, conditions; past use and budget for the next start."""
    s = seen.snapshot
    queue_of = s.gangs.queue.tolist()
    admitted = {one.gang for one in decisions.admitted}
    lines: dict[int, list[int]] = {}
    running: dict[int, int] = {}
    for g in decisions.line.tolist():
        if g not in admitted:
            lines.setdefault(queue_of[g], []).append(g)
    waiting = {g for line in lines.values() for g in line}
    for g, q in enumerate(queue_of):
        if g not in waiting:
            running[q] = running.get(q, 0) + 1
    past = by_name(s, decisions)
    for q, name in enumerate(s.queues.names):
        queue = seen.queues[name]
        line = lines.get(q, [])
        wanted: JSON = {
            "observedGeneration": queue.metadata.generation,
            "use": [to_manifest(use) for use in _use(seen, decisions, q)],
            "pending": len(line),
            "admitted": running.get(q, 0),
            "top": [to_manifest(_top(seen, decisions, g)) for g in line[:TOP]],
            "share": f"{float(decisions.share[q]):.3f}",
            "conditions": [
                to_manifest(c) for c in _conditions(seen, queue, running.get(q, 0), decisions.now)
            ],
        }
        have = to_manifest(queue.status)
        fixed = {key: value for key, value in wanted.items() if key != "share"}
        same = all(have.get(key) == value or (not value and key not in have)
                   for key, value in fixed.items())  # fmt: skip
        metered = spent.get(name)
        stale = _stale(queue, past[name], decisions.now) or _unsaved(queue, metered)
        if same and not stale:
            continue
        if metered is not None:
            hours = decisions.committed[q] if q < len(decisions.committed) else 0.0
            wanted["budget"] = to_manifest(budgets.told(metered, hours))
        elif queue.status.budget is not None:
            wanted["budget"] = None
        wanted["decayed"] = _saved(queue, past[name], decisions.now)
        yield Patch(resource=QUEUES, name=name, body={"status": wanted}, subresource="status")


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


def _top(seen: Observed, decisions: Decisions, g: int) -> QueueTop:
    """One in line, without its name: everybody may read queues."""
    s = seen.snapshot
    reasons, klass = decisions.why(g), int(s.gangs.klass[g])
    rows = slice(int(s.classes.first[klass]), int(s.classes.first[klass + 1]))
    asked = s.pod_sets.count[rows] @ s.shapes.request[s.pod_sets.shape[rows]]
    return QueueTop(
        reason=reasons[0].code if reasons else "",
        priority=int(s.gangs.priority[g]),
        since=rfc3339(float(s.gangs.created[g])),
        asks=_amounts(s, seen.devices, asked.tolist()),
    )


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


def _physical(amounts: Amounts) -> Amounts:
    """Without what is only counted."""
    return {n: a for n, a in amounts.items() if n != UNITS and not n.endswith(MEMORY)}


def of_pools(seen: Observed, decisions: Decisions) -> Iterator[Patch]:
    """Pool.status: how many nodes, what they have, what is free."""
    s = seen.snapshot
    of_node = s.nodes.pool.tolist()
    for p, name in enumerate(s.pools.names):
        pool = seen.pools[name]
        rows = [n for n, owner in enumerate(of_node) if owner == p]
        capacity = s.nodes.capacity[rows].sum(axis=0)
        used = s.nodes.foreign[rows].sum(axis=0) + decisions.held_in_pool[p]
        wanted: JSON = {
            "observedGeneration": pool.metadata.generation,
            "nodes": len(rows),
            "capacity": _physical(_amounts(s, seen.devices, capacity.tolist())),
            "free": _physical(_amounts(s, seen.devices, (capacity - used).tolist())),
        }
        have = to_manifest(pool.status)
        if all(have.get(key) == value or (not value and key not in have)
               for key, value in wanted.items()):  # fmt: skip
            continue
        for key in ("capacity", "free"):  # merge patches keep what they do not name
            wanted[key] = {**dict.fromkeys(have.get(key, {})), **wanted[key]}
        yield Patch(resource=POOLS, name=name, body={"status": wanted}, subresource="status")
