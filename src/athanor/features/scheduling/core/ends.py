"""When running gangs are expected to end, and what their ends set free, in columns: on the way to a
promise thousands end at once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from athanor.features.scheduling.core.booked import Pods
from athanor.features.scheduling.core.quota import Tree, Use
from athanor.features.scheduling.core.snapshot import UNSET, Policy, Snapshot
from athanor.features.scheduling.core.standing import Standing, ranges
from athanor.features.scheduling.core.table import Floats, Ints, Smalls, ints

OVERDUE = 60.0
"""The least that a gang is expected to run on, in seconds, when it should have ended."""


def expected(snapshot: Snapshot, policy: Policy, now: float, likely: Floats, rows: Ints) -> Floats:
    """When running gangs are expected to end: as learned (`likely`), else as said.

    One that is overdue by what was said runs as long again.
    """
    gangs = snapshot.gangs
    began = np.where(np.isnan(gangs.started[rows]), now, gangs.started[rows])
    said = gangs.expected_end[rows]
    end = np.where(np.isnan(said), began + policy.assumed_runtime, said)
    end = np.where(end > now, end, now + np.maximum(OVERDUE, now - began))
    learned = likely[rows]
    found: Floats = np.where(np.isnan(learned), end, now + np.maximum(learned, 1.0))
    return found


class Leaving:
    """What running gangs leave when they have ended; all of it is found once."""

    def __init__(self, snapshot: Snapshot, standing: Standing, tree: Tree) -> None:
        self.snapshot, self.standing, self.tree = snapshot, standing, tree

    def pods(self, rows: Ints) -> Pods:
        """The pods of these gangs."""
        running, (order, of) = self.snapshot.running, self._by_gang
        first = np.searchsorted(of, rows)
        some = order[ranges(first, np.searchsorted(of, rows, side="right") - first)]
        shape = self.snapshot.pod_sets.shape[running.pod_set[some]]
        return Pods(shape, running.node[some], running.devices[some], running.slot[some])

    def uses(self, rows: Ints) -> list[tuple[Use, Ints]]:
        """What these gangs hold in the quota tree, those that count alike together."""
        number = np.searchsorted(self.standing.rows, rows)
        uses, kind, amounts = self._uses
        kind, amounts = kind[number], amounts[number]
        total = np.zeros((len(uses), amounts.shape[1]), dtype=np.int64)
        for r in range(amounts.shape[1]):
            np.add.at(total[:, r], kind, amounts[:, r])
        some = np.flatnonzero(np.bincount(kind)).tolist()
        return [(uses[k], total[k]) for k in some if uses[k].pool != UNSET]

    @cached_property
    def _by_gang(self) -> tuple[Ints, Smalls]:
        """The pods in the order of their gangs, and whose they are."""
        gang = self.snapshot.running.gang
        order = np.argsort(gang, kind="stable")
        return order, gang[order]

    @cached_property
    def _uses(self) -> tuple[list[Use], Ints, Ints]:
        """All ways to count, each gang's, and what it holds by the prices of its pool."""
        numbers: dict[Use, int] = {}
        counted = [self.standing.counted(i) for i in range(len(self.standing.names))]
        kind = ints(
            numbers.setdefault(Use(one.queue, one.held.pool, one.user, one.preemptible),
                               len(numbers))
            for one in counted
        )  # fmt: skip
        amounts = [self.tree.priced(one.held.pool, one.held.amounts) for one in counted]
        shape = len(amounts), len(self.snapshot.resources)
        return list(numbers), kind, np.array(amounts, dtype=np.int64).reshape(shape)
