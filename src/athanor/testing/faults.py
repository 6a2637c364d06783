"""Faults from a seed: requests and answers that are lost, late or doubled, refusals, cut watches.

`Faulty` goes between a client and a server's `handle`. A lost answer is the nasty one: the write
has happened and the client does not know.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator

from msgspec import Struct

from athanor.client.inproc import Handle
from athanor.wire.request import Answer, Request, Stream
from athanor.wire.status import ApiError


class Rates(Struct, frozen=True, kw_only=True):
    """How often each fault comes, of all requests; `delay` is the longest wait in seconds."""

    lost: float = 0.0
    lost_answer: float = 0.0
    doubled: float = 0.0
    conflict: float = 0.0
    busy: float = 0.0
    cut: float = 0.0
    delayed: float = 0.0
    delay: float = 2.0


NONE = Rates()
ROUGH = Rates(
    lost=0.02, lost_answer=0.02, doubled=0.01, conflict=0.02, busy=0.01, cut=0.02, delayed=0.1
)


class Faulty:
    """A server's `handle`, seen through a bad network. `rates` may change; `faults` counts them."""

    def __init__(self, handle: Handle, dice: random.Random, rates: Rates) -> None:
        self._handle = handle
        self._dice = dice
        self.rates = rates
        self.faults = 0

    async def __call__(self, request: Request) -> Answer:
        """Answer, or fail as networks do. Raises ApiError."""
        if self._hits(self.rates.delayed):
            await asyncio.sleep(self._dice.random() * self.rates.delay)
        if self._hits(self.rates.lost):
            raise ApiError("ServiceUnavailable", "the request was lost")
        if self._hits(self.rates.busy):
            raise ApiError("TooManyRequests", "come back later", retry_after=1)
        writes = request.method in ("PUT", "PATCH")
        if writes and self._hits(self.rates.conflict):
            raise ApiError("Conflict", "somebody was faster")
        answer = await self._handle(request)
        if request.method != "GET" and self._hits(self.rates.doubled):
            await self._handle(request)
        if request.method != "GET" and self._hits(self.rates.lost_answer):
            raise ApiError("ServiceUnavailable", "the answer was lost")
        if isinstance(answer, Stream) and self._hits(self.rates.cut * 10):
            after = self._dice.randrange(1, 20)
            return Stream(chunks=_cut(answer.chunks, after), status=answer.status)
        return answer

    def _hits(self, rate: float) -> bool:
        hit = rate > 0 and self._dice.random() < rate
        self.faults += hit
        return hit


async def _cut(chunks: AsyncIterator[bytes], after: int) -> AsyncGenerator[bytes, None]:
    """The first chunks of a stream, then its end."""
    try:
        async for chunk in chunks:
            yield chunk
            after -= 1
            if after <= 0:
                return
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
