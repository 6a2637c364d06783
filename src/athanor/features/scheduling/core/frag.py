"""The fragmentation gradient (FGD: Weng et al., USENIX ATC 2023): place where least gets unusable.

The fragmentation of a node is the idle device capacity that a task drawn from the task mix could
not use there, because of too little on each device, too few devices, too little CPU or the wrong
model. A pod goes where it lets this grow least. All of a mix's types with the same devices differ
only by CPU: their weights are summed once, by CPU, and looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu
from athanor.features.scheduling.core.ledger import Ledger, Scorer, Shape, View
from athanor.features.scheduling.core.table import Bools, Floats, Ints, Smalls

COVERED = 0.95
"""The most frequent types that together make up this part of the mix are looked at."""


class Mix(NamedTuple):
    """The task mix: J sorts of devices × the CPU steps at which types start to fit."""

    milli: Smalls  # J
    needed: Smalls  # J
    models: Bools  # J × (M + 1), the last for devices of unknown model
    cpus: Ints  # CPU amounts of the types, ascending
    weight: Floats  # J × (len(cpus) + 1): part of the mix that fits with so much CPU


def mix(shapes: Sequence[Shape], weights: Sequence[float], cpu: int) -> Mix:
    """The mix of these shapes. `cpu` is the number of the CPU resource.

    Shapes with equal CPU and devices are one type; ties are broken by size, the larger first.
    """
    types: dict[tuple[int, int, int, tuple[bool, ...]], float] = {}
    for shape, weight in zip(shapes, weights, strict=True):
        wanted = shape.devices
        milli = wanted.milli if wanted.needed else 0
        key = (shape.request[cpu], wanted.needed, milli, shape.models)
        types[key] = types.get(key, 0.0) + weight
    ordered = sorted(types.items(), key=lambda t: (-t[1], *(-x for x in t[0][:3]), t[0][3]))
    total, covered = sum(types.values()), 0.0
    kept: list[tuple[tuple[int, int, int, tuple[bool, ...]], float]] = []
    for one in ordered:
        if covered >= COVERED * total:
            break
        kept.append(one)
        covered += one[1]
    groups = list(dict.fromkeys((milli, n, models) for (_, n, milli, models), _ in kept if n))
    cpus = sorted({key[0] for key, _ in kept})
    table = np.zeros((len(groups), len(cpus) + 1))
    for (asked, n, milli, models), part in kept:
        if n:
            table[groups.index((milli, n, models)), cpus.index(asked) + 1 :] += part / covered
    width = len(shapes[0].models) + 1 if shapes else 1
    return Mix(
        np.array([g[0] for g in groups], dtype=np.int32),
        np.array([g[1] for g in groups], dtype=np.int32),
        np.array([[*g[2], all(g[2])] for g in groups], dtype=np.bool_).reshape(-1, width),
        np.array(cpus, dtype=np.int64),
        table,
    )


def fragmentation(mix: Mix, cpu: Ints, free: Smalls, model: Smalls) -> Floats:
    """Idle thousandths of devices a node (row) that the mix cannot use; `free` ≥ 0 a device."""
    idle: Floats = free.sum(axis=1).astype(np.float64)
    if not len(mix.milli):
        return idle
    enough = free[:, None, :] >= mix.milli[None, :, None]
    usable = (free[:, None, :] * enough).sum(axis=2)
    usable *= enough.sum(axis=2) >= mix.needed
    usable *= mix.models.T[model]
    fits = mix.weight[:, np.searchsorted(mix.cpus, cpu, side="right")].T
    lost: Floats = idle - (fits * usable).sum(axis=1)
    return lost


def gradient(mix: Mix, cpu: int, steps: int = 100) -> Scorer:
    """Rate nodes by how little fragmentation grows, in `steps` steps (a logistic curve)."""

    def rate(ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        have = ledger.free[nodes, cpu]
        free = np.maximum(ledger.milli[nodes], 0)
        model = ledger.nodes.model[nodes].max(axis=1, initial=-1)
        before = fragmentation(mix, have, free, model)
        left = have - shape.request[cpu]
        want = shape.devices
        if want.needed == 1 and want.milli < gpu.WHOLE:
            row, device = _options(view.fits[nodes], free, want.milli)
            after = free[row]
            after[np.arange(len(row)), device] -= want.milli
            lost = fragmentation(mix, left[row], after, model[row])
            score = _curve(before[row] - lost, steps)
            best = np.lexsort((device, -score, row))
            first = best[np.flatnonzero(np.diff(row[best], prepend=-1))]
            view.score[nodes] = score[first]
            view.device[nodes] = device[first]
            return
        if want.needed:
            free = _taken(view.fits[nodes], free, want.milli, want.needed)
        lost = fragmentation(mix, left, free, model)
        view.score[nodes] = _curve(before - lost, steps)

    return rate


def _curve(gain: Floats, steps: int) -> Smalls:
    score: Smalls = np.floor(steps / (1.0 + np.exp(-gain / gpu.WHOLE))).astype(np.int32)
    return score


def _options(fits: Bools, free: Smalls, milli: int) -> tuple[Smalls, Smalls]:
    """Node rows and devices to try: of devices with equal room the first."""
    ok = fits & (free >= milli)
    for d in range(1, free.shape[1]):
        ok[:, d] &= ~((free[:, :d] == free[:, d : d + 1]) & ok[:, :d]).any(axis=1)
    rows, devices = np.nonzero(ok)
    return rows.astype(np.int32), devices.astype(np.int32)


def _taken(fits: Bools, free: Smalls, milli: int, needed: int) -> Smalls:
    """`free` with the devices taken that `gpu.choose` would take."""
    most = np.iinfo(np.int32).max
    key = np.where(fits & (free >= milli), free if needed == 1 else -free, most)
    order = np.argsort(key, axis=1, kind="stable")[:, :needed]
    after = free.copy()
    np.put_along_axis(after, order, np.take_along_axis(free, order, axis=1) - milli, axis=1)
    return after


class Learner:
    """The task mix learned from what arrives, renewed when a quarter more has arrived.

    Each renewal voids every score, so they come at geometric intervals: their number grows with
    the logarithm of the arrivals.
    """

    GROWTH = 1.25

    def __init__(self, shapes: Sequence[Shape], cpu: int) -> None:
        self.shapes = list(shapes)
        self.cpu = cpu
        self.seen = [0] * len(self.shapes)
        self.arrived = 0
        self.due = 1.0
        self.rater = gradient(mix([], [], cpu), cpu)

    def saw(self, k: int) -> bool:
        """One more pod of shape `k`; True when the mix, and so every score, is new."""
        self.seen[k] += 1
        self.arrived += 1
        if self.arrived < self.due:
            return False
        self.due = max(self.arrived * self.GROWTH, self.arrived + 1.0)
        known = [i for i, n in enumerate(self.seen) if n]
        learned = mix([self.shapes[i] for i in known], [self.seen[i] for i in known], self.cpu)
        self.rater = gradient(learned, self.cpu)
        return True
