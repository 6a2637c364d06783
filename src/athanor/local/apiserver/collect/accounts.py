"""What every namespace has is put back when it is deleted or changed, or was never made."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.admission.accounts import ROOT_CA, furniture
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core

_OURS = {("serviceaccounts", "default"), ("configmaps", ROOT_CA)}


class AccountCollector:
    """Items: ("furniture", namespace)."""

    FOLLOWS: tuple[str, ...] = ("configmaps",)

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        work.on("furniture", self.look)

    def load(self) -> None:
        """Look at every namespace once."""
        for row in self._core.store.rows("namespaces"):
            self._work.add("furniture", row.key.name)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """Something that belongs to every namespace was deleted or changed."""
        if old is None or (served.key, old["metadata"]["name"]) not in _OURS:
            return
        if new is None or served.key == "configmaps":
            self._work.add("furniture", old["metadata"]["namespace"])

    async def look(self, name: str) -> None:
        """Write what the namespace lacks; a change meanwhile brings it here again."""
        namespace = self._core.latest("namespaces", "", name)
        if namespace is None or namespace["metadata"].get("deletionTimestamp"):
            return
        if missing := furniture(self._core, name):
            await self._core.store.apply(missing)
