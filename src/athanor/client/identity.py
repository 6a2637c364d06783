"""Who a process is to its server, kept good while it runs: its kubeconfig is read anew.

Certificates end. Whoever wrote the kubeconfig renews them in time (`athanor up` does, and so do
tools that rotate the files it names); connections that are open go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from athanor.client.target import Target
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two looks: certificates of a cluster's nodes may live for minutes only."""


class Shows(Protocol):
    """What makes connections as somebody."""

    def show(self, target: Target) -> None:
        """Make new ones with the certificate of `target`. Raises ApiError."""


async def keep(read: Callable[[], Target], *ways: Shows, every: float = EVERY) -> None:
    """Show on all ways what is read, whenever it is another certificate; until cancelled."""
    known = ""
    while True:
        try:
            target = await asyncio.to_thread(read)
            if target.certificate != known:
                for way in ways:
                    way.show(target)
                known = target.certificate
        except (ApiError, OSError) as problem:
            log.warning("the client certificate stays as it is: %s", problem)
        await asyncio.sleep(every)
