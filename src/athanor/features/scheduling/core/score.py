"""How nodes are compared for one more pod: best fit, spread. The fragmentation gradient is `frag`.

A score is a whole number, greater is better, and depends on the node's own state alone; equal
scores go to the node that comes first. Coarse scores with ties in a fixed order concentrate load,
which keeps large pieces whole (measured on the openb trace; random ties double what is lost).
"""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core.ledger import Ledger, Scorer, Shape, View
from athanor.features.scheduling.core.table import Floats, Smalls

STEPS = 1000


def packing(scale: Floats) -> Scorer:
    """Best fit: the less is left of what the largest node has (`scale`, a resource), the better."""
    usable = scale > 0
    inverse = np.where(usable, 1.0 / np.where(usable, scale, 1.0), 0.0) / max(usable.sum(), 1)

    def rate(ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        left = ledger.free[nodes] - np.array(shape.request)
        view.score[nodes] = np.floor(STEPS * (1.0 - np.maximum(left, 0) @ inverse))

    return rate


def spreading() -> Scorer:
    """Spread: the greater the free part of the node that is left, the better."""

    def rate(ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        asked = np.array(shape.request)
        wanted = asked > 0
        left = (ledger.free[nodes] - asked)[:, wanted]
        whole = np.maximum(ledger.nodes.capacity[nodes][:, wanted], 1)
        parts = np.maximum(left, 0) / whole
        view.score[nodes] = np.floor(STEPS * parts.mean(axis=1)) if wanted.any() else STEPS

    return rate


def devices_last(packing: Scorer, gradient: Scorer) -> Scorer:
    """By `gradient` on nodes with devices; nodes without come before them, by `packing`."""

    def rate(ledger: Ledger, shape: Shape, view: View, nodes: Smalls) -> None:
        has = (ledger.nodes.kind[nodes] >= 0).any(axis=1)
        if has.any():
            gradient(ledger, shape, view, nodes[has])
        if not has.all():
            plain = nodes[~has]
            packing(ledger, shape, view, plain)
            view.score[plain] += STEPS

    return rate
