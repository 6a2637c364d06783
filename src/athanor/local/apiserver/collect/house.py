"""All that happens by itself in the server, over one queue of work.

Each part says which resources' writes it `FOLLOWS` (all, when it names none) beside all deletions.
"""

from __future__ import annotations

from athanor.local.apiserver.collect.accounts import AccountCollector
from athanor.local.apiserver.collect.claims import ClaimCollector
from athanor.local.apiserver.collect.endpoints import EndpointCollector
from athanor.local.apiserver.collect.events import EventCollector
from athanor.local.apiserver.collect.namespaces import NamespaceCollector
from athanor.local.apiserver.collect.owners import OwnerCollector
from athanor.local.apiserver.collect.quotas import QuotaCollector
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core


class House:
    """Starts with the first write; `load` finds what an earlier life left undone."""

    def __init__(self, core: Core) -> None:
        self.work = Work()
        self._parts = (
            OwnerCollector(core, self.work),
            NamespaceCollector(core, self.work),
            EventCollector(core, self.work),
            QuotaCollector(core, self.work),
            EndpointCollector(core, self.work),
            ClaimCollector(core, self.work),
            AccountCollector(core, self.work),
        )
        for part in self._parts:
            if part.FOLLOWS:
                core.follow(part.observe, part.FOLLOWS)
            else:
                core.observers.append(part.observe)

    def load(self) -> None:
        """Read what is stored once."""
        for part in self._parts:
            part.load()

    async def close(self) -> None:
        """End all of it."""
        await self.work.close()
