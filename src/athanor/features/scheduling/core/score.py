"""How nodes are compared for one more pod: best fit, spread, or the fragmentation gradient.

A score is a whole number from whole numbers, greater is better, and depends on the node's own
state alone; equal scores go to the node that comes first. Coarse scores with ties in a fixed order
concentrate load, which keeps large pieces whole (measured on the openb trace; random ties double
what is lost).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core import fast, frag
from athanor.features.scheduling.core.ledger import Ledger, Shape, View
from athanor.features.scheduling.core.table import Ints, Smalls

STEPS = 1000


class How(IntEnum):
    """What nodes are compared by."""

    PACK = 0
    SPREAD = 1
    GRADIENT = 2


class Rater(NamedTuple):
    """A way to compare nodes. `scale` is what the largest node has, a resource; `mix` the tasks
    that fragmentation is measured by (nodes without devices are packed, and come first)."""

    how: How
    scale: Ints
    mix: frag.Mix | None = None

    def __call__(self, ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        """Fill `view.score` (and `device`) of these nodes, all of which have room."""
        if self.how == How.SPREAD:
            view.score[nodes] = spreading(ledger, shape, nodes)
        elif self.how == How.PACK or self.mix is None:
            view.score[nodes] = packing(self.scale, ledger, shape, nodes)
        else:
            has = ledger.has[nodes]
            plain = nodes[~has]
            if len(plain):
                view.score[plain] = STEPS + packing(self.scale, ledger, shape, plain)
            if len(plain) < len(nodes):
                some = nodes[has]
                score, device = frag.gradient(self.mix, ledger, shape, view.fits, some)
                view.score[some], view.device[some] = score, device

    def rules(self) -> fast.Rules:
        """The same in arrays."""
        mix = self.mix
        if self.how != How.GRADIENT or mix is None:
            none = np.zeros(0, dtype=np.int64)
            how = min(self.how, How.SPREAD)
            table = np.zeros((0, 1), dtype=np.int64)
            return fast.Rules(how, self.scale, 0, 1, (), (), none, table, none)
        return fast.Rules(
            self.how, self.scale, mix.cpu, mix.whole, mix.wants, list(mix.models), mix.cpus,
            mix.weight, mix.bounds,
        )  # fmt: skip


def packing(scale: Ints, ledger: Ledger, shape: Shape, nodes: Smalls) -> Ints:
    """Best fit: the less is left of what the largest node has (`scale`, a resource), the better."""
    left = np.maximum(ledger.free[nodes] - np.array(shape.request, dtype=np.int64), 0)
    known = scale > 0
    parts = left[:, known] * STEPS // scale[known]
    score: Ints = STEPS - parts.sum(axis=1) // max(int(known.sum()), 1)
    return score


def spreading(ledger: Ledger, shape: Shape, nodes: Smalls) -> Ints:
    """Spread: the greater the free part of the node that is left, the better."""
    asked = np.array(shape.request, dtype=np.int64)
    wanted = asked > 0
    left = np.maximum((ledger.free[nodes] - asked)[:, wanted], 0)
    whole = np.maximum(ledger.nodes.capacity[nodes][:, wanted], 1)
    score: Ints = (left * STEPS // whole).sum(axis=1) // max(int(wanted.sum()), 1)
    return score if wanted.any() else np.full(len(nodes), STEPS, dtype=np.int64)
