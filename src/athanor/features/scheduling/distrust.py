"""Nodes that turned a gang's pods away, or lost them: back-off, twice as long each time.

A node may refuse a pod that the scheduler thought would fit (`OutOfcpu`: others placed pods there
meanwhile). Without a pause the same gang would go to the same node again and again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from athanor.api.ends import RankFailure
from athanor.api.scheduling import Gang
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import floats

FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
BLAMES = frozenset({"UnexpectedAdmissionError", "NodeAffinity", "NodeLost", "Evicted"})
"""Reasons of failed pods that speak against the node, besides every "OutOf…"."""


class Distrust:
    """Until when which node is left alone. Each failure is blamed once."""

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        self._times: dict[str, int] = {}
        self._blamed: set[tuple[str, int, str]] = set()

    def learn(self, gangs: Iterable[Gang], now: float) -> None:
        """Take note of failures that are a node's fault."""
        for gang in gangs:
            run = gang.status.attempt + gang.status.evictions
            for failure in gang.status.failures:
                key = gang.metadata.uid, run, failure.node
                if not _blames_node(failure) or key in self._blamed:
                    continue
                self._blamed.add(key)
                times = self._times.get(failure.node, 0)
                self._times[failure.node] = times + 1
                pause = min(FIRST_PAUSE * 2.0 ** min(times, 16), LONGEST_PAUSE)
                self.until[failure.node] = max(self.until.get(failure.node, 0.0), now + pause)

    def mark(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with `retry_at` of the nodes that are left alone."""
        if not self.until:
            return snapshot
        nodes = snapshot.nodes
        retry = floats(
            max(known, self.until.get(name, known))
            for name, known in zip(nodes.names, nodes.retry_at.tolist(), strict=True)
        )
        return dataclasses.replace(snapshot, nodes=dataclasses.replace(nodes, retry_at=retry))


def _blames_node(failure: RankFailure) -> bool:
    reason = failure.reason
    return bool(failure.platform and failure.node) and (
        reason.startswith("OutOf") or reason in BLAMES
    )
