"""From a gang's situation to the one event that counts now; see `states` for what they mean."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from athanor.api.core import Pod
from athanor.api.ends import RankFailure, is_node_bound
from athanor.api.scheduling import Gang
from athanor.features.gangs.observe import Observed
from athanor.features.gangs.ranks import (
    RankView,
    driven_out,
    is_alive,
    run_of,
    sorted_by_run,
    vanished,
    views,
)
from athanor.features.gangs.states import FINISHED, WAITING, Event
from athanor.features.gangs.status import succeeded_before
from athanor.kit.times import parse_rfc3339

LOST_AFTER = 30.0
"""Seconds without an answer after which a node's ranks are given up."""


class Situation(Struct, frozen=True, kw_only=True):
    """What is the case, rank by rank. `old` are pods of earlier attempts."""

    gang: Gang
    pods: tuple[Pod, ...]
    old: list[Pod]
    ranks: list[RankView]
    done: set[tuple[str, int]]
    overran: bool
    late: bool
    invalid: bool
    blocked: bool

    @property
    def alive(self) -> bool:
        """Whether anything of the gang may still run."""
        return any(is_alive(pod) for pod in self.pods)

    @property
    def displaced(self) -> list[RankFailure]:
        """Faults of the platform after which the gang cannot go on where it is."""
        views = [view for view in self.ranks if view.state == "displaced"]
        if self.gang.spec.replace:  # for those that lost their node the scheduler finds another
            views = [view for view in views if self._stays(view)]
        faults = [view.failure for view in views if view.failure]
        if self.gang.spec.restart == "Gang":
            return faults
        return [fault for fault in faults if is_node_bound(fault.reason)]

    def _stays(self, view: RankView) -> bool:
        """Whether no other node helps, or the scheduler knows none but the one that refused it."""
        admission, pod = self.gang.status.admission, view.pod
        if view.failure is None or not is_node_bound(view.failure.reason):
            return True
        decided = admission is not None and admission.generation != self.gang.status.generation
        return decided and pod is not None and pod.spec.node_name == view.place.node

    @property
    def resized(self) -> bool:
        """Whether all ranks have to start again because others came, go or went elsewhere."""
        gang, admission = self.gang, self.gang.status.admission
        if admission is None or is_live(gang):
            return False
        return admission.shrink is not None or admission.generation != gang.status.generation

    @property
    def must_leave(self) -> bool:
        """Whether the admission has to be given back."""
        admission = self.gang.status.admission
        return (
            admission is None
            or admission.evict is not None
            or self.gang.spec.suspend
            or self.late
            or bool(self.displaced)
        )


def look(observed: Observed, now: float) -> Situation:
    """Read the situation."""
    gang = observed.gang
    started = gang.status.started_at
    limit = longest(gang)
    refusal = observed.refusal
    done = succeeded_before(gang)
    lost = observed.shut.union(
        name for name, since in observed.silent.items() if now - since >= LOST_AFTER
    )
    current, old = sorted_by_run(gang, observed.pods, run_of(gang))
    ranks = [_known(gang, view, done, observed.cordoned) for view in views(gang, current, lost)]
    start_by = starts_by(gang)
    return Situation(
        gang=gang,
        pods=observed.pods,
        old=old,
        ranks=ranks,
        done=done,
        overran=bool(started and limit and now - parse_rfc3339(started) >= limit),
        late=start_by is not None and now >= start_by and not _up(ranks),
        invalid=refusal is not None and refusal.final,
        blocked=refusal is not None and refusal.reason == "Forbidden",
    )


def is_live(gang: Gang) -> bool:
    """Whether ranks come and go while the others run on."""
    return gang.spec.resize == "Live" or gang.spec.restart == "Rank"


def longest(gang: Gang) -> int | None:
    """How many seconds the gang may run: its own limit, or its queue's where that is nearer."""
    admission = gang.status.admission
    queue = admission.max_runtime_seconds if admission is not None else None
    return min((said for said in (gang.spec.max_runtime_seconds, queue) if said), default=None)


def starts_by(gang: Gang) -> float | None:
    """By when all ranks of a gang that never ran in this admission have to have started."""
    admission, status = gang.status.admission, gang.status
    if admission is None or status.started_at or status.phase not in ("Admitted", "Starting"):
        return None
    limits = [said for said in (gang.spec.max_start_seconds, admission.max_start_seconds) if said]
    if not limits or not admission.admitted_at:
        return None
    return parse_rfc3339(admission.admitted_at) + min(limits)


def judge(s: Situation) -> Event:
    """The event that counts."""
    phase, spec = s.gang.status.phase, s.gang.spec
    restart = spec.attempt > s.gang.status.attempt
    if phase in FINISHED:
        return "restart" if restart and spec.outcome is None else "steady"
    if phase == "Stopping":
        return _stopping(s, restart)
    if spec.outcome is not None:
        return "verdict"
    if phase in WAITING:
        return _waiting(s)
    if phase == "Evicting":
        if _all_succeeded(s):
            return "succeeded"
        if s.pods:
            return "steady"
        return "suspend" if spec.suspend else "gone"
    if s.must_leave:
        return "leave"
    if phase == "Restarting":
        return "steady" if s.old else "gone"
    if restart:
        return "restart"
    return "resize" if s.resized else _working(s)


def _stopping(s: Situation, restart: bool) -> Event:
    spec = s.gang.spec
    if spec.outcome is None and spec.decides == "Owner":
        return "restart" if restart else "steady"
    if s.alive:
        return "steady"
    return "well" if spec.outcome is not None and spec.outcome.phase == "Succeeded" else "ill"


def _waiting(s: Situation) -> Event:
    admission, suspend = s.gang.status.admission, s.gang.spec.suspend
    if s.gang.status.phase == "Suspended":
        if admission is not None:
            return "leave"
        return "steady" if suspend else "resume"
    if admission is None:
        return "suspend" if suspend else "steady"
    return "leave" if suspend or admission.evict is not None else "admitted"


def _working(s: Situation) -> Event:
    if s.overran:
        return "verdict"
    if s.invalid:
        return "invalid"
    if _failed(s):
        return "failed"
    if _all_succeeded(s):
        return "succeeded"
    if s.blocked:
        return "blocked"
    return "running" if _up(s.ranks) else "starting"


def _up(ranks: Sequence[RankView]) -> bool:
    return all(view.state in ("running", "ready", "succeeded", "failed", "gone") for view in ranks)


def _failed(s: Situation) -> bool:
    states = [view.state for view in s.ranks]
    if s.gang.spec.restart == "Gang":
        return "failed" in states
    ended = all(state in ("succeeded", "failed", "gone") for state in states)
    return s.gang.spec.decides == "Gang" and ended and "failed" in states


def _all_succeeded(s: Situation) -> bool:
    """A rank that has to go, and is none of the gang's any more, may still save its work. Pods of
    others that went by themselves are their makers' business."""
    states = {view.state for view in s.ranks}
    if s.gang.status.phase != "Evicting":
        states.discard("gone")
    return states == {"succeeded"} and not s.alive


def _known(
    gang: Gang, view: RankView, done: set[tuple[str, int]], cordoned: frozenset[str]
) -> RankView:
    """A rank without a pod may have succeeded earlier, or have lost its pod."""
    place = view.place
    if view.pod is None and (place.pod_set, place.rank) in done:
        return msgspec.structs.replace(view, state="succeeded", failure=None)
    if view.pod is None and gang.spec.adopts:
        return msgspec.structs.replace(view, state="gone", failure=None)
    if view.state != "absent":
        return view
    if place.node in cordoned and is_live(gang):
        return msgspec.structs.replace(view, state="displaced", failure=driven_out(place))
    admission = gang.status.admission
    settled = admission is not None and admission.generation == gang.status.generation
    if gang.status.phase == "Running" and settled and not is_live(gang):
        return msgspec.structs.replace(view, state="displaced", failure=vanished(place, 0))
    return view


def first_words(failures: Sequence[RankFailure]) -> tuple[str, str]:
    """The first failure as reason and message; empty when there is none."""
    if not failures:
        return "", ""
    first = failures[0]
    code = "" if first.exit_code is None else f", exit code {first.exit_code}"
    where = f" on node {first.node}" if first.node else ""
    said = f": {first.message}" if first.message else ""
    return first.reason, f"{first.pod_set}-{first.rank} failed{where}{code}{said}"
