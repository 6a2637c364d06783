"""Queues as rows, and what is wrong with them: a problem names the queue's field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from athanor.api.amounts import Amounts
from athanor.api.scheduling import Pool, PoolQuota, Queue
from athanor.features.scheduling import nodes
from athanor.features.scheduling.core.rows import NAN, QueueRow, QuotaRow
from athanor.features.scheduling.core.snapshot import UNITS, Consent, QueueState
from athanor.features.scheduling.core.why import amount as said_amount
from athanor.features.scheduling.rates import MEMORY
from athanor.kit import quantity
from athanor.kit.quantity import QuantityError
from athanor.kit.times import parse_rfc3339

STATES = {
    "Open": QueueState.OPEN, "Hold": QueueState.HOLD,
    "Drain": QueueState.DRAIN, "Closed": QueueState.CLOSED,
}  # fmt: skip
CONSENT = {
    "Never": Consent.NEVER, "LowerPriority": Consent.LOWER_PRIORITY, "Any": Consent.ANY
}  # fmt: skip

OVER_POOL = "GuaranteesOverPool"
"""A problem that may pass by itself: pools grow, and lose nodes for a while."""


class Problem(NamedTuple):
    """What is wrong with a queue. `fatal`: its gangs cannot be admitted until it is mended."""

    reason: str
    message: str
    fatal: bool = True


def problems(queues: Sequence[Queue], pools: Mapping[str, Amounts]) -> dict[str, Problem]:
    """The first problem of each queue that has one. `pools`: what each has, where that is known."""
    by_name = {queue.metadata.name: queue for queue in queues}
    found: dict[str, Problem] = {}
    for name, queue in by_name.items():
        problem = _own(queue) or _tree(queue, by_name) or _places(queue, pools)
        if problem is not None:
            found[name] = problem
    for name, queue in by_name.items():
        for up in above(queue.spec.parent, by_name):
            wrong = found.get(up.metadata.name)
            if (name not in found or not found[name].fatal) and wrong is not None and wrong.fatal:
                text = f"spec.parent: queue {up.metadata.name} is not valid: {wrong.message}"
                found[name] = Problem("ParentInvalid", text)
    children: dict[str, list[Queue]] = {}
    for name, queue in sorted(by_name.items()):
        if name not in found:
            children.setdefault(queue.spec.parent, []).append(queue)
    for name, queue in by_name.items():
        over = None if name in found else _children(queue, children.get(name, ()))
        if over is not None:
            found[name] = over
    for name, over in _roots(children.get("", ()), pools):
        found.setdefault(name, over)
    return found


def capacities(pools: Iterable[Pool]) -> dict[str, Amounts]:
    """What each pool has, by its status; nothing where it may grow or has no node."""
    return {
        pool.metadata.name: {} if pool.spec.elastic or not pool.status.nodes
        else pool.status.capacity
        for pool in pools
    }  # fmt: skip


def _own(queue: Queue) -> Problem | None:
    budget = queue.spec.budget
    try:
        nodes.amounts(queue.spec.user_limit)
        quantity.parse(str(budget.gpu_hours) if budget else "0")
    except QuantityError as problem:
        return Problem("InvalidQuantity", f"spec.userLimit or spec.budget.gpuHours: {problem}")
    for i, quota in enumerate(queue.spec.pools):
        field = f"spec.pools[{i}]"
        try:
            guaranteed, deserved, limit, lendable = (
                nodes.amounts(a)
                for a in (quota.guaranteed, quota.deserved, quota.limit, quota.lendable)
            )
        except QuantityError as problem:
            return Problem("InvalidQuantity", f"{field}: {problem}")
        for small, large, names in (
            (guaranteed, deserved, ("guaranteed", "deserved")),
            (deserved, limit, ("deserved", "limit")),
            (guaranteed, limit, ("guaranteed", "limit")),
            (lendable, guaranteed, ("lendable", "guaranteed")),
        ):
            wrong = [r for r in small if r in large and small[r] > large[r]]
            if wrong:
                text = f"{field}.{names[0]}.{wrong[0]} is more than {field}.{names[1]}"
                return Problem("InvalidQuota", f"{text}.{wrong[0]}")
    return None


def _tree(queue: Queue, by_name: Mapping[str, Queue]) -> Problem | None:
    seen = [queue.metadata.name]
    up = queue.spec.parent
    while up:
        if up not in by_name:
            owner = seen[-1]
            return Problem("ParentNotFound", f"spec.parent: {owner}: there is no queue {up}")
        if up in seen:
            circle = " → ".join([*seen[seen.index(up) :], up])
            return Problem("Cycle", f"spec.parent: the parents form a circle: {circle}")
        seen.append(up)
        up = by_name[up].spec.parent
    return None


def _places(queue: Queue, pools: Mapping[str, Amounts]) -> Problem | None:
    """Pools that are not there. A queue with no other would be taken for one that names none."""
    lost = all(quota.pool not in pools for quota in queue.spec.pools)
    for i, quota in enumerate(queue.spec.pools):
        if quota.pool not in pools:
            text = f"spec.pools[{i}].pool: there is no pool {quota.pool}"
            return Problem("PoolNotFound", text, fatal=lost)
    return None


def _children(queue: Queue, children: Sequence[Queue]) -> Problem | None:
    """Children are not guaranteed more than their parent has (where it says what it has)."""
    for i, quota in enumerate(queue.spec.pools):
        for resource, own in nodes.amounts(quota.guaranteed).items():
            mine = [
                (child.metadata.name, nodes.amounts(q.guaranteed).get(resource, 0))
                for child in children
                for q in child.spec.pools
                if q.pool == quota.pool
            ]
            if sum(amount for _, amount in mine) > own:
                said = ", ".join(name for name, amount in mine if amount)
                text = f"spec.pools[{i}].guaranteed.{resource}: its children's ({said}) are more"
                return Problem("ChildrenOverGuarantee", text, fatal=False)
    return None


def _roots(roots: Sequence[Queue], pools: Mapping[str, Amounts]) -> Iterator[tuple[str, Problem]]:
    """All that is guaranteed at the top has to be there: else nobody's guarantee can be kept."""
    promised: dict[tuple[str, str], list[tuple[Queue, int, int]]] = {}
    for queue in roots:
        for i, quota in enumerate(queue.spec.pools):
            for resource, amount in nodes.amounts(quota.guaranteed).items():
                if amount and resource != UNITS and not resource.endswith(MEMORY):
                    promised.setdefault((quota.pool, resource), []).append((queue, i, amount))
    for (pool, resource), some in promised.items():
        has = nodes.amounts(pools.get(pool) or {}).get(resource, 0)
        total = sum(amount for _, _, amount in some)
        if not pools.get(pool) or total <= has:
            continue
        names = ", ".join(queue.metadata.name for queue, _, _ in some)
        all_, there = said_amount(resource, total, ()), said_amount(resource, has, ())
        for queue, i, _ in some:
            text = f"spec.pools[{i}].guaranteed.{resource}: the queues at the top ({names}) are"
            text = f"{text} guaranteed {all_}, more than the {there} of pool {pool}"
            yield queue.metadata.name, Problem(OVER_POOL, text, fatal=False)


def row(
    queue: Queue, devices: frozenset[str], decayed: Mapping[tuple[str, str], float], at: float
) -> QueueRow:
    """The queue as the core reads it; call it for queues without a fatal problem."""
    spec = queue.spec
    preemption = spec.preemption
    share = spec.fair_share
    return QueueRow(
        name=queue.metadata.name,
        parent=spec.parent,
        quotas={quota.pool: _quota(quota, devices) for quota in spec.pools},
        strict=spec.ordering == "StrictFIFO",
        weight=share.weight if share else 1,
        half_life=float(share.half_life_seconds) if share and share.half_life_seconds else NAN,
        state=STATES[spec.state],
        within=CONSENT[preemption.within_queue if preemption else "LowerPriority"],
        reclaim=CONSENT[preemption.reclaim if preemption else "Any"],
        min_runtime=float(preemption.min_runtime_seconds) if preemption else 0.0,
        max_runtime=float(spec.max_runtime_seconds or "inf"),
        user_limit=amounts_of(spec.user_limit, devices),
        decayed=decayed,
        decayed_at=at,
    )


def remembered(queue: Queue) -> tuple[dict[tuple[str, str], float], float]:
    """Past use as the queue's status has it, and as of when (NaN: nothing is known)."""
    said = queue.status.decayed
    try:
        at = parse_rfc3339(str(said["at"]))
        return {
            (pool, resource): float(amount)
            for pool, amounts in dict(said["pools"]).items()
            for resource, amount in dict(amounts).items()
        }, at
    except (KeyError, TypeError, ValueError):
        return {}, NAN  # never written, or not by us: past use starts anew


def _quota(quota: PoolQuota, devices: frozenset[str]) -> QuotaRow:
    return QuotaRow(
        guaranteed=amounts_of(quota.guaranteed, devices),
        deserved=amounts_of(quota.deserved, devices),
        limit=amounts_of(quota.limit, devices),
        lendable=amounts_of(quota.lendable, devices),
        spill_after=float(quota.spill_after_seconds or 0),
    )


def amounts_of(said: Amounts, devices: frozenset[str]) -> dict[str, int]:
    """Amounts in the core's units: devices and cost units in thousandths. Raises QuantityError."""
    plain = {name: text for name, text in said.items() if name != UNITS}
    found = {
        name: amount * 1000 if name in devices else amount
        for name, amount in nodes.amounts(plain).items()
    }
    return {**found, UNITS: quantity.milli(str(said[UNITS]))} if UNITS in said else found


def above(name: str, by_name: Mapping[str, Queue]) -> list[Queue]:
    """The queue and those above it; a circle is cut where it closes."""
    path: dict[str, Queue] = {}
    while name in by_name and name not in path:
        path[name] = by_name[name]
        name = by_name[name].spec.parent
    return list(path.values())


def most_grace(name: str, by_name: Mapping[str, Queue]) -> tuple[int, str] | None:
    """The nearest limit of the time for a checkpoint from the queue up, and the queue that has it;
    None where none has.
    """
    said = [
        (preemption.max_grace_seconds, queue.metadata.name)
        for queue in above(name, by_name)
        if (preemption := queue.spec.preemption) and preemption.max_grace_seconds is not None
    ]
    return min(said, key=lambda one: one[0], default=None)


def longest(name: str, by_name: Mapping[str, Queue]) -> int | None:
    """The nearest limit of the running time from the queue up, in seconds."""
    return _least(q.spec.max_runtime_seconds for q in above(name, by_name))


def longest_start(name: str, by_name: Mapping[str, Queue]) -> int | None:
    """The nearest limit of the time until all ranks have started, in seconds."""
    return _least(q.spec.max_start_seconds for q in above(name, by_name))


def _least(said: Iterable[int | None]) -> int | None:
    return min((seconds for seconds in said if seconds), default=None)
