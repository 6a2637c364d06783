"""Roles gathered from others (aggregationRule): what they grant now is written into them.

Checks go by the index and do not wait for it; this is for people who read the role.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.auth import bootstrap
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.auth.rbac import CLUSTER_ROLES
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core


class Gathering:
    """Follows cluster roles. Items: ("gather",)."""

    def __init__(self, core: Core, work: Work, auth: Auth) -> None:
        self._core, self._work, self._auth = core, work, auth
        work.on("gather", self.look)
        core.follow(self.observe, (CLUSTER_ROLES,))

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """A cluster role was written or deleted."""
        if served.key == CLUSTER_ROLES:
            self._work.add("gather")

    async def look(self) -> None:
        """Bring every gathered role up to date."""
        await bootstrap.gather(self._core.store, self._auth.rbac, self._auth.changed)
