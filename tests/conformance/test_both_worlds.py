"""The scenarios over HTTP, on a whole `athanor up` and on a real control plane."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conformance.run import collect, play, world

SCENARIOS = collect()


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_answers(kubeconfig: Path, name: str) -> None:
    async def main() -> None:
        async with world(str(kubeconfig)) as transport:
            await play(transport, SCENARIOS[name])

    asyncio.run(main())
