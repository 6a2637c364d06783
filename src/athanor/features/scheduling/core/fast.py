"""Where the compiled loops are used: large clusters, numba installed. Otherwise nothing changes.

numba is an extra (`athanor[scale]`): importing it costs half a second and 100 MB, so it is imported
when a cluster of at least `LARGE` nodes is first looked at. Compiled code is kept on disk.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import gpu
from athanor.features.scheduling.core.shapes import Shape, View
from athanor.features.scheduling.core.snapshot import UNSET, Nodes
from athanor.features.scheduling.core.table import Bools, Ints, Smalls

Array = Ints | Smalls | Bools

LARGE = 1000
"""From so many nodes on the compiled loops pay for themselves."""
MODULE = "athanor.features.scheduling.core.compiled"


class Journal:
    """Numbers of nodes in the order in which they changed."""

    def __init__(self) -> None:
        self.entries = np.zeros(64, dtype=np.int32)
        self.length = 0

    def __len__(self) -> int:
        """How many there are."""
        return self.length

    def copy(self) -> Journal:
        """The same entries, to be continued apart."""
        other = Journal()
        other.entries, other.length = self.entries.copy(), self.length
        return other

    def append(self, node: int) -> None:
        """One more."""
        if self.length == len(self.entries):
            self.entries = np.concatenate((self.entries, np.zeros_like(self.entries)))
        self.entries[self.length] = node
        self.length += 1

    def extend(self, nodes: Ints) -> None:
        """Some more."""
        end = self.length + len(nodes)
        if end > len(self.entries):
            more = np.zeros(max(end, len(self.entries)), dtype=np.int32)
            self.entries = np.concatenate((self.entries, more))
        self.entries[self.length : end] = nodes
        self.length = end

    def since(self, begin: int) -> Smalls:
        """The entries from `begin` on."""
        return self.entries[begin : self.length]


class Rules(NamedTuple):
    """How nodes are compared: `score.Rater` and `frag.Mix` in arrays."""

    how: int
    scale: Ints
    cpu: int
    whole: int
    wants: Sequence[gpu.Devices]
    models: Sequence[Bools]
    cpus: Ints
    weight: Ints
    bounds: Ints


class Row(NamedTuple):
    """A shape as the compiled loops know it."""

    want: int
    request: Ints


def engine(nodes: Nodes, large: int) -> Engine | None:
    """The compiled loops for these nodes, or None: too few, odd ones, or no numba."""
    if len(nodes.names) < large or find_spec("numba") is None:
        return None
    memory, slots = int(nodes.memory.max(initial=0)), int(nodes.slots.max(initial=0))
    if memory >= 1 << 24 or slots > 16 or nodes.kind.shape[1] > 48:
        return None
    sorts, sort = _sorts(nodes)
    return Engine(nodes, sorts, sort) if len(sorts) < 1 << 13 else None


def _sorts(nodes: Nodes) -> tuple[Ints, Smalls]:
    """The sorts of devices (kind, model, memory, slots), and the sort of each (UNSET: none)."""
    columns = (nodes.kind, nodes.model, nodes.memory, nodes.slots)
    rows = np.stack([column.astype(np.int64) for column in columns], axis=2)
    found, number = np.unique(rows.reshape(-1, 4), axis=0, return_inverse=True)
    sort = np.where(nodes.kind == UNSET, UNSET, number.reshape(nodes.kind.shape))
    return found.astype(np.int64), sort.astype(np.int32)


class Engine:
    """Tables of the compiled loops; forks of a ledger share them."""

    def __init__(self, nodes: Nodes, sorts: Ints, sort: Smalls) -> None:
        self.loops: ModuleType = importlib.import_module(MODULE)
        self.sorts, self.sort = sorts, sort
        self.stamp = np.zeros(len(nodes.names), dtype=np.int64)
        self.lists = tuple(np.zeros(len(nodes.names), dtype=np.int32) for _ in range(2))
        self.nobody = np.zeros(len(nodes.names), dtype=np.int32)
        self.out = np.zeros(2, dtype=np.int64)
        self.shapes: dict[Shape, Row] = {}
        self.wants: dict[tuple[object, ...], int] = {}
        self.asks = np.zeros((0, 4), dtype=np.int64)
        self.admits = np.zeros((0, len(sorts)), dtype=np.bool_)
        self.counts = np.zeros(4, dtype=np.int64)
        self.recent = np.zeros((4096, 5), dtype=np.int64)
        self.size = (0, 256, 1024)  # wants, patterns, options
        self.rules: tuple[Array, ...] = ()
        self.steps = 1
        self._reserve()

    def _reserve(self) -> None:
        """Empty tables of the present size."""
        wants, patterns, options = self.size
        devices = self.sort.shape[1]
        self.rows = np.zeros((patterns, devices), dtype=np.int64)
        self.table = np.full(4 * patterns, -1, dtype=np.int32)
        self.lost = np.zeros((patterns, self.steps), dtype=np.int64)
        self.age = np.full(patterns, -1, dtype=np.int64)
        self.fit = np.full((wants, patterns), -1, dtype=np.int32)
        self.first = np.zeros((wants, patterns), dtype=np.int32)
        self.many = np.zeros((wants, patterns), dtype=np.int32)
        self.after = np.zeros(options, dtype=np.int32)
        self.cell = np.zeros(options, dtype=np.int64)
        self._gather()

    def _gather(self) -> None:
        """The arguments that are the same for every call."""
        memory, slots = self.sorts[:, 2].copy(), self.sorts[:, 3].astype(np.int32)
        self.cells = (
            self.counts, self.rows, self.table, self.lost, self.age, self.fit, self.first,
            self.many, self.after, self.cell, memory, slots, self.recent, self.asks, self.admits,
        )  # fmt: skip

    def _grow(self, wants: int, patterns: int, options: int) -> None:
        """Larger tables with what is known."""
        old = (self.rows, self.fit, self.first, self.many, self.after, self.cell)
        known, chosen = int(self.counts[1]), int(self.counts[2])
        self.size = (wants, patterns, options)
        self._reserve()
        self.rows[:known] = old[0][:known]
        for new, before in zip((self.fit, self.first, self.many), old[1:4], strict=True):
            new[: before.shape[0], :known] = before[:, :known]
        self.after[:chosen], self.cell[:chosen] = old[4][:chosen], old[5][:chosen]
        self.loops.rehash(self.rows, known, self.table)

    def rerate(self, rules: Rules) -> None:
        """Compare nodes by other rules: what patterns lose is not known any more."""
        asks = [(w.needed, w.milli, w.mib, w.slots) for w in rules.wants]
        admits = [self._admits(w.kind, m) for w, m in zip(rules.wants, rules.models, strict=True)]
        self.rules = (
            np.array([rules.how, rules.cpu, rules.whole], dtype=np.int64),
            np.array(asks, dtype=np.int64).reshape(-1, 4),
            np.array(admits, dtype=np.bool_).reshape(len(asks), len(self.sorts)),
            rules.cpus, rules.weight, rules.bounds, rules.scale,
        )  # fmt: skip
        self.counts[3] += 1
        self.steps = len(rules.cpus) + 1
        self.lost = np.zeros((self.size[1], self.steps), dtype=np.int64)
        self._gather()

    def _admits(self, kind: int, models: Bools, least: int = 0) -> Bools:
        """Which sorts of devices are of a kind and of these models, and have so much memory."""
        right: Bools = (self.sorts[:, 0] == kind) & models[self.sorts[:, 1]]
        return right & (self.sorts[:, 2] >= least)

    def row(self, shape: Shape) -> Row:
        """What the loops need to know of a shape."""
        known = self.shapes.get(shape)
        if known is not None:
            return known
        want = -1
        if shape.devices.kind != UNSET and shape.devices.needed:
            key = (shape.devices, shape.models, shape.min_mib)
            want = self.wants.setdefault(key, len(self.wants))
            if want == len(self.asks):
                ask = [(shape.devices.needed, *shape.devices[2:])]
                models = np.array([*shape.models, all(shape.models)], dtype=np.bool_)
                admits = self._admits(shape.devices.kind, models, shape.min_mib)
                self.asks = np.concatenate((self.asks, np.array(ask, dtype=np.int64)))
                self.admits = np.concatenate((self.admits, admits[None]))
                self._grow(want + 1, *self.size[1:])
        known = self.shapes[shape] = Row(want, np.array(shape.request, dtype=np.int64))
        return known

    def rated(self, view: View) -> bool:
        """Whether a view's nodes were compared by the present rules."""
        return bool(view.rules == self.counts[3])

    def refresh(
        self, held: tuple[Array, ...], shape: Shape, view: View, nodes: Smalls, here: Smalls | None
    ) -> None:
        """Bring a view up to date at these nodes (repeats are looked at once), and compare all
        nodes anew where it was filled by other rules.

        `held` is what is free (`Ledger._held`), `here` how many such pods each node has.
        """
        row = self.row(shape)
        beside = self.nobody if here is None else here
        self.counts[0] += 1
        stale, view.rules, done = not self.rated(view), int(self.counts[3]), 0
        while True:
            done = self.loops.refresh(
                nodes, done, stale, row.want, shape.per_node, row.request, beside, view.allowed,
                self.stamp, view.room, view.score, view.device, *self.lists, self.sort, *held,
                *self.cells, *self.rules,
            )  # fmt: skip
            if done == len(nodes):
                return
            self._grow(self.size[0], 2 * self.size[1], 2 * self.size[2])

    def take(
        self, held: tuple[Array, ...], shape: Shape, node: int, hint: int
    ) -> tuple[int, int] | None:
        """Pick devices for one more pod and book them; None: it does not fit."""
        row = self.row(shape)
        out = self.out
        if self.loops.take(node, row.want, hint, row.request, out, self.sort, *held, *self.cells):
            return None
        return int(out[0]), int(out[1])
