"""The status a gang gets: what its situation means, in fields and in words."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from athanor.api.ends import REFUSALS, PastRun
from athanor.api.placement import pack, unpack
from athanor.api.scheduling import Admission, Gang, GangPhase, GangStatus, PodCounts, Shrink
from athanor.features.gangs import status as write
from athanor.features.gangs.judge import Situation, first_words, is_live, longest
from athanor.features.gangs.observe import OUT_OF_SERVICE, Observed
from athanor.features.gangs.ranks import (
    is_alive,
    name_of,
    run_of,
    sorted_by_run,
    stuck,
    views,
)
from athanor.features.gangs.states import FINISHED, WAITING, WORKING, Event
from athanor.kit.times import parse_rfc3339, rfc3339

RESIZED = "Resized"
"""The reason of a gang that starts again at another size, after a checkpoint."""
NOT_STARTED = "NotStarted"
"""The reason of a gang that gave its places back because some of its ranks did not start."""
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds until such a gang is tried again: twice as long each time in a row."""
MOST_RUNS = 8
"""So many runs that evictions ended are told: the first and the last ones."""


def tell(
    s: Situation, observed: Observed, event: Event, phase: GangPhase, now: float
) -> GangStatus:
    """The whole status after an event; `phase` is where it led."""
    old = s.gang.status
    moved = phase != old.phase
    released = moved and old.phase == "Evicting" and phase in WAITING
    fresh = released or event == "admitted" or (moved and phase == "Restarting")
    status = msgspec.structs.replace(
        old, phase=phase, observed_generation=s.gang.metadata.generation,
        progress=write.fresh_progress(
            old.progress, write.progress(observed.pods), now, last=moved
        ),
    )  # fmt: skip
    status = _size_told(s, event, status, released=released)
    if fresh or phase in WAITING:
        status = msgspec.structs.replace(status, attempt=s.gang.spec.attempt)
    if released:
        status = msgspec.structs.replace(
            status, admission=None, evictions=old.evictions + 1, started_at=None,
            ran_seconds=old.ran_seconds + _ran(old.admission, now), runs=past_runs(old, now),
        )  # fmt: skip
    status = msgspec.structs.replace(status, retry_at=_retry_at(status, now, released=released))
    status = _ranks_told(s, observed, status, fresh=fresh, released=released)
    status = _times_told(status, moved, now)
    reason, message = _words(s, observed, event, status)
    conditions = write.conditions(s.gang, phase, reason, message, now)
    return msgspec.structs.replace(status, reason=reason, message=message, conditions=conditions)


def _retry_at(status: GangStatus, now: float, *, released: bool) -> str | None:
    """When a gang that did not start, or that a kubelet turned away for what it asks, is tried
    again; None: now."""
    if status.phase != "Pending":
        return None
    if not released:
        at = status.retry_at
        return at if at is not None and now < parse_rfc3339(at) else None
    vain = takewhile(lambda run: run.reason in {NOT_STARTED, *REFUSALS}, reversed(status.runs))
    times = len(list(vain))
    return rfc3339(now + min(FIRST_PAUSE * 2 ** (times - 1), LONGEST_PAUSE)) if times else None


def _ran(admission: Admission | None, now: float) -> int:
    """Seconds since the admission."""
    if admission is None or not admission.admitted_at:
        return 0
    return max(int(now - parse_rfc3339(admission.admitted_at)), 0)


def past_runs(old: GangStatus, now: float) -> list[PastRun]:
    """The runs that evictions ended, with the one that is over now."""
    admission = old.admission
    begun = admission.admitted_at or old.started_at if admission is not None else None
    if admission is None or not begun:
        return old.runs
    by = admission.evict.by if admission.evict is not None else ""
    over = PastRun(admitted_at=begun, ended_at=rfc3339(now), reason=old.reason, by=by)
    runs = [*old.runs, over]
    return runs if len(runs) <= MOST_RUNS else [runs[0], *runs[1 - MOST_RUNS :]]


def _size_told(s: Situation, event: Event, status: GangStatus, *, released: bool) -> GangStatus:
    """Which placements the pods follow; ranks that have gone leave the placements."""
    if released:
        return msgspec.structs.replace(status, generation=0)
    if event == "resize":
        status = msgspec.structs.replace(status, resizes=status.resizes + 1)
    admission = status.admission
    if admission is None:
        return status
    arrived = event == "gone" or (is_live(s.gang) and not s.old)
    if admission.shrink is not None and arrived and status.phase not in ("Evicting", *FINISHED):
        admission = _without(admission, admission.shrink)
        status = msgspec.structs.replace(status, admission=admission)
    if is_live(s.gang) or event in ("resize", "gone"):
        status = msgspec.structs.replace(status, generation=admission.generation)
    return status


def _without(admission: Admission, shrink: Shrink) -> Admission:
    """The admission after the ranks have gone."""
    placements = []
    for one in admission.placements:
        count = min(one.count, shrink.counts.get(one.pod_set, one.count))
        nodes = list(unpack(one.nodes))[:count]
        placements.append(
            msgspec.structs.replace(
                one, count=count, nodes=pack(nodes), devices=one.devices[:count],
                slots=one.slots[:count],
            )
        )  # fmt: skip
    return msgspec.structs.replace(
        admission, placements=placements, shrink=None, generation=admission.generation + 1
    )


def _ranks_told(
    s: Situation, observed: Observed, status: GangStatus, *, fresh: bool, released: bool
) -> GangStatus:
    """Counts and failures. A new run starts from nothing; a stopping gang keeps what it had, until
    it has stopped and nothing of it runs.
    """
    before = s.gang.status.phase
    if before == "Stopping" and status.phase == "Failed":
        still = [msgspec.structs.replace(c, pending=0, running=0, ready=0) for c in status.pods]
        return msgspec.structs.replace(status, pods=still, ready=_ready(s.gang, still))
    if before not in (*WORKING, *WAITING) and not fresh and status.phase != "Succeeded":
        return status
    failures = write.first_failures(s.ranks)
    if fresh:
        failures = status.failures if released else []
    elif status.phase not in WORKING:
        failures = failures or status.failures
    gang = msgspec.structs.replace(s.gang, status=status)
    ranks = s.ranks
    if fresh:
        ranks = views(gang, sorted_by_run(gang, observed.pods, run_of(gang))[0])
    again = released and bool(gang.spec.adopts)  # its pods are made anew, in another order maybe
    done = s.done if (gang.spec.restart == "Rank" or not fresh) and not again else set()
    counts = write.counts(gang, ranks, done)
    return msgspec.structs.replace(
        status, failures=failures, pods=counts, ready=_ready(gang, counts)
    )


def _ready(gang: Gang, counts: list[PodCounts]) -> str:
    """Pods at work or done, of wanted ones: what is neither is missing, or failed."""
    up = sum(count.running + count.succeeded for count in counts)
    return f"{up}/{sum(pod_set.count for pod_set in gang.spec.pod_sets)}"


def _times_told(status: GangStatus, moved: bool, now: float) -> GangStatus:
    stamp = rfc3339(now)
    if status.phase == "Running" and status.started_at is None:
        status = msgspec.structs.replace(status, started_at=stamp)
    if status.phase not in FINISHED:
        return msgspec.structs.replace(status, finished_at=None)
    return msgspec.structs.replace(status, finished_at=stamp) if moved else status


def _words(s: Situation, observed: Observed, event: Event, status: GangStatus) -> tuple[str, str]:
    """Reason and message: why the gang is where it is, in words for its user."""
    phase, spec = status.phase, s.gang.spec
    if phase == s.gang.status.phase and phase not in WORKING:
        return s.gang.status.reason, _waits_for_node(observed) or s.gang.status.message
    if spec.outcome is not None and phase in ("Stopping", *FINISHED):
        return spec.outcome.reason, spec.outcome.message
    if event == "verdict":
        limit, admission = longest(s.gang), s.gang.status.admission
        whose = (
            ""
            if limit == spec.max_runtime_seconds or admission is None
            else (f", the limit of queue {admission.queue}")
        )
        return "MaxRuntimeExceeded", f"ran longer than {limit} s{whose}"
    if event in ("invalid", "blocked") and observed.refusal is not None:
        reason = "InvalidPods" if event == "invalid" else "PodsRefused"
        return reason, observed.refusal.message
    if event == "resize":
        return _resized(s)
    if event == "failed":
        return first_words([f for f in status.failures if not f.platform])
    if event == "leave":
        admission = status.admission
        if admission is not None and admission.evict is not None:
            return admission.evict.reason, admission.evict.message
        if spec.suspend or s.displaced:
            return ("Suspended", "") if spec.suspend else first_words(s.displaced)
        return NOT_STARTED, _not_started(s, observed)
    if phase in ("Pending", "Failed"):
        return s.gang.status.reason, s.gang.status.message
    if phase in ("Starting", "Admitted"):
        return stuck(s.pods) or ("", "")
    return "", ""


def _not_started(s: Situation, observed: Observed) -> str:
    """How many ranks kept the gang from its start, and what is said of them."""
    late = [view for view in s.ranks if view.state in ("absent", "waiting")]
    told = f"{len(late)} of {len(s.ranks)} ranks did not start in time"
    if observed.refusal is not None:
        return f"{told}: {observed.refusal.message}"
    if why := stuck(s.pods):
        return f"{told}: {why[0]}: {why[1]}"
    names = [name_of(s.gang, view.place.pod_set, view.place.rank) for view in late[:1]]
    return f"{told}, {''.join(names)} among them"


def _resized(s: Situation) -> tuple[str, str]:
    """Why all ranks start again."""
    admission = s.gang.status.admission
    if admission is not None and admission.shrink is not None:
        return RESIZED, admission.shrink.message
    lost = [f for f in s.gang.status.failures if f.platform and f.node]
    if lost:
        return "Replaced", f"another place for ranks that lost node {lost[0].node}"
    size = sum(one.count for one in admission.placements) if admission is not None else 0
    return RESIZED, f"goes on with {size} ranks"


def _waits_for_node(observed: Observed) -> str:
    """What to do when a silent node keeps pods that must go."""
    for pod in observed.pods:
        node = pod.spec.node_name
        if is_alive(pod) and node in observed.silent and node not in observed.gone | observed.shut:
            return (
                f"node {node} does not answer and may still run {pod.metadata.name}: it has to "
                f"come back, or be deleted, or be tainted {OUT_OF_SERVICE} when it is off for good"
            )
    return ""
