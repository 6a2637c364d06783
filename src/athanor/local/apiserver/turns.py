"""Whose turn it is: limits on requests answered at once, shared fairly among those who ask.

After Kubernetes' API Priority and Fairness, in its simplest form. Whoever asks is a flow. A flow
may hold a share of the places; what it asks beyond that, or while all places are taken, waits in a
queue of its own, and free places go round the flows. So a flood waits behind itself, and anybody
else's request finds a place at once, or the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Places for one kind of request. Everything is called on one event loop.

    `limit`: places in all. `share`: the most that one flow holds. `queue`: the most requests of
    one flow that wait; those beyond are refused.
    """

    def __init__(self, limit: int, share: int, queue: int) -> None:
        self._limit, self._share, self._queue = limit, max(1, share), queue
        self._held: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._waiting.values()))

    def take(self, flow: str) -> bool:
        """Take a place if there is one for this flow now; then `leave` must follow."""
        held = self._held.get(flow, 0)
        if self.taken >= self._limit or held >= self._share:
            return False
        self.taken += 1
        self._held[flow] = held + 1
        return True

    async def wait(self, flow: str) -> bool:
        """Wait for a place and take it; False when too many of this flow wait already."""
        line = self._waiting.setdefault(flow, deque())
        if len(line) >= self._queue:
            if not line:
                del self._waiting[flow]
            return False
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(flow)
            raise
        return True

    def leave(self, flow: str) -> None:
        """Give a place back; the next flow in turn has it."""
        self.taken -= 1
        held = self._held[flow] - 1
        if held:
            self._held[flow] = held
        else:
            del self._held[flow]
        if self._waiting:
            self._next()

    def _next(self) -> None:
        for flow in list(self._waiting):
            line = self._waiting[flow]
            while line and line[0].done():
                line.popleft()  # who waited there has gone
            if line and self.take(flow):
                line.popleft().set_result(None)
                # the others come first next time
                self._waiting[flow] = self._waiting.pop(flow)
                if not line:
                    del self._waiting[flow]
                return
            if not line:
                del self._waiting[flow]
