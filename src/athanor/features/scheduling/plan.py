"""Decisions as writes: admissions and evictions carry the version they were decided on.

Everything else here is an observation, written when it differs from what the object says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from athanor.api import registry
from athanor.api.meta import JSON, Condition, set_condition, to_manifest
from athanor.api.placement import pack
from athanor.api.scheduling import (
    Admission,
    Amounts,
    Gang,
    Placement,
    Pool,
    PoolUse,
    Queue,
    QueueTop,
    Reason,
)
from athanor.features.scheduling import gangs
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Admit,
    Decisions,
    Eviction,
    Policy,
    Snapshot,
    Why,
)
from athanor.features.scheduling.core.why import NAMES, Code
from athanor.features.scheduling.distrust import Distrust
from athanor.features.scheduling.observe import Observed, Past
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Patch, Plan

GANGS, QUEUES, POOLS = (registry.of(view) for view in (Gang, Queue, Pool))
MOST_SENTENCES = 200
"""So many waiting gangs have the numbers in their reasons kept current; beyond, only the codes."""
TOP = 10
SAVE_EVERY = 60.0
"""Seconds between two writes of past use that nothing else in a queue's status changed for."""
LOOK_AGAIN = 30.0
"""Seconds after which waiting gangs are looked at again: time alone may let them pass."""


class Planner:
    """`plan` with the memo of the cycle before; `past` is what it leaves for the next look.

    `latest` is what was last seen and decided, for those who ask why.
    Nodes that refused or lost a gang's pods are left alone for a while, longer each time.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.memo: Memo | None = None
        self.past: Past | None = None
        self.distrust = Distrust()
        self.latest: tuple[Observed, Decisions] | None = None

    def __call__(self, seen: Observed, now: float) -> Plan:
        """Decide, and say what has to be written."""
        self.distrust.learn(seen.gangs.values(), now)
        seen = msgspec.structs.replace(seen, snapshot=self.distrust.mark(seen.snapshot))
        decisions, self.memo = cycle(seen.snapshot, self.policy, now, self.memo)
        self.past = Past(now, _by_name(seen.snapshot, decisions))
        self.latest = seen, decisions
        return write(seen, decisions)


def write(seen: Observed, decisions: Decisions) -> Plan:
    """The writes that make the world say what was decided."""
    s = seen.snapshot
    actions: list[Patch] = [_admit(seen, one, decisions.now) for one in decisions.admitted]
    actions += [_evict(seen, one) for one in decisions.evicted]
    actions += _reasons(seen, decisions)
    actions += _queues(seen, decisions)
    actions += _pools(seen, decisions)
    waiting = len(decisions.line) > len(decisions.admitted)
    again = LOOK_AGAIN if waiting else SAVE_EVERY * 5 if s.queues.names else None
    return Plan(tuple(actions), again)


def _admit(seen: Observed, one: Admit, now: float) -> Patch:
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    placements = []
    for placed in one.placed:
        devices = [gangs.indices(mask) for mask in placed.devices.tolist()]
        placements.append(
            Placement(
                pod_set=s.pod_sets.names[placed.pod_set],
                count=len(placed.nodes),
                nodes=pack(s.nodes.names[n] for n in placed.nodes.tolist()),
                devices=devices if any(devices) else [],
            )
        )
    # names of pod sets are the class's: equal asks have equal names
    admission = Admission(
        queue=gangs.queue_of(gang),
        pool=s.pools.names[one.pool],
        placements=placements,
        admitted_at=rfc3339(now),
        expected_end=rfc3339(one.expected_end) if one.expected_end == one.expected_end else None,
    )
    body: JSON = {"status": {"admission": to_manifest(admission), "reasons": None}}
    return _patch(gang, body, gang.metadata.resource_version)


def _evict(seen: Observed, one: Eviction) -> Patch:
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    by = s.gangs.names[one.by] if one.by != UNSET else ""
    evict = {"deadline": rfc3339(one.deadline), "reason": one.reason, "message": one.message}
    if by.startswith(f"{gang.metadata.namespace}/"):
        evict["by"] = by  # what others run is nobody's business
    body: JSON = {"status": {"admission": {"evict": evict}}}
    return _patch(gang, body, gang.metadata.resource_version)


def _patch(gang: Gang, body: JSON, version: str = "") -> Patch:
    return Patch(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        body=body, subresource="status", resource_version=version,
    )  # fmt: skip


def _reasons(seen: Observed, decisions: Decisions) -> Iterator[Patch]:
    """Reasons of waiting gangs that say something new."""
    s = seen.snapshot
    number = {name: g for g, name in enumerate(s.gangs.names)}
    admitted = {s.gangs.names[one.gang] for one in decisions.admitted}
    exact = len(decisions.line) <= MOST_SENTENCES
    said: dict[int, list[Reason]] = {}
    for name, gang in seen.gangs.items():
        if gang.status.admission is not None or name in admitted:
            continue
        refused = seen.refused.get(name)
        if refused is not None:
            wanted = [Reason(code=NAMES[Code(refused.code)], message=refused.message)]
        else:
            index = int(decisions.reasons[number[name]])
            wanted = said.setdefault(index, _said(decisions.whys[index]) if index >= 0 else [])
        if _news(gang.status.reasons, wanted, exact=exact):
            body: JSON = {"status": {"reasons": [to_manifest(r) for r in wanted] or None}}
            yield _patch(gang, body)


def _said(reasons: tuple[Why, ...]) -> list[Reason]:
    return [Reason(code=w.code, message=w.message, details=dict(w.details)) for w in reasons]


def _news(have: list[Reason], wanted: list[Reason], *, exact: bool) -> bool:
    if exact:
        return have != wanted
    return [r.code for r in have] != [r.code for r in wanted]


def _by_name(s: Snapshot, decisions: Decisions) -> dict[str, dict[tuple[str, str], float]]:
    return {
        queue: {
            (pool, resource): amount
            for pool, amounts in zip(s.pools.names, decisions.decayed[q].tolist(), strict=True)
            for resource, amount in zip(s.resources, amounts, strict=True)
            if amount
        }
        for q, queue in enumerate(s.queues.names)
    }


def _queues(seen: Observed, decisions: Decisions) -> Iterator[Patch]:
    """Queue.status: use, the line, conditions, and past use for the next start."""
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
    past = _by_name(s, decisions)
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
            "conditions": [to_manifest(c) for c in _conditions(seen, queue, decisions.now)],
        }
        have = to_manifest(queue.status)
        fixed = {key: value for key, value in wanted.items() if key != "share"}
        same = all(have.get(key) == value or (not value and key not in have)
                   for key, value in fixed.items())  # fmt: skip
        if same and not _stale(queue, past[name], decisions.now):
            continue
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
        if value
    }


def amount(resource: str, value: int, devices: frozenset[str]) -> str:
    """An amount of the core as a quantity."""
    if resource == "cpu" or resource in devices:
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


def _conditions(seen: Observed, queue: Queue, now: float) -> list[Condition]:
    problem = seen.problems.get(queue.metadata.name)
    said = Condition(
        type="Valid",
        status="False" if problem else "True",
        reason=problem.reason if problem else "Valid",
        message=problem.message if problem else "",
        observed_generation=queue.metadata.generation,
    )
    return set_condition(queue.status.conditions, said, rfc3339(now))


def _pools(seen: Observed, decisions: Decisions) -> Iterator[Patch]:
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
            "capacity": _amounts(s, seen.devices, capacity.tolist()),
            "free": _amounts(s, seen.devices, (capacity - used).tolist()),
        }
        have = to_manifest(pool.status)
        if all(have.get(key) == value or (not value and key not in have)
               for key, value in wanted.items()):  # fmt: skip
            continue
        for key in ("capacity", "free"):  # merge patches keep what they do not name
            wanted[key] = {**dict.fromkeys(have.get(key, {})), **wanted[key]}
        yield Patch(resource=POOLS, name=name, body={"status": wanted}, subresource="status")
