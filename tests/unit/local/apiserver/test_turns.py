"""Turns: shares, queues of their own, and free places that go round."""

from __future__ import annotations

import asyncio

from athanor.local.apiserver.turns import Turns


def test_a_flood_waits_behind_itself() -> None:
    async def main() -> None:
        turns = Turns(limit=4, share=2, queue=3)
        assert [turns.take("flood") for _ in range(3)] == [True, True, False]
        waiting = [asyncio.ensure_future(turns.wait("flood")) for _ in range(4)]
        await asyncio.sleep(0)
        assert turns.waiting == 3
        assert waiting[3].done() and waiting[3].result() is False
        assert turns.take("person")
        turns.leave("person")
        turns.leave("flood")
        assert await waiting[0] is True
        assert (turns.taken, turns.waiting) == (2, 2)
        for one in waiting[1:3]:
            turns.leave("flood")
            assert await one is True
        turns.leave("flood")
        turns.leave("flood")
        assert (turns.taken, turns.waiting) == (0, 0)

    asyncio.run(main())


def test_free_places_go_round() -> None:
    async def main() -> None:
        turns, order = Turns(limit=1, share=1, queue=10), list[str]()

        async def ask(flow: str) -> None:
            assert turns.take(flow) or await turns.wait(flow)
            await asyncio.sleep(0)
            order.append(flow)
            turns.leave(flow)

        await asyncio.gather(*[ask(flow) for flow in "aaaabbc"])
        assert order == ["a", "a", "b", "c", "a", "b", "a"]
        assert turns.taken == 0

    asyncio.run(main())


def test_who_goes_while_waiting_loses_nothing_for_others() -> None:
    async def main() -> None:
        turns = Turns(limit=1, share=1, queue=10)
        assert turns.take("a")
        gone, stays = (asyncio.ensure_future(turns.wait(flow)) for flow in "bc")
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        turns.leave("a")
        assert await stays is True
        late = asyncio.ensure_future(turns.wait("d"))
        await asyncio.sleep(0)
        turns.leave("c")  # gives the place to d,
        late.cancel()  # who goes before it runs
        await asyncio.sleep(0)
        assert turns.taken == 0

    asyncio.run(main())
