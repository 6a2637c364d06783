"""Decisions as writes: admissions and evictions carry the version they were decided on.

Everything else here is an observation, written when it differs from what the object says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from athanor.api.meta import JSON, Condition, set_condition, to_manifest
from athanor.api.placement import pack
from athanor.api.registry import of
from athanor.api.scheduling import Admission, Gang, Placement
from athanor.features.scheduling import (
    allotments,
    budgets,
    gangs,
    given,
    neighbours,
    pods,
    queues,
    reservations,
)
from athanor.features.scheduling.budgets import Books, Spent
from athanor.features.scheduling.core.builder import Past
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
    Snapshot,
)
from athanor.features.scheduling.core.start import spill_times
from athanor.features.scheduling.distrust import Distrust
from athanor.features.scheduling.fleet import Fleets
from athanor.features.scheduling.metrics import Meters
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.reasons import Telling
from athanor.features.scheduling.record import Recorder
from athanor.features.scheduling.report import SAVE_EVERY, Reporter
from athanor.features.scheduling.runtimes import Runtimes
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Action, Plan, Replace, merged

GANGS = of(Gang)
WORKING = ("Admitted", "Starting", "Running", "Restarting")
LOOK_AGAIN = 30.0
"""Seconds after which waiting gangs are looked at again: time alone may let them pass."""
SPILLS_APART = 1.0
"""Seconds from one look to the next where only more pools open to who waits."""


class Planner:
    """`plan` with the memo of the cycle before; `past` is what it leaves for the next look.

    `latest` is what was last seen and decided, for those who ask why; `after` is called when it is
    new. In the namespace `home` it remembers gangs that are over, and what nodes there were.
    Nodes that refused or lost a gang's pods are left alone for a while, longer each time.
    """

    def __init__(
        self, policy: Policy | None = None, meters: Meters | None = None, home: str = ""
    ) -> None:  # fmt: skip
        self.policy = policy or Policy()
        self.meters = meters or Meters(lambda: 0.0)
        self.memo: Memo | None = None
        self.past: Past | None = None
        self.distrust = Distrust()
        self.books = Books()
        self.runtimes = Runtimes()
        self.telling = Telling()
        self.reporter = Reporter(self.runtimes)
        self.recorder = Recorder(home)
        self.fleets = Fleets(home)
        self.latest: tuple[Observed, Decisions] | None = None
        self.after: Callable[[], None] = lambda: None

    def __call__(self, seen: Observed, now: float) -> Plan:
        """Decide, and say what has to be written."""
        self.distrust.learn(seen.failing, now)
        seen = msgspec.structs.replace(seen, snapshot=self.distrust.mark(seen.snapshot))
        spent = self.books.charge(seen.queues, seen.meters, seen.ended, now)
        snapshot = budgets.mark(seen.snapshot, seen.queues, spent)
        self.runtimes.learn(seen.finished, seen.devices, seen.queues, now)
        snapshot = self.runtimes.mark(snapshot, seen.kinds, seen.paths, now)
        seen = msgspec.structs.replace(seen, snapshot=snapshot)
        decisions, self.memo = cycle(seen.snapshot, self.policy, now, self.memo, self.meters.enter)
        decisions = neighbours.keep(seen.machines, seen.gangs, seen.snapshot, decisions)
        decisions = allotments.keep(seen.rooms, seen.gangs, seen.snapshot, decisions)
        decisions = given.keep(seen.given, seen.gangs, seen.snapshot, decisions)
        self.meters.decided(seen, decisions, spent)
        s = seen.snapshot
        self.past = Past(now, s.queues.names, s.pools.names, s.resources, decisions.decayed)
        self.latest = seen, decisions
        self.after()
        actions = decided(seen, decisions)
        told, more = self.telling(seen, decisions)
        reported, moments = self.reporter(seen, decisions, spent)
        actions += told + reported
        actions += reservations.statuses(seen.reservations, seen.ground, now)
        recorded, later = self.recorder(seen.finished, seen.records, now)
        machines, soon = self.fleets(seen, now)
        moments += [*more, *later, *soon, *_moments(seen, decisions, spent)]
        return Plan((*actions, *recorded, *machines), min(moments, default=None))


def decided(seen: Observed, decisions: Decisions) -> list[Action]:
    """The writes that make the world do what was decided."""
    return [
        *(_admit(seen, one, decisions.now) for one in decisions.admitted),
        *(_evict(seen, one, decisions.now) for one in decisions.evicted),
        *(_shrink(seen, one) for one in decisions.shrunk),
        *(_move(seen, one, decisions.now) for one in decisions.moved),
    ]


def _moments(
    seen: Observed, decisions: Decisions, spent: Mapping[str, Spent]
) -> Iterator[float]:  # fmt: skip
    """Seconds until time alone may change something."""
    waiting = len(decisions.line) > len(decisions.admitted)
    metered = bool(spent) and any(meter.rate for meter in seen.meters.values())
    if waiting or metered:
        yield LOOK_AGAIN
    elif seen.snapshot.queues.names:
        yield SAVE_EVERY * 5
    if waiting and (spill := _next_spill(seen.snapshot, decisions)) is not None:
        yield spill
    change = reservations.next_change(seen.reservations, decisions.now)
    if change is not None:
        yield change + 0.05


def _next_spill(s: Snapshot, decisions: Decisions) -> float | None:
    """Seconds until somebody in line may use one more pool; many of them share a look."""
    times = s.gangs.created[decisions.line][:, None] + spill_times(s.queues)
    ahead = times[times > decisions.now]
    return max(float(ahead.min()) - decisions.now, SPILLS_APART) if ahead.size else None


def _admit(seen: Observed, one: Admit, now: float) -> Replace:
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    placements = [_placement(seen, placed) for placed in one.placed]
    # names of pod sets are the class's: equal asks have equal names
    queue = s.queues.names[int(s.gangs.queue[one.gang])]
    spec = gang.spec
    most = queues.most_grace(queue, seen.queues)
    admission = Admission(
        queue=queue,
        pool=s.pools.names[one.pool],
        placements=placements,
        admitted_at=rfc3339(now),
        expected_end=rfc3339(one.expected_end) if one.expected_end == one.expected_end else None,
        max_runtime_seconds=_nearer(queues.longest(queue, seen.queues), spec.max_runtime_seconds),
        max_start_seconds=_nearer(queues.longest_start(queue, seen.queues), spec.max_start_seconds),
        max_grace_seconds=most[0] if most else None,
    )
    status = msgspec.structs.replace(
        gang.status, admission=admission, phase="Starting", attempt=gang.spec.attempt,
        observed_generation=gang.metadata.generation, reasons=[], reason="", message="",
        failures=[], ready=gangs.unready(gang),
    )  # fmt: skip
    return _decided(gang, to_manifest(status))


def _nearer(limit: int | None, own: int | None) -> int | None:
    """The queue's limit where the gang's own is not nearer."""
    return limit if limit and (own is None or limit < own) else None


def _decided(gang: Gang, status: JSON) -> Replace:
    return Replace(
        resource=GANGS, name=gang.metadata.name, namespace=gang.metadata.namespace,
        status=status, resource_version=gang.metadata.resource_version,
    )  # fmt: skip


def _changed(gang: Gang, status: JSON) -> Replace:
    return _decided(gang, merged(to_manifest(gang.status), status))


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


def _move(seen: Observed, one: Move, now: float) -> Replace:
    """A running gang's new places: more ranks, or others for those that lost their node."""
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    before = gang.status.admission
    admission: JSON = {
        "placements": [to_manifest(_placement(seen, placed)) for placed in one.placed],
        "generation": (before.generation if before is not None else 0) + 1,
        "changedAt": rfc3339(now),
    }
    return _changed(gang, {"admission": admission})


def _shrink(seen: Observed, one: Shrink) -> Replace:
    """Some ranks have to go; gangs takes them out of the placements when they have."""
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    shrink = {
        "counts": dict(zip((p.name for p in gang.spec.pod_sets), one.counts, strict=True)),
        "deadline": rfc3339(one.deadline), "reason": one.reason, "message": one.message,
    }  # fmt: skip
    return _changed(gang, {"admission": {"shrink": shrink}})


def _evict(seen: Observed, one: Eviction, now: float) -> Replace:
    """The order to leave; a gang that works is Evicting from then on."""
    s = seen.snapshot
    gang = seen.gangs[s.gangs.names[one.gang]]
    by = s.gangs.names[one.by] if one.by != UNSET else ""
    evict = {"deadline": rfc3339(one.deadline), "reason": one.reason, "message": one.message}
    if by.startswith(f"{gang.metadata.namespace}/"):
        evict["by"] = by  # what others run is nobody's business
    body: JSON = {"admission": {"evict": evict}}
    if gang.status.phase in WORKING:
        body |= {"phase": "Evicting", "reason": one.reason, "message": one.message}
        said = gang.status.conditions
        if any(c.type == "Running" and c.status == "True" for c in said):
            over = Condition(
                type="Running", status="False", reason=one.reason, message=one.message,
                observed_generation=gang.metadata.generation,
            )  # fmt: skip
            said = set_condition(said, over, rfc3339(now))
            body["conditions"] = [to_manifest(condition) for condition in said]
    return _changed(gang, body)
