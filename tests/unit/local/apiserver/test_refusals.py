"""What the docs list as refused is refused, with a Status that says so."""

from __future__ import annotations

import asyncio
import json

import pytest

from athanor.local.apiserver.refusals import REFUSALS, Refusal
from athanor.testing import lab


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: str(r.what)[:40])
def test_refused_as_listed(refusal: Refusal) -> None:
    async def main() -> None:
        async with lab.server() as server:
            answer = await server.client.transport.send(refusal.example())
            assert answer.status == refusal.code, answer.body
            said = json.loads(answer.body)
            assert said["kind"] == "Status" and said["message"]
            if refusal.names:
                assert f"not served here: {refusal.what}" in said["message"]
                assert said["message"].endswith(f"use {refusal.instead}")

    asyncio.run(main())
