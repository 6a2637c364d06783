"""The words of the ledger: what a pod needs, how one shape looks at all nodes, devices in rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu
from athanor.features.scheduling.core.snapshot import UNSET, Shapes
from athanor.features.scheduling.core.table import Bools, Ints, Smalls


class Shape(NamedTuple):
    """One pod's needs, hashable: equal shapes of two snapshots are the same key."""

    request: tuple[int, ...]
    devices: gpu.Devices
    min_mib: int
    models: tuple[bool, ...]
    per_node: int
    barred: tuple[int, ...]


def shape_of(shapes: Shapes, k: int) -> Shape:
    """Row `k` as a value."""
    return Shape(
        request=tuple(shapes.request[k].tolist()),
        devices=gpu.Devices(
            kind=int(shapes.kind[k]),
            needed=int(shapes.devices[k]) if shapes.kind[k] != UNSET else 0,
            milli=int(shapes.milli[k]),
            mib=int(shapes.mib[k]),
            slots=int(shapes.slice_slots[k]),
        ),
        min_mib=int(shapes.min_mib[k]),
        models=tuple(shapes.models[k].tolist()),
        per_node=int(shapes.per_node[k]),
        barred=tuple(shapes.barred[k].tolist()),
    )


PLENTY = 2**40
"""Pods that no gang has."""


class Devs(NamedTuple):
    """Devices of some nodes (rows): what they are, and what is free of them."""

    kind: Smalls
    model: Smalls
    memory: Ints
    slots: Smalls
    milli: Smalls
    mib: Ints
    cut: Smalls

    def rows(self, row: Smalls) -> Devs:
        """These rows, repeats included."""
        return Devs(
            self.kind[row], self.model[row], self.memory[row], self.slots[row],
            self.milli[row], self.mib[row], self.cut[row],
        )  # fmt: skip


class View:
    """One shape on all nodes: `room` for pods, `score` (greater is better; -1: no room).

    `seen`: how far the ledger's journal was followed; `rules`: by which of the compiled loops'
    rules nodes were compared.
    """

    def __init__(self, allowed: Bools, fits: Bools, size: int) -> None:
        self.allowed = allowed
        self.fits = fits
        self.room = np.zeros(size, dtype=np.int64)
        self.score = np.full(size, -1, dtype=np.int32)
        self.device = np.full(size, UNSET, dtype=np.int32)
        self.seen = -1
        self.rules = -1
        self.shared = False
        self._total: int | None = None

    @property
    def total(self) -> int:
        """Room on all nodes together; a node without bounds counts as `PLENTY`."""
        if self._total is None:
            self._total = int(np.minimum(self.room, PLENTY).sum())
        return self._total

    def fork(self) -> View:
        """The same view, copied when either side is next written."""
        other = View.__new__(View)
        other.__dict__.update(self.__dict__)
        self.shared = other.shared = True
        return other

    def own(self) -> None:
        """Make sure that nobody else sees what is written next."""
        self._total = None
        if self.shared:
            self.room, self.score = self.room.copy(), self.score.copy()
            self.device = self.device.copy()
            self.shared = False
