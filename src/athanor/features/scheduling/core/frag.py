"""The fragmentation gradient (FGD: Weng et al., USENIX ATC 2023): place where least gets unusable.

The fragmentation of a node is the idle device capacity that a task drawn from the task mix could
not use there, because of too little on each device, too few devices, too little CPU, the wrong
kind or model, or slices that do not fit. A pod goes where it lets this grow least. Everything is a
whole number: weights are parts of `SCALE`, capacity is thousandths of a device, and the logistic
curve of the score is a table of bounds. All of a mix's types with the same devices differ only by
CPU: their weights are summed once, by CPU, and looked up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu
from athanor.features.scheduling.core.ledger import Ledger, Shape
from athanor.features.scheduling.core.shapes import Devs
from athanor.features.scheduling.core.table import Bools, Ints, Smalls

COVERED = 0.95
"""The most frequent types that together make up this part of the mix are looked at."""
SCALE = 1 << 20
STEPS = 100


class Mix(NamedTuple):
    """The task mix: J sorts of devices × the CPU steps at which types start to fit."""

    cpu: int  # the number of the CPU resource
    wants: tuple[gpu.Devices, ...]  # J
    models: Bools  # J × (M + 1), the last for devices of unknown model
    cpus: Ints  # CPU amounts of the types, ascending
    weight: Ints  # J × (len(cpus) + 1): part of the mix that fits with so much CPU
    whole: int  # all weights, types without devices included
    bounds: Ints  # the gains at which the score gets 1, 2, …


def mix(shapes: Sequence[Shape], weights: Sequence[float], cpu: int) -> Mix:
    """The mix of these shapes. `cpu` is the number of the CPU resource.

    Shapes with equal CPU and devices are one type; ties are broken by size, the larger first.
    """
    types: dict[tuple[int, gpu.Devices, tuple[bool, ...]], float] = {}
    for shape, weight in zip(shapes, weights, strict=True):
        key = (shape.request[cpu], _wanted(shape.devices), shape.models)
        types[key] = types.get(key, 0.0) + weight
    ordered = sorted(types.items(), key=lambda t: (-t[1], -t[0][0], _size(t[0][1]), t[0][2]))
    total, covered = sum(types.values()), 0.0
    kept: list[tuple[tuple[int, gpu.Devices, tuple[bool, ...]], float]] = []
    for one in ordered:
        if covered >= COVERED * total:
            break
        kept.append(one)
        covered += one[1]
    groups = list(dict.fromkeys((want, models) for (_, want, models), _ in kept if want.needed))
    cpus = sorted({key[0] for key, _ in kept})
    table = np.zeros((len(groups), len(cpus) + 1), dtype=np.int64)
    whole = 0
    for (asked, want, models), count in kept:
        part = round(SCALE * count / covered)
        whole += part
        if want.needed:
            table[groups.index((want, models)), cpus.index(asked) + 1 :] += part
    width = len(shapes[0].models) + 1 if shapes else 1
    whole = whole or SCALE
    return Mix(
        cpu,
        tuple(want for want, _ in groups),
        np.array([[*m, all(m)] for _, m in groups], dtype=np.bool_).reshape(-1, width),
        np.array(cpus, dtype=np.int64),
        table,
        whole,
        _bounds(whole),
    )


def _wanted(want: gpu.Devices) -> gpu.Devices:
    return want if want.needed else gpu.Devices(-1, 0, 0, 0, 0)


def _size(want: gpu.Devices) -> tuple[int, ...]:
    return (-want.needed, -want.milli, -want.mib, -want.slots, want.kind)


def _bounds(whole: int) -> Ints:
    """score = floor(STEPS / (1 + exp(-gain / one device))), gain in thousandths × `whole`."""
    unit = float(whole) * gpu.WHOLE
    return np.array(
        [math.ceil(-math.log(STEPS / s - 1.0) * unit) for s in range(1, STEPS)], dtype=np.int64
    )


def fragmentation(mix: Mix, cpu: Ints, devs: Devs) -> Ints:
    """Idle thousandths of devices a node (row) that the mix cannot use, times `mix.whole`."""
    idle = gpu.idle(devs.milli, devs.cut, devs.slots).sum(axis=1)
    lost: Ints = idle * mix.whole
    fits = mix.weight[:, np.searchsorted(mix.cpus, cpu, side="right")]
    for j, want in enumerate(mix.wants):
        ok = (devs.kind == want.kind) & mix.models[j][devs.model]
        each = np.where(ok, gpu.usable(want, devs.milli, devs.mib, devs.cut, devs.slots), 0)
        if want.needed > 1:
            each *= (each > 0).sum(axis=1, keepdims=True) >= want.needed
        lost -= fits[j] * each.sum(axis=1)
    return lost


def gradient(
    mix: Mix, ledger: Ledger, shape: Shape, fits: Bools, nodes: Smalls
) -> tuple[Ints, Smalls]:
    """How little fragmentation grows, 0 to STEPS - 1, and the device to take (-1: by `gpu`)."""
    have = ledger.free[nodes, mix.cpu]
    left = have - shape.request[mix.cpu]
    devs = ledger.devs(nodes)
    before = fragmentation(mix, have, devs)
    want = shape.devices
    device = np.full(len(nodes), -1, dtype=np.int32)
    if not want.needed:
        return score(mix, before - fragmentation(mix, left, devs)), device
    if want.needed > 1:
        after = _taken(want, fits[nodes], devs)
        return score(mix, before - fragmentation(mix, left, after)), device
    row, tried = _options(want, fits[nodes], devs)
    after = devs.rows(row)
    at = np.arange(len(row)), tried
    after.milli[at], after.mib[at], after.cut[at] = gpu.after(
        want, after.milli[at], after.mib[at], after.cut[at], after.memory[at], after.slots[at]
    )
    found = score(mix, before[row] - fragmentation(mix, left[row], after))
    best = np.lexsort((tried, -found, row))
    first = best[np.flatnonzero(np.diff(row[best], prepend=-1))]
    return found[first], tried[first]


def score(mix: Mix, gain: Ints) -> Ints:
    """The logistic curve in steps."""
    return np.searchsorted(mix.bounds, gain, side="right").astype(np.int64)


def _options(want: gpu.Devices, fits: Bools, devs: Devs) -> tuple[Smalls, Smalls]:
    """Node rows and devices to try: of equal devices the first."""
    ok = gpu.each(want, fits, devs.milli, devs.mib, devs.cut, devs.slots) > 0
    for d in range(1, ok.shape[1]):
        alike = ok[:, :d].copy()
        for column in devs:
            alike &= column[:, :d] == column[:, d : d + 1]
        ok[:, d] &= ~alike.any(axis=1)
    rows, devices = np.nonzero(ok)
    return rows.astype(np.int32), devices.astype(np.int32)


def _taken(want: gpu.Devices, fits: Bools, devs: Devs) -> Devs:
    """The devices left when those are taken that `gpu.choose` would take."""
    milli, mib, cut = devs.milli.copy(), devs.mib.copy(), devs.cut.copy()
    order = gpu.order(want, fits, devs.milli, devs.mib, devs.cut, devs.slots)
    for i in range(want.needed):
        at = np.arange(len(milli)), order[:, i]
        milli[at], mib[at], cut[at] = gpu.after(
            want, milli[at], mib[at], cut[at], devs.memory[at], devs.slots[at]
        )
    return devs._replace(milli=milli, mib=mib, cut=cut)


class Learner:
    """The task mix learned from what arrives, renewed when a tenth more has arrived.

    Each renewal voids every score, so they come at geometric intervals: their number grows with
    the logarithm of the arrivals.
    """

    GROWTH = 1.1

    def __init__(self, shapes: Sequence[Shape], cpu: int) -> None:
        self.shapes = list(shapes)
        self.cpu = cpu
        self.seen = [0] * len(self.shapes)
        self.arrived = 0
        self.due = 1.0
        self.mix = mix([], [], cpu)

    def saw(self, k: int) -> bool:
        """One more pod of shape `k`; True when the mix, and so every score, is new."""
        self.seen[k] += 1
        self.arrived += 1
        if self.arrived < self.due:
            return False
        self.due = max(self.arrived * self.GROWTH, self.arrived + 1.0)
        known = [i for i, n in enumerate(self.seen) if n]
        self.mix = mix([self.shapes[i] for i in known], [self.seen[i] for i in known], self.cpu)
        return True
