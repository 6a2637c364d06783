"""Decisions as writes: admissions and evictions carry the version they were decided on.

Everything else here is an observation, written when it differs from what the object says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from athanor.api import registry
from athanor.api.meta import JSON, to_manifest
from athanor.api.placement import pack
from athanor.api.scheduling import Admission, Gang, Placement, Reason
from athanor.features.scheduling import budgets, gangs, pods, queues, report, reservations
from athanor.features.scheduling.budgets import Books, Spent
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Admit,
    Decisions,
    Eviction,
    Move,
    Placed,
    Policy,
    Shrink,
    Why,
)
from athanor.features.scheduling.core.why import NAMES, Code
from athanor.features.scheduling.distrust import Distrust
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.observe import Observed, Past
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Patch, Plan

GANGS = registry.of(Gang)
MOST_SENTENCES = 200
"""So many waiting gangs have the numbers in their reasons kept current; beyond, only the codes."""
MOST_REASONS = 100
"""So many reasons are written a look: in a flood of arrivals the next admissions come first, and
most of those that came are admitted before anybody could read why they wait."""
REST = 0.1
"""Seconds until the others are looked at."""
LOOK_AGAIN = 30.0
"""Seconds after which waiting gangs are looked at again: time alone may let them pass."""


class Planner:
    """`plan` with the memo of the cycle before; `past` is what it leaves for the next look.

    `latest` is what was last seen and decided, for those who ask why; `after` is called when it is
    new.
    Nodes that refused or lost a gang's pods are left alone for a while, longer each time.
    """

    def __init__(self, policy: Policy | None = None, meters: Meters | None = None) -> None:
        self.policy = policy or Policy()
        self.meters = meters or Meters(lambda: 0.0)
        self.memo: Memo | None = None
        self.past: Past | None = None
        self.distrust = Distrust()
        self.books = Books()
        self.latest: tuple[Observed, Decisions] | None = None
        self.after: Callable[[], None] = lambda: None

    def __call__(self, seen: Observed, now: float) -> Plan:
        """Decide, and say what has to be written."""
        self.distrust.learn(seen.gangs.values(), now)
        seen = msgspec.structs.replace(seen, snapshot=self.distrust.mark(seen.snapshot))
        spent = self.books.charge(seen.queues, seen.meters, seen.ended, now)
        snapshot = budgets.mark(seen.snapshot, seen.queues, spent)
        seen = msgspec.structs.replace(seen, snapshot=snapshot)
        decisions, self.memo = cycle(seen.snapshot, self.policy, now, self.memo, self.meters.enter)
        self.meters.decided(seen.snapshot, decisions, spent)
        self.past = Past(now, report.by_name(seen.snapshot, decisions))
        self.latest = seen, decisions
        self.after()
        return write(seen, decisions, spent)


def write(seen: Observed, decisions: Decisions, spent: Mapping[str, Spent]) -> Plan:
    """The writes that make the world say what was decided."""
    s = seen.snapshot
    actions: list[Patch] = [_admit(seen, one, decisions.now) for one in decisions.admitted]
    actions += [_evict(seen, one) for one in decisions.evicted]
    actions += [_shrink(seen, one) for one in decisions.shrunk]
    actions += [_move(seen, one, decisions.now) for one in decisions.moved]
    reasons = list(_reasons(seen, decisions))
    actions += reasons[:MOST_REASONS]
    actions += report.of_queues(seen, decisions, spent)
    actions += report.of_pools(seen, decisions)
    actions += reservations.statuses(seen.reservations, seen.ground, decisions.now)
    waiting = len(decisions.line) > len(decisions.admitted)
    metered = any(meter.rate for meter in seen.meters.values()) and bool(spent)
    moments = (
        [LOOK_AGAIN] if waiting or metered else [report.SAVE_EVERY * 5] if s.queues.names else []
    )
    change = reservations.next_change(seen.reservations, decisions.now)
    moments += [change + 0.05] if change is not None else []
    moments += [REST] if len(reasons) > MOST_REASONS else []
    return Plan(tuple(actions), min(moments, default=None))


def _admit(seen: Observed, one: Admit, now: float) -> Patch:
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    placements = [_placement(seen, placed) for placed in one.placed]
    # names of pod sets are the class's: equal asks have equal names
    longest = queues.longest(gangs.queue_of(gang), seen.queues)
    own = gang.spec.max_runtime_seconds
    admission = Admission(
        queue=gangs.queue_of(gang),
        pool=s.pools.names[one.pool],
        placements=placements,
        admitted_at=rfc3339(now),
        expected_end=rfc3339(one.expected_end) if one.expected_end == one.expected_end else None,
        max_runtime_seconds=longest if longest and (own is None or longest < own) else None,
    )
    body: JSON = {"status": {"admission": to_manifest(admission), "reasons": None}}
    return _patch(gang, body, gang.metadata.resource_version)


def _placement(seen: Observed, placed: Placed) -> Placement:
    s = seen.snapshot
    shape, nodes = int(s.pod_sets.shape[placed.pod_set]), set(placed.nodes.tolist())
    offered = [seen.sharing.get(s.nodes.names[n], "None") for n in nodes]
    devices = [gangs.indices(mask) for mask in placed.devices.tolist()]
    slots = placed.slots.tolist()
    return Placement(
        pod_set=s.pod_sets.names[placed.pod_set],
        count=len(placed.nodes),
        nodes=pack(s.nodes.names[n] for n in placed.nodes.tolist()),
        devices=devices if any(devices) else [],
        slots=slots if any(slot != UNSET for slot in slots) else [],
        isolation=pods.isolation(s.shapes, shape, offered),
    )


def _move(seen: Observed, one: Move, now: float) -> Patch:
    """A running gang's new places: more ranks, or others for those that lost their node."""
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    before = gang.status.admission
    admission: JSON = {
        "placements": [to_manifest(_placement(seen, placed)) for placed in one.placed],
        "generation": (before.generation if before is not None else 0) + 1,
        "changedAt": rfc3339(now),
    }
    return _patch(gang, {"status": {"admission": admission}}, gang.metadata.resource_version)


def _shrink(seen: Observed, one: Shrink) -> Patch:
    """Some ranks have to go; gangs takes them out of the placements when they have."""
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    shrink = {
        "counts": dict(zip((p.name for p in gang.spec.pod_sets), one.counts, strict=True)),
        "deadline": rfc3339(one.deadline), "reason": one.reason, "message": one.message,
    }  # fmt: skip
    body: JSON = {"status": {"admission": {"shrink": shrink}}}
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
