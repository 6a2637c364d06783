"""Every scenario that a real Kubernetes server passes, against ours."""

from __future__ import annotations

import pytest

from athanor.testing import virtual
from tests.conformance.run import collect, play, world

SCENARIOS = collect()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_real_server_answers_the_same(name: str) -> None:
    async def main() -> None:
        async with world("") as transport:
            await play(transport, SCENARIOS[name])

    virtual.run(main)
