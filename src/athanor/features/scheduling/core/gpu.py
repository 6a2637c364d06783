"""Devices in exact integers: how many pods' devices a node has room for, and which to take.

One ledger holds whole devices, shares and slices: `free` thousandths a device (-1: no usable
device), its free MiB, and a bit mask of its taken slices. A device with a taken slice is *cut*: it
has no free share; a device with a taken share cannot be cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.table import Bools, Ints, Smalls

WHOLE = 1000
NO_DEVICE = -1


class Devices(NamedTuple):
    """The devices a pod needs: `needed` of one kind, each with `milli` and `mib`, or a slice."""

    kind: int
    needed: int
    milli: int
    mib: int
    slots: int


def room(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> Ints:
    """How many pods' devices each node (row) has room for. `fits`: devices of the right sort."""
    if want.slots:
        each = np.where(fits, _slices(want.slots, free, cut, slots), 0)
    else:
        each = np.where(fits & (free >= want.milli), free // max(want.milli, 1), 0)
        if want.mib:
            each = np.minimum(each, np.maximum(mib // want.mib, 0))
    total: Ints = each.sum(axis=1, dtype=np.int64)
    if want.needed == 1:
        return total
    if want.milli == WHOLE and not want.slots:
        return total // want.needed
    best = np.zeros(len(total), dtype=np.int64)
    for pods in range(1, int(each.max(initial=0)) * each.shape[1] // want.needed + 1):
        enough = np.minimum(each, pods).sum(axis=1) >= pods * want.needed
        best[enough] = pods
    return best


def choose(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> int:
    """The devices of one node to take, as a bit mask; equal ones by index.

    One device: the fullest that fits. Several: those with most room first, which leaves room for
    as many such pods as there can be. Raises ValueError when they do not fit.
    """
    if want.slots:
        each = np.where(fits, _slices(want.slots, free, cut, slots), 0)
        key = np.where(cut > 0, 0, 1)
    else:
        each = np.where(fits & (free >= want.milli), free // max(want.milli, 1), 0)
        if want.mib:
            each = np.minimum(each, np.maximum(mib // want.mib, 0))
        key = free
    candidates = np.flatnonzero(each > 0)
    if want.needed > 1:
        key = -each
    order = candidates[np.argsort(key[candidates], kind="stable")][: want.needed]
    if len(order) < want.needed:
        raise ValueError("no room for these devices")
    return sum(1 << int(d) for d in order)


def slot_of(want: Devices, cut: int, slots: int) -> int:
    """The first free slot of a device for a slice of `want.slots`; slices start at multiples."""
    pattern = (1 << want.slots) - 1
    for first in range(0, slots - want.slots + 1, want.slots):
        if not cut & (pattern << first):
            return first
    raise ValueError("no free slice")


def _slices(size: int, free: Smalls, cut: Smalls, slots: Smalls) -> Smalls:
    """Free slices of `size` slots a device."""
    pattern = (1 << size) - 1
    count = np.zeros_like(cut)
    for first in range(0, int(slots.max(initial=0)) - size + 1, size):
        count += (first + size <= slots) & ((cut & (pattern << first)) == 0)
    return np.where((free == WHOLE) | (cut > 0), count, 0)
