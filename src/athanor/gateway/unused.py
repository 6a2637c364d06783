"""Deletes uploaded code that no object names any more, uploads that nobody went on with, and the
logs of namespaces that are gone.

What may name code is listed first, all of it: when that fails nothing is deleted. Code is kept for
a day after it was uploaded or asked for last, so that there is time to create what names it.
"""

from __future__ import annotations

import asyncio
import logging

from athanor.api.gateway import TAKE_CODE, named
from athanor.api.registry import Resource, find
from athanor.client.protocol import Client
from athanor.gateway.archive import Archive
from athanor.gateway.bundles import Bundles
from athanor.gateway.spaces import Spaces
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 3600.0
"""Seconds between two looks."""
OLDER, PARTS = 86_400.0, 3600.0
"""Seconds that code stays unnamed, and an upload unfinished."""
_PAGE = 500  # objects of one answer


class Unused:
    """Looks after the folders of bundles and of logs."""

    def __init__(self, client: Client, bundles: Bundles, archive: Archive, clock: Clock) -> None:
        self._client = client
        self._bundles = bundles
        self._archive = archive
        self._clock = clock

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            try:
                gone = await self.look()
                left = await self.depart()
            except (ApiError, OSError) as problem:
                log.warning("unused code and logs are not deleted: %s", problem)
            else:
                if gone or left:
                    log.info("deleted: %d bundles of code that nobody uses, the logs of %d pods "
                             "whose namespaces are gone", gone, left)  # fmt: skip
            await asyncio.sleep(EVERY)

    async def look(self) -> int:
        """Delete what nothing needs; how many files. Raises ApiError, OSError."""
        keep = set[str]()
        asked = self._clock.now()
        for kind in TAKE_CODE:
            resource = find(kind)
            assert resource is not None
            keep |= await self._named(resource)
        return await asyncio.to_thread(self._bundles.trim, keep, asked, OLDER, PARTS)

    async def depart(self) -> int:
        """Delete the logs of namespaces that are gone; how many pods'. Raises ApiError, OSError."""
        now = rfc3339(self._clock.now())
        begun = await Spaces(self._client).all()
        return await asyncio.to_thread(self._archive.drop, begun, now)

    async def _named(self, resource: Resource) -> set[str]:
        """What the objects of a kind name, page by page: there may be many."""
        found, rest = set[str](), ""
        while True:
            query = [("limit", str(_PAGE)), *([("continue", rest)] if rest else [])]
            page = await self._client(calls.raw("GET", resource.path(), query))
            found |= named(str(page["items"]))
            rest = page["metadata"].get("continue") or ""
            if not rest:
                return found
