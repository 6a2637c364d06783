"""Time that jumps."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from athanor.testing.virtual import EPOCH, LoopClock, Stuck, run


def test_sleeping_takes_no_time_and_keeps_order() -> None:
    async def main() -> list[str]:
        told: list[str] = []

        async def say(after: float, what: str) -> None:
            await asyncio.sleep(after)
            told.append(what)

        await asyncio.gather(say(86_400, "day"), say(3_600, "hour"), say(1, "second"))
        clock = LoopClock(asyncio.get_running_loop())
        assert clock.monotonic() == pytest.approx(86_400)
        assert clock.now() == pytest.approx(EPOCH + 86_400)
        return told

    assert run(main) == ["second", "hour", "day"]


def test_time_outs_come_in_virtual_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await asyncio.Event().wait()

    run(main)


def test_waiting_for_nothing_is_an_error_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(main)


def test_time_passes_although_two_look_again_until_a_moment_has_come() -> None:
    async def until(moment: float, turns: int) -> None:
        for _ in range(turns):  # so that one is always ready while the other waits
            await asyncio.sleep(0)
        while asyncio.get_running_loop().time() < moment:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(moment):
                    await asyncio.Event().wait()

    async def main() -> float:
        await asyncio.sleep(1.0)
        soon = asyncio.get_running_loop().time() + 5e-10
        await asyncio.gather(until(soon, 0), until(soon, 1))
        return asyncio.get_running_loop().time()

    assert run(main) > 1.0
