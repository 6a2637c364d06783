"""Usage of quotas is counted again when something they count is gone, or they change."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.admission import quota
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core
from athanor.local.store.model import Key

AGAIN = 0.02
"""Seconds until a quota is counted that a write is about to change."""

SETTLE = 0.2
"""Seconds that deletions are gathered for: a recount looks at everything in the namespace."""


class QuotaCollector:
    """Items: ("quota", key) and, for all quotas of a namespace, ("quotas", namespace)."""

    FOLLOWS: tuple[str, ...] = (quota.QUOTAS, "pods")

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        work.on("quota", self.look)
        work.on("quotas", self.look_at_all)

    def load(self) -> None:
        """Count everything once."""
        for row in self._core.store.rows(quota.QUOTAS):
            self._work.add("quota", row.key)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """What may lower a usage, or asks for another one."""
        one = new if new is not None else old
        namespace = one["metadata"].get("namespace", "") if one is not None else ""
        if served.key == quota.QUOTAS:
            if new is not None and (old is None or old.get("spec") != new.get("spec")):
                self._work.add("quota", quota.key_of(new))
            return
        if not namespace or not self._core.store.count(quota.QUOTAS, namespace):
            return
        if new is None or (served.key == "pods" and _phase(old) != _phase(new)):
            self._work.add("quotas", namespace, after=SETTLE)

    async def look_at_all(self, namespace: str) -> None:
        """Count all quotas of a namespace."""
        for row in self._core.store.rows(quota.QUOTAS, namespace):
            await self.look(row.key)

    async def look(self, key: Key) -> None:
        """Count one quota."""
        core = self._core
        served = core.catalog.by_name(quota.QUOTAS)
        if served is None:
            return

        def recount(found: JSON) -> JSON:
            if int(found["metadata"]["resourceVersion"]) > core.store.revision:
                # a creation that counted itself is on its way to the disk: not listed yet
                self._work.add("quota", key, after=AGAIN)
                return found
            return quota.counted(core, found)

        await change(core, system_call(served, key, "status"), recount, missing=True)


def _phase(pod: JSON | None) -> str:
    return str(((pod or {}).get("status") or {}).get("phase") or "")
