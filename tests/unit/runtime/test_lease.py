"""One at work, others in wait."""

from __future__ import annotations

import asyncio

from athanor.api.core import Lease, LeaseSpec
from athanor.runtime.lease import DURATION, Elector, decide
from athanor.testing import lab, virtual


def held(by: str) -> Lease:
    return Lease(spec=LeaseSpec(holder_identity=by, lease_duration_seconds=15, lease_transitions=2))


def test_the_rule() -> None:
    assert decide(None, "me", 0, 0).verb == "create"
    assert decide(held("me"), "me", 0, 0).verb == "update"
    assert decide(held("you"), "me", 0, 14).verb == "wait"
    taken = decide(held("you"), "me", 0, 15)
    assert taken.spec is not None
    assert (taken.verb, taken.spec.lease_transitions) == ("update", 3)
    assert decide(held(""), "me", 0, 0).verb == "update"
    renewed = decide(held("me"), "me", 0, 0).spec
    assert renewed is not None
    assert renewed.lease_transitions == 2


def test_a_second_takes_over_when_the_first_is_dead() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            working: list[str] = []

            async def work(name: str) -> None:
                working.append(name)
                await asyncio.sleep(10_000)

            electors = {
                name: Elector(bed.connect(), "kube-system", "lock", name, bed.clock)
                for name in ("first", "second")
            }
            first = asyncio.ensure_future(electors["first"].lead(lambda: work("first")))
            await asyncio.sleep(1)
            second = asyncio.ensure_future(electors["second"].lead(lambda: work("second")))
            await asyncio.sleep(60)
            assert working == ["first"]
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await asyncio.sleep(DURATION + 5)
            assert working == ["first", "second"]
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)

    virtual.run(main)


def test_a_lease_given_back_is_free_at_once() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            first = Elector(bed.connect(), "kube-system", "lock", "first", bed.clock)
            second = Elector(bed.connect(), "kube-system", "lock", "second", bed.clock)

            async def nothing() -> None:
                return None

            await first.lead(nothing)
            await first.release()
            began = bed.clock.monotonic()
            await second.lead(nothing)
            assert bed.clock.monotonic() - began < DURATION

    virtual.run(main)
