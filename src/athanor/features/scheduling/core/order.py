"""Phase 2, order: who is considered first. Claim, priority, weighted dominant share, age.

- A gang inside its queue's guarantee comes before one that only has a deserved claim, and that
  before one that borrows: else borrowers would take what is reclaimed from them a moment later.
- Before all of them comes a gang for which others were told to go: what they leave is for it, and
  whoever else took it would be pushed out in turn.
- Then the higher priority; then the queue path with the smaller share (siblings are compared at
  the level where their paths part); then the older gang; then the order of the table.
- The share of a queue is its dominant one (Ghodsi et al., NSDI 2011) of present use plus past use
  that is forgotten with a half-life, divided by its weight. Starting a gang adds `entry_penalty`
  seconds of use at once, so that many short jobs cannot slip in between two looks.
"""

from __future__ import annotations

import math

import numpy as np

from athanor.features.scheduling.core.quota import Tree
from athanor.features.scheduling.core.snapshot import COUNTED, Policy, Snapshot
from athanor.features.scheduling.core.table import Floats, Ints

LN2 = math.log(2.0)


class Shares:
    """Weighted dominant shares of all queues, current as gangs are admitted."""

    def __init__(self, snapshot: Snapshot, tree: Tree, policy: Policy, now: float) -> None:
        queues = snapshot.queues
        self.tree = tree
        self.weight = np.maximum(queues.weight, 1).astype(np.float64)
        half = np.where(np.isnan(queues.half_life), policy.half_life, queues.half_life)
        self.memory = half / LN2
        self.past = grown(queues.decayed, tree.use, queues.decayed_at, half, now)
        self.penalty = policy.entry_penalty
        whole = tree.capacity.astype(np.float64)
        self.inverse = np.where(whole > 0, 1.0 / np.maximum(whole, 1.0), 0.0)
        self.inverse[..., [name.startswith(COUNTED) for name in snapshot.resources]] = 0.0
        self.known: dict[int, tuple[int, float]] = {}

    def share(self, queue: int) -> float:
        """The dominant share over all pools, by weight; remembered while the use is the same."""
        stamp = self.tree.stamps[queue]
        known = self.known.get(queue)
        if known is not None and known[0] == stamp:
            return known[1]
        found = self._share(queue)
        self.known[queue] = stamp, found
        return found

    def _share(self, queue: int) -> float:
        amount = self.tree.use[queue] + self.past[queue] / self.memory[queue]
        parts = amount * self.inverse
        return float(parts.max(initial=0.0) / self.weight[queue])

    def path(self, queue: int) -> tuple[float, ...]:
        """Shares from the root down to the queue."""
        return tuple(self.share(q) for q in reversed(self.tree.path[queue]))

    def start(self, queue: int, pool: int, amounts: Ints) -> None:
        """Charge the entry penalty of a gang that starts."""
        for q in self.tree.path[queue]:
            self.tree.stamps[q] += 1
            self.past[q, pool] += amounts * self.penalty

    def all(self) -> Floats:
        """The share of every queue."""
        return np.array([self.share(q) for q in range(len(self.weight))], dtype=np.float64)


def grown(past: Floats, use: Ints, since: Floats, half_life: Floats, now: float) -> Floats:
    """Past use at `now`, in resource-seconds, when `use` was held since `since` (NaN: no past).

    What was used is halved every half-life; under constant use it tends to use × half-life / ln 2.
    """
    age = np.where(np.isnan(since), 0.0, np.maximum(now - since, 0.0))
    fade = (0.5 ** (age / half_life))[:, None, None]
    memory = (half_life / LN2)[:, None, None]
    held: Floats = past * fade + use * memory * (1.0 - fade)
    return held
