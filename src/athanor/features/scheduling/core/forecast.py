"""When a waiting gang will start, as an interval: a plan of the line, corrected by the past.

`planned` lets running gangs end as expected and starts the line in its order, counting devices
alone: a cheap plan, wrong in ways that repeat. What happened to gangs that looked alike when they
were submitted (`Waits`: nearest neighbours in what was seen then) says how wrong, and so gives
quantiles instead of one number. The past is never quite like the present: each quantile is moved,
by a factor, after every start that it was said for, up when the wait was longer, down when it was
not, so that in the long run the promised part of the waits is below it (conformal tracking:
Angelopoulos, Candès and Tibshirani, NeurIPS 2023). Who starts within a minute did not wait: all
that is said and learned is of gangs that do not. Times are seconds since the epoch, waits seconds.
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.lifetimes import rest
from athanor.features.scheduling.core.snapshot import UNSET, GangState, Policy, Snapshot
from athanor.features.scheduling.core.table import Floats

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEAREST = 200
"""So many past gangs that looked most alike speak for a new one: fewer are often one burst."""
KEPT = 5000
"""So many past starts are remembered."""
SOON = 60.0
"""Shorter waits are none."""
LEAST = 20
"""With fewer past starts than this, nothing but the plan is known."""
FEATURES = 8
TRACKING = 0.005
"""How far a quantile is moved after a start, in e-folds. Those of a burst start long after it was
said, by hundreds together: larger steps swing from one side to the other."""
FARTHEST = 1.0
"""How far it is moved at most: bursts, whose gangs all wait long, would carry it away."""


class Interval(NamedTuple):
    """Times between which a gang starts: half the time p25 … p75, nine times in ten p5 … p95."""

    p5: float
    p25: float
    p50: float
    p75: float
    p95: float


class Waits:
    """What was seen when gangs were submitted, and how long they then waited. Newest last."""

    def __init__(self) -> None:
        self.seen: Floats = np.zeros((0, FEATURES))
        self.waited: Floats = np.zeros(0)
        self.shift: Floats = np.zeros(len(QUANTILES))

    def add(self, seen: Floats, waited: float, said: Floats | None) -> None:
        """A gang that looked like this when it came has started after so many seconds.

        `said` are the quantiles that were given then (None: too little was known).
        """
        if waited < SOON:
            return
        self.seen = np.vstack([self.seen[-KEPT + 1 :], seen])
        self.waited = np.append(self.waited[-KEPT + 1 :], waited)
        if said is not None:
            step = TRACKING * ((waited > said) - (1.0 - np.array(QUANTILES)))
            self.shift = np.clip(self.shift + step, -FARTHEST, FARTHEST)

    def quantiles(self, seen: Floats, so_far: float = 0.0) -> Floats | None:
        """Quantiles of the waits of those that looked most alike and waited longer than `so_far`
        (and a minute), as moved; None when there are too few. Of equals the newest speak."""
        so_far = max(so_far, SOON)
        scale = np.maximum(self.seen.std(axis=0), 1e-3) if len(self.seen) else 1.0
        far = (((self.seen - seen) / scale) ** 2).sum(axis=1)[::-1]
        past = self.waited[::-1][np.argsort(far, kind="stable")[:NEAREST]]
        past = past[past >= so_far]
        if len(past) < LEAST:
            return None
        found = np.log1p(np.quantile(past, QUANTILES) - so_far) + self.shift
        moved: Floats = so_far + np.expm1(np.maximum.accumulate(np.maximum(found, 0.0)))
        return moved


def start_interval(
    snapshot: Snapshot, policy: Policy, now: float, gang: int, history: Waits
) -> Interval:
    """When a waiting gang will start. With too little history: the plan, within a factor of four.

    A gang that has waited longer than all that looked like it is as likely to wait for as long
    again: then the plan and its own wait are all there is.
    """
    created = float(snapshot.gangs.created[gang])
    so_far = max(now - created, 0.0)
    found = history.quantiles(features(snapshot, policy, now, gang), so_far)
    if found is None:
        ahead = max(planned(snapshot, policy, now, gang), so_far / 4, 1.0)
        found = so_far + ahead * np.array([0.1, 0.5, 1.0, 2.0, 4.0])
    return Interval(*(created + found).tolist())


def features(snapshot: Snapshot, policy: Policy, now: float, gang: int) -> Floats:
    """What a gang looks like from outside: its plan, its size, its line, its queue's use, and how
    long its queue's line has waited: all of it, and who asks for no more."""
    s = snapshot
    size = _size(s)
    queue = int(s.gangs.queue[gang])
    same = s.gangs.queue == queue
    waiting = same & (s.gangs.state == GangState.WAITING)
    running = same & (s.gangs.state != GangState.WAITING)
    right = float(s.queues.guaranteed[queue, :, _device(s)].sum()) if queue != UNSET else 0.0
    held = float(size[running].sum())
    ages = now - s.gangs.created
    line, smaller = ages[waiting], ages[waiting & (size <= size[gang])]
    return np.array([
        math.log1p(planned(s, policy, now, gang)),
        math.log2(1.0 + size[gang] / 1000.0),
        math.log1p(float(size[waiting].sum()) / 1000.0),
        held / right if right else 0.0,
        math.log1p(float(waiting.sum())),
        math.log1p(max(float(line.max(initial=0.0)), 0.0)),
        math.log1p(max(float(smaller.max(initial=0.0)), 0.0)),
        math.log1p(max(float(np.median(line)), 0.0)),
    ])  # fmt: skip


def planned(snapshot: Snapshot, policy: Policy, now: float, gang: int) -> float:
    """Seconds until the gang starts if devices were one heap and everything went as expected."""
    s, size, learned = snapshot, _size(snapshot), rest(snapshot, now, 0.5)
    state, created, priority = s.gangs.state, s.gangs.created, s.gangs.priority
    device = _device(s)
    free = float((s.nodes.capacity[:, device] - s.nodes.foreign[:, device]).sum())
    ends: list[tuple[float, float]] = []
    for g in np.flatnonzero(state != GangState.WAITING).tolist():
        end, began = float(s.gangs.expected_end[g]), float(s.gangs.started[g])
        if not math.isnan(learned[g]):
            end = now + float(learned[g])
        elif math.isnan(end):
            end = (now if math.isnan(began) else began) + policy.assumed_runtime
        free -= size[g]
        ends.append((max(end, now), float(size[g])))
    heapq.heapify(ends)
    line = np.flatnonzero(state == GangState.WAITING)
    before = line[np.lexsort((line, created[line], -priority[line]))].tolist()
    time = now
    for g in before:
        while free < size[g] and ends:
            time, freed = heapq.heappop(ends)
            free += freed
        if g == gang:
            break
        if free < size[g]:
            continue  # more than there is
        free -= size[g]
        run = float(s.gangs.estimate[g] if math.isnan(learned[g]) else learned[g])
        run = policy.assumed_runtime if math.isnan(run) else run
        heapq.heappush(ends, (time + run, float(size[g])))
    return time - now


def _device(s: Snapshot) -> int:
    """The resource that is counted: the first kind of devices, else the first resource."""
    return s.resources.index(s.device_kinds[0]) if s.device_kinds else 0


def _size(s: Snapshot) -> Floats:
    """What each gang asks for at least, of the counted resource."""
    sets = s.pod_sets
    each = sets.least * s.shapes.request[sets.shape, _device(s)] if len(sets.shape) else sets.least
    total = np.concatenate([[0], np.cumsum(each)])
    per_class = total[s.classes.first[1:]] - total[s.classes.first[:-1]]
    found: Floats = per_class[s.gangs.klass].astype(np.float64)
    return found
