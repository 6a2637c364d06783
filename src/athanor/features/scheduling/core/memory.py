"""The memo: ledger and views of the last cycle, brought up to date by what differs.

Everything in it can be had from the snapshot again: what is free is computed anew each time
(array operations alone), and only nodes where it differs are looked at by the views. A memo of
other nodes or resources, or of another policy, is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from athanor.features.scheduling.core import frag
from athanor.features.scheduling.core.booked import Booked, booked
from athanor.features.scheduling.core.ledger import Ledger, Scorer, Shape, shape_of
from athanor.features.scheduling.core.score import How, Rater
from athanor.features.scheduling.core.snapshot import GangState, Nodes, Policy, Snapshot
from athanor.features.scheduling.core.state import Kept
from athanor.features.scheduling.core.table import Ints, same

STATIC = ("names", "pool", "klass", "domains", "kind", "model", "memory", "slots", "healthy")
"""Columns of Nodes that views are built on."""

LONGEST_JOURNAL = 200_000


@dataclass
class Memo:
    """What one cycle hands to the next; `empty` is the ledger with nothing running, `possible`
    remembers what fits there, `absent` which devices that are asked for nobody has.

    Not to be used by anybody else meanwhile.
    """

    policy: Policy
    shapes: list[Shape]
    ledger: Ledger
    rated_by: object
    empty: Ledger
    names: tuple[object, ...]
    possible: dict[object, bool] = field(default_factory=dict)
    absent: dict[object, str] = field(default_factory=dict)
    kept: Kept | None = None
    seen: Snapshot | None = None
    truth: Booked | None = None


def current(memo: Memo | None, snapshot: Snapshot, policy: Policy, now: float) -> Memo:
    """A memo that is true of this snapshot: the old one mended, or a new one."""
    if memo is not None and memo.seen is not None and memo.seen.shapes is snapshot.shapes:
        shapes = memo.shapes
    else:
        shapes = [shape_of(snapshot.shapes, k) for k in range(len(snapshot.shapes.kind))]
    same_rating = memo is not None and memo.policy == policy and _alike(memo.seen, snapshot)
    key = memo.rated_by if memo and same_rating else _rating(snapshot, policy, shapes)
    names = (tuple(snapshot.resources), tuple(snapshot.device_kinds))
    if (
        memo is None or (memo.policy, memo.names) != (policy, names)
        or not _same_ground(memo.ledger.nodes, snapshot.nodes)
    ):  # fmt: skip
        ledger = Ledger(snapshot.nodes, _rater(snapshot, policy, shapes))
        memo = Memo(policy, shapes, ledger, key, _empty(snapshot.nodes, ledger.rater), names)
    elif memo.rated_by != key:
        memo.ledger.rerate(_rater(snapshot, policy, shapes))
        memo.empty.rerate(memo.ledger.rater)
    memo.shapes, memo.rated_by = shapes, key
    if not same(memo.ledger.nodes.capacity, snapshot.nodes.capacity):
        memo.empty = _empty(snapshot.nodes, memo.ledger.rater)
        memo.ledger.reground(snapshot.nodes)
        memo.possible = {}
    memo.ledger.become(_booked(memo, snapshot, now))
    if len(memo.ledger.journal) > LONGEST_JOURNAL:
        memo.ledger.forget_journal()
    return memo


def _booked(memo: Memo, snapshot: Snapshot, now: float) -> Booked:
    """What is free: where the same pods run on the same nodes, only foreign pods differ."""
    seen, truth, nodes = memo.seen, memo.truth, snapshot.nodes
    if (
        seen is None or truth is None
        or seen.running != snapshot.running or seen.shapes != snapshot.shapes
        or not same(seen.pod_sets.shape, snapshot.pod_sets.shape)
        or not same(seen.nodes.capacity, nodes.capacity) or not _same_ground(seen.nodes, nodes)
    ):  # fmt: skip
        truth = booked(snapshot, memo.shapes, now)
    else:
        free = truth.free + (seen.nodes.foreign - nodes.foreign)
        truth = truth._replace(free=free, open=~(nodes.retry_at > now))
    memo.seen, memo.truth = snapshot, truth
    beside = {shape: count.copy() for shape, count in truth.beside.items()}
    return truth._replace(
        free=truth.free.copy(), milli=truth.milli.copy(), mib=truth.mib.copy(),
        cut=truth.cut.copy(), open=truth.open.copy(), beside=beside,
    )  # fmt: skip


def _alike(seen: Snapshot | None, now: Snapshot) -> bool:
    """Whether all that a rating is made of is known to be as before."""
    return seen is not None and all(
        a is b
        for a, b in (
            (seen.gangs, now.gangs), (seen.classes, now.classes), (seen.pod_sets, now.pod_sets),
            (seen.shapes, now.shapes), (seen.device_kinds, now.device_kinds),
            (seen.nodes.capacity, now.nodes.capacity),
        )
    )  # fmt: skip


def _empty(nodes: Nodes, rater: Scorer) -> Ledger:
    """The nodes with nothing on them, not even other people's pods."""
    ledger = Ledger(nodes, rater)
    ledger.free = nodes.capacity.copy()
    return ledger


def _same_ground(old: Nodes, new: Nodes) -> bool:
    return old is new or all(same(getattr(old, name), getattr(new, name)) for name in STATIC)


def _largest(snapshot: Snapshot) -> Ints:
    largest: Ints = np.max(snapshot.nodes.capacity, axis=0, initial=0)
    return largest


def _rating(snapshot: Snapshot, policy: Policy, shapes: list[Shape]) -> object:
    """All that the rater depends on: while it is equal, scores stay."""
    if policy.score == "spread":
        return policy.score
    largest = tuple(_largest(snapshot).tolist())
    if policy.score != "fgd" or not snapshot.device_kinds:
        return largest
    weights = task_mix(snapshot)
    return largest, tuple(sorted((s, w) for s, w in zip(shapes, weights, strict=True) if w))


def _rater(snapshot: Snapshot, policy: Policy, shapes: list[Shape]) -> Scorer:
    """The policy's way to compare nodes: by fragmentation where nodes have devices."""
    scale = _largest(snapshot)
    if policy.score == "spread":
        return Rater(How.SPREAD, scale)
    if policy.score != "fgd" or not snapshot.device_kinds:
        return Rater(How.PACK, scale)
    cpu = snapshot.resources.index("cpu") if "cpu" in snapshot.resources else 0
    return Rater(How.GRADIENT, scale, frag.mix(shapes, task_mix(snapshot), cpu))


def task_mix(snapshot: Snapshot) -> list[float]:
    """The weight of each shape in the task mix: as given, else what runs and waits now.

    Counts are rounded to powers of 1.25: a mix that changed at every arrival would void all
    scores each time.
    """
    given = snapshot.shapes.weight
    if given.any():
        return [float(w) for w in given]
    sets, classes = snapshot.pod_sets, snapshot.classes
    live = snapshot.gangs.state != GangState.LEAVING
    gangs = np.bincount(snapshot.gangs.klass[live], minlength=len(classes.pools))
    per_set = np.repeat(gangs, np.diff(classes.first)) * sets.count
    pods = np.bincount(sets.shape, weights=per_set, minlength=len(snapshot.shapes.kind))
    steps = np.floor(np.log(np.maximum(pods, 1.0)) / np.log(1.25) + 1e-9)
    rounded = np.where(pods > 0, np.round(1.25**steps, 3), 0.0)
    return [float(w) for w in rounded]
