"""Nodes that turned a gang's pods away, or lost them: back-off, twice as long each time.

A node may refuse a pod that the scheduler thought would fit (`OutOfcpu`: others placed pods there
meanwhile). Without a pause the same gang would go to the same node again and again. All that goes
wrong while a node is left alone is one trouble: a node that falls silent loses every gang it has.
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
FORGIVEN = 3600.0
"""Seconds after a pause in which nothing may go wrong for the next one to be short again."""
BLAMES = frozenset({"UnexpectedAdmissionError", "NodeAffinity", "NodeLost", "Evicted"})
"""Reasons of failed pods that speak against the node, besides every "OutOf…"."""


class Distrust:
    """Until when which node is left alone. Each failure is blamed once."""

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        self._times: dict[str, int] = {}
        self._blamed: set[tuple[str, int, str]] = set()

    def learn(self, gangs: Iterable[Gang], now: float) -> None:
        """Take note of failures that are a node's fault; `gangs` are all that have any."""
        told = {
            (gang.metadata.uid, gang.status.attempt + gang.status.evictions, failure.node)
            for gang in gangs
            for failure in gang.status.failures
            if _blames_node(failure)
        }
        for node in {node for _, _, node in told - self._blamed}:
            self._blame(node, now)
        self._blamed = told

    def _blame(self, node: str, now: float) -> None:
        until = self.until.get(node, 0.0)
        if now < until:
            return
        times = self._times.get(node, 0) if now < until + FORGIVEN else 0
        self._times[node] = times + 1
        self.until[node] = now + min(FIRST_PAUSE * 2.0 ** min(times, 16), LONGEST_PAUSE)

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
