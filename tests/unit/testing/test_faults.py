"""Faults come from a seed, and a lost answer is no lost write."""

from __future__ import annotations

import random

import pytest

from athanor.api.core import ConfigMap
from athanor.api.registry import of
from athanor.testing import lab, virtual
from athanor.testing.faults import NONE, Faulty, Rates
from athanor.wire import calls
from athanor.wire.status import ApiError

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}


@pytest.mark.parametrize(
    ("rates", "reason", "there"),
    [
        (Rates(lost=1), "ServiceUnavailable", False),
        (Rates(lost_answer=1), "ServiceUnavailable", True),
        (Rates(busy=1), "TooManyRequests", False),
        (Rates(doubled=1), "", True),
        (NONE, "", True),
    ],
)
def test_each_fault(rates: Rates, reason: str, there: bool) -> None:
    async def main() -> None:
        async with lab.server() as bed:
            client = bed.connect(lambda handle: Faulty(handle, random.Random(0), rates))
            said = ""
            try:
                await client(calls.create(of(ConfigMap), MAP))
            except ApiError as problem:
                said = problem.reason
            assert said == reason
            found = [m.metadata.name for m in await bed.list(ConfigMap, "default")]
            assert ("a" in found) == there

    virtual.run(main)
