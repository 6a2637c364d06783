"""What the docs list as refused is refused, with a Status or a plain 404 that says so."""

from __future__ import annotations

import asyncio

import pytest

from athanor.local.apiserver.refusals import REFUSALS, Refusal
from athanor.testing import lab


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: str(r.what)[:40])
def test_refused_as_listed(refusal: Refusal) -> None:
    async def main() -> None:
        async with lab.server() as server:
            answer = await server.client.transport.send(refusal.example())
            assert answer.status == refusal.code, answer.body
            assert answer.body

    asyncio.run(main())
