"""The memo: the ledger and views of the last cycle, made current by what differs.

Everything in it can be had from the snapshot again; a memo of another world is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from athanor.features.scheduling.core import ledger as ledgers
from athanor.features.scheduling.core import score
from athanor.features.scheduling.core.ledger import Ledger, Scorer, Shape, shape_of
from athanor.features.scheduling.core.snapshot import Policy, Snapshot


@dataclass
class Memo:
    """What one cycle hands to the next."""

    snapshot: Snapshot
    policy: Policy
    shapes: list[Shape]
    ledger: Ledger


def current(memo: Memo | None, snapshot: Snapshot, policy: Policy, now: float) -> Memo:
    """A memo that is true of this snapshot, the old one if it can be mended."""
    shapes = [shape_of(snapshot.shapes, k) for k in range(len(snapshot.shapes.kind))]
    fresh = ledgers.of(snapshot, shapes, rater(snapshot, policy), now)
    return Memo(snapshot, policy, shapes, fresh)


def rater(snapshot: Snapshot, policy: Policy) -> Scorer:
    """The policy's way to compare nodes."""
    if policy.score == "spread":
        return score.spreading()
    return score.packing(np.max(snapshot.nodes.capacity, axis=0, initial=0).astype(np.float64))
