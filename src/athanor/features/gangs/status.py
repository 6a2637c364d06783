"""What gangs writes into a Gang's status, computed whole and sent as a difference."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.ends import RankFailure
from athanor.api.meta import Condition, set_condition
from athanor.api.ranks import pack_ranks, unpack_ranks
from athanor.api.scheduling import Gang, GangPhase, PodCounts, Progress
from athanor.features.gangs.ranks import RankView, is_over
from athanor.features.gangs.states import FINISHED
from athanor.kit.times import parse_rfc3339, rfc3339

MOST_FAILURES = 16
PROGRESS_EVERY = 2.0
"""Seconds between two writes that say nothing but how far the job is."""

_progress = msgspec.json.Decoder(Progress)


def succeeded_before(gang: Gang) -> set[tuple[str, int]]:
    """Ranks whose success is written down already: they never run again in this attempt."""
    return {(c.pod_set, rank) for c in gang.status.pods for rank in unpack_ranks(c.succeeded_ranks)}


def counts(gang: Gang, ranks: Sequence[RankView], done: set[tuple[str, int]]) -> list[PodCounts]:
    """How many ranks of each set are in which state; sets of which none began are left out.

    `done`: ranks that are known to have succeeded, pod or no pod.
    """
    found = []
    for name in [pod_set.name for pod_set in gang.spec.pod_sets]:
        of_set = [view for view in ranks if view.place.pod_set == name]
        idle = all(view.state in ("absent", "waiting") for view in of_set)
        if idle and all(pod_set != name for pod_set, _ in done):
            continue
        succeeded = {v.place.rank for v in of_set if v.state == "succeeded"}
        succeeded |= {rank for pod_set, rank in done if pod_set == name}
        over = {v.place.rank for v in of_set if gang.spec.adopts and is_over(v)} - succeeded
        states = [v.state for v in of_set if v.place.rank not in succeeded]
        found.append(
            PodCounts(
                pod_set=name,
                pending=sum(state in ("absent", "waiting") for state in states),
                running=sum(state in ("running", "ready") for state in states),
                ready=sum(state == "ready" for state in states),
                succeeded=len(succeeded),
                failed=sum(state in ("failed", "displaced") for state in states),
                succeeded_ranks=pack_ranks(sorted(succeeded)),
                over_ranks=pack_ranks(sorted(over)),
            )
        )
    return found


def first_failures(ranks: Sequence[RankView]) -> list[RankFailure]:
    """The failures of this run, the earliest first, so many as fit."""
    failed = [view.failure for view in ranks if view.failure is not None]
    return sorted(failed, key=lambda f: f.finished_at or "~")[:MOST_FAILURES]


def progress(pods: Sequence[Pod]) -> Progress | None:
    """What the first rank that says anything says of the job."""
    for pod in pods:
        said = pod.metadata.annotations.get(labels.PROGRESS)
        if said is None:
            continue
        try:
            return _progress.decode(said)
        except msgspec.DecodeError:
            continue  # a rank may write what it likes; what is no progress is none
    return None


def fresh_progress(
    have: Progress | None, found: Progress | None, now: float, *, last: bool = False
) -> Progress | None:
    """The progress to write now: small steps wait until the last write is old enough.

    `last`: something else is written anyway, and it may be the last word.
    """
    if found is None or have is None or found == have or last:
        return found or have
    if found.last_checkpoint_step != have.last_checkpoint_step or have.updated_at is None:
        return found
    return found if now - parse_rfc3339(have.updated_at) >= PROGRESS_EVERY else have


def conditions(
    gang: Gang, phase: GangPhase, reason: str, message: str, now: float
) -> list[Condition]:
    """Conditions for `kubectl wait`: Running, and one of Succeeded and Failed in the end."""
    stamp = rfc3339(now)
    found = gang.status.conditions
    wanted = {"Running": phase == "Running"} | (
        {name: phase == name for name in FINISHED} if phase in FINISHED else {}
    )
    for type_, holds in sorted(wanted.items()):
        known = next((c for c in found if c.type == type_), None)
        status = "True" if holds else "False"
        if known is not None and known.status == status:
            continue
        if known is None and not holds:
            continue
        news = Condition(
            type=type_, status=status, reason=reason or phase, message=message,
            observed_generation=gang.metadata.generation,
        )  # fmt: skip
        found = set_condition(found, news, stamp)
    return found
