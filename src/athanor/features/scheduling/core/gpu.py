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


def each(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> Smalls:
    """How many times each device can be asked for what one pod asks one device for."""
    if want.slots:
        found: Smalls = np.where(fits, _slices(want.slots, free, cut, slots), 0)
        return found
    count = np.where(fits & (free >= want.milli), free // max(want.milli, 1), 0)
    if want.mib:
        count = np.minimum(count, np.maximum(mib // want.mib, 0))
    return count


def room(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> Ints:
    """How many pods' devices each node (row) has room for. `fits`: devices of the right sort."""
    times = each(want, fits, free, mib, cut, slots)
    total: Ints = times.sum(axis=1, dtype=np.int64)
    if want.needed == 1:
        return total
    if want.milli == WHOLE and not want.slots:
        return total // want.needed
    best = np.zeros(len(total), dtype=np.int64)
    for pods in range(1, int(times.max(initial=0)) * times.shape[1] // want.needed + 1):
        enough = np.minimum(times, pods).sum(axis=1) >= pods * want.needed
        best[enough] = pods
    return best


def order(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> Ints:
    """The devices of each node (row) in the order in which they are taken, those that fit first.

    One device: the fullest, a cut one before others. Several: those with most room first, which
    leaves room for as many such pods as there can be. Then the fuller; equal ones by index.
    """
    times = each(want, fits, free, mib, cut, slots)
    first = times == 0
    if want.needed > 1:
        return np.lexsort((cut, mib, free, -times, first), axis=1)
    if want.slots:
        return np.argsort(first * 2 + (cut == 0), axis=1, kind="stable")
    return np.lexsort((free, first), axis=1)


def choose(want: Devices, fits: Bools, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> int:
    """The devices of one node to take, as a bit mask. Raises ValueError when they do not fit."""
    row = (fits[None], free[None], mib[None], cut[None], slots[None])
    if int((each(want, *row) > 0).sum()) < want.needed:
        raise ValueError("no room for these devices")
    return sum(1 << int(d) for d in order(want, *row)[0, : want.needed])


def slot_of(want: Devices, cut: int, slots: int) -> int:
    """The first free slot of a device for a slice of `want.slots`; slices start at multiples."""
    pattern = (1 << want.slots) - 1
    for first in range(0, slots - want.slots + 1, want.slots):
        if not cut & (pattern << first):
            return first
    raise ValueError("no free slice")


def after(
    want: Devices, free: Smalls, mib: Ints, cut: Smalls, memory: Ints, slots: Smalls
) -> tuple[Smalls, Ints, Smalls]:
    """Free thousandths, free MiB and taken slices of devices once one pod has its part of each."""
    if not want.slots:
        return free - want.milli, mib - (want.mib or memory * want.milli // WHOLE), cut
    pattern = (1 << want.slots) - 1
    taken = cut.copy()
    done = np.zeros(len(cut), dtype=np.bool_)
    for first in range(0, int(slots.max(initial=0)) - want.slots + 1, want.slots):
        here = ~done & (first + want.slots <= slots) & ((cut & (pattern << first)) == 0)
        taken[here] |= pattern << first
        done |= here
    return np.zeros_like(free), mib, taken


def idle(free: Smalls, cut: Smalls, slots: Smalls) -> Ints:
    """Idle thousandths of each device: free ones, or those of the slots that are not taken."""
    left = np.zeros(cut.shape, dtype=np.int64)
    for slot in range(int(slots.max(initial=0))):
        left += (slot < slots) & ((cut >> slot) & 1 == 0)
    part = left * WHOLE // np.maximum(slots, 1)
    return np.where(cut > 0, part, np.maximum(free, 0))


def usable(want: Devices, free: Smalls, mib: Ints, cut: Smalls, slots: Smalls) -> Ints:
    """Idle thousandths of each device that pods with this want can use."""
    if want.slots:
        count = _slices(want.slots, free, cut, slots).astype(np.int64)
        return count * want.slots * WHOLE // np.maximum(slots, 1)
    ok = (free >= max(want.milli, 1)) & ((mib >= want.mib) | (want.mib == 0))
    return np.where(ok, free, 0).astype(np.int64)


def _slices(size: int, free: Smalls, cut: Smalls, slots: Smalls) -> Smalls:
    """Free slices of `size` slots a device."""
    pattern = (1 << size) - 1
    count = np.zeros_like(cut)
    for first in range(0, int(slots.max(initial=0)) - size + 1, size):
        count += (first + size <= slots) & ((cut & (pattern << first)) == 0)
    return np.where((free == WHOLE) | (cut > 0), count, 0)
