"""The Events of a gang: what its status will not say for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from athanor.api.core import Pod
from athanor.api.placement import unpack
from athanor.api.registry import of
from athanor.api.scheduling import Admission, Gang, GangStatus
from athanor.features.gangs.judge import first_words
from athanor.features.gangs.ranks import name_of
from athanor.features.gangs.states import WORKING
from athanor.runtime.phases import said
from athanor.runtime.plan import Record, head

GANGS = of(Gang)
MOST = 8
"""So many ranks are named in a sentence."""


def news(gang: Gang, status: GangStatus, pods: Sequence[Pod]) -> Iterator[Record]:
    """What happened to a gang whose status becomes this one; `pods` are those it has."""
    if status.phase != gang.status.phase:
        yield from _moved(gang, status)
    elif status.phase in WORKING:
        yield from _ranks(gang, status, pods)


def _moved(gang: Gang, status: GangStatus) -> Iterator[Record]:
    """What the status will not say for good: a gang that waits or runs says so itself, and since
    when. That it was told to go is told once, when it has gone.
    """
    meta, was, phase = gang.metadata, gang.status, status.phase
    evict = was.admission.evict if was.admission is not None else None
    left = status.evictions > was.evictions and (evict is not None or was.phase != "Evicting")
    if not left and (phase in ("Pending", "Running") or (phase == "Evicting" and evict)):
        return
    message = evict.message if left and evict is not None else status.message
    bad = phase in ("Stopping", "Failed", "Evicting") and bool(status.failures)
    yield Record(
        about=head(GANGS, meta.namespace, meta.name, meta.uid),
        type="Warning" if bad else "Normal",
        reason="Evicted" if left else phase,
        message=message or said("gang", phase),
    )


def _ranks(gang: Gang, status: GangStatus, pods: Sequence[Pod]) -> Iterator[Record]:
    """Ranks that were lost, and ranks that come, go or go elsewhere while the others run on."""
    meta, was = gang.metadata, gang.status
    about = head(GANGS, meta.namespace, meta.name, meta.uid)
    told = {(f.pod_set, f.rank, f.node) for f in was.failures}
    lost = [
        f for f in status.failures
        if f.platform and f.node and (f.pod_set, f.rank, f.node) not in told
    ]  # fmt: skip
    if lost:
        more = f"; so did {len(lost) - 1} more" if len(lost) > 1 else ""
        message = f"{first_words(lost)[1]}{more}"
        yield Record(about=about, type="Warning", reason="RanksLost", message=message)
    now = status.admission
    if now is None or status.generation == was.generation:
        return
    size = sum(one.count for one in now.placements)
    before = sum(one.pending + one.running + one.succeeded + one.failed for one in was.pods)
    shrink = was.admission.shrink if was.admission is not None else None
    if shrink is not None and now.shrink is None:
        reason, message = "Shrunk", f"goes on with {size} ranks: {shrink.message}"
    elif size != before:
        reason, message = "Resized", f"goes on with {size} ranks"
    else:
        moves = _moves(gang, now, pods)
        reason, message = "Replaced", "; ".join(moves[:MOST]) or "ranks go on on other nodes"
    yield Record(about=about, reason=reason, message=message)


def _moves(gang: Gang, admission: Admission, pods: Sequence[Pod]) -> list[str]:
    """Which ranks leave which nodes for which; of those whose pods are still there."""
    old = {pod.metadata.name: pod.spec.node_name for pod in pods}
    names = [
        (name_of(gang, one.pod_set, rank), node)
        for one in admission.placements for rank, node in enumerate(unpack(one.nodes))
    ]  # fmt: skip
    return [
        f"{name} goes from node {old[name]} to {node}"
        for name, node in names if old.get(name, node) != node
    ]  # fmt: skip
