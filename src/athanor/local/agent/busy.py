"""Whether workspaces really work: processor and GPU time of their pods, as annotations.

The gateway reads them and counts them as use; an empty time says that a GPU is measured and has not
worked yet. Other pods are not looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.kit.times import rfc3339
from athanor.local.agent.kubelet.summary import usage
from athanor.local.agent.node import Node
from athanor.local.agent.supervised import Refused
from athanor.local.agent.worker import Worker
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 10.0
"""Seconds between two looks."""
CORES = 0.05
"""So much of a core counts as work; an idle JupyterLab takes a hundredth."""
PERCENT = 5
"""So much of a GPU's time counts as work."""


class Busy:
    """Looks at the pods of workspaces now and then."""

    def __init__(self, node: Node, workers: Mapping[str, Worker]) -> None:
        self._node = node
        self._workers = workers
        self._before: dict[str, int] = {}

    async def run(self) -> None:
        """Work until cancelled; sleeps while there is no workspace."""
        while True:
            await asyncio.sleep(EVERY)
            mine = [worker for worker in self._workers.values() if _is_ours(worker)]
            if not mine:
                self._before.clear()
                continue
            try:
                await self._look(mine)
            except (ApiError, Refused, OSError) as problem:
                log.info("use of workspaces: %s", problem)

    async def _look(self, workers: list[Worker]) -> None:
        node = self._node
        used = await usage(node)
        stamp = rfc3339(node.clock.now())
        before, self._before = self._before, {}
        for worker in workers:
            uid = worker.uid
            spent = sum(one.get("cpu", 0) for key, one in used.items() if key.startswith(uid))
            self._before[uid] = spent
            told: JSON = {}
            if uid in before and spent - before[uid] > CORES * EVERY * 1e9:
                told[labels.BUSY] = stamp
            meta = worker.pod["metadata"]
            loads = node.devices.loads(uid)
            if any(load.busy > PERCENT for load in loads):
                told[labels.GPU_BUSY] = stamp
            elif loads and labels.GPU_BUSY not in (meta.get("annotations") or {}):
                told[labels.GPU_BUSY] = ""
            if told:
                body = {"metadata": {"annotations": told}}
                await node.client(
                    calls.patch(
                        of(Pod), meta["name"], meta["namespace"], body, subresource="status"
                    )
                )


def _is_ours(worker: Worker) -> bool:
    marks = worker.pod["metadata"].get("labels") or {}
    return labels.WORKSPACE in marks and not worker.finished
