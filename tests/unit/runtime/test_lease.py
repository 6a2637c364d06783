"""One at work, others in wait."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from athanor.api.core import Lease, LeaseSpec, Namespace
from athanor.api.registry import of
from athanor.client.inproc import Handle
from athanor.runtime.lease import DURATION, RETRY, Elector, decide
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.request import Answer, Request
from athanor.wire.status import ApiError


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


def test_work_that_lost_the_lease_writes_nothing_more() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            silent = False

            def cut(handle: Handle) -> Handle:
                async def gate(request: Request) -> Answer:
                    if silent:
                        await asyncio.sleep(3600)
                    return await handle(request)

                return gate

            first = Elector(bed.connect(cut), "kube-system", "lock", "first", bed.clock)
            about = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}}
            lost = asyncio.Event()

            async def work() -> None:
                try:
                    await asyncio.sleep(10_000)
                finally:
                    lost.set()

            leading = asyncio.ensure_future(first.lead(work))
            await asyncio.sleep(20)
            assert first.leading
            await first.client(calls.create(of(Namespace), about))
            silent = True  # the server answers nobody: not even that the lease is kept
            began = bed.clock.monotonic()
            await lost.wait()
            assert bed.clock.monotonic() - began < DURATION
            with pytest.raises(ApiError, match="lease"):
                await first.client(calls.delete(of(Namespace), "late", None))
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)

    virtual.run(main)


def test_two_never_work_at_once_even_if_the_lease_is_taken_away_by_hand() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            working: list[str] = []

            async def work(name: str) -> None:
                working.append(name)
                assert len(working) == 1
                try:
                    await asyncio.sleep(10_000)
                finally:
                    working.remove(name)

            async def replica(name: str) -> None:
                elector = Elector(
                    bed.connect(), "kube-system", "lock", name, bed.clock, caution=2 * RETRY
                )
                while True:
                    await elector.lead(partial(work, name))

            tasks = [asyncio.ensure_future(replica(name)) for name in ("first", "second")]
            await asyncio.sleep(30)
            for turn in range(9):
                assert working
                other = "second" if working == ["first"] else "first"
                if turn % 3:
                    body = {"spec": {"holderIdentity": other}}
                    await bed.client(calls.patch(of(Lease), "lock", "kube-system", body))
                else:
                    await bed.client(calls.delete(of(Lease), "lock", "kube-system"))
                await asyncio.sleep(20 + 0.3 * turn)
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert not ended

    virtual.run(main)
