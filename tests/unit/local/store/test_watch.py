"""Watches: order, resuming, sharing, bounds."""

from __future__ import annotations

import asyncio

import pytest

from athanor.local.store.history import Watch
from athanor.local.store.model import Expired, Key
from athanor.local.store.store import Keep, Store
from athanor.testing import virtual
from tests.unit.local.store.helpers import body, create, pod


async def _take(watch: Watch, count: int) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    while len(seen) < count:
        seen += [(change.type, change.key.name) for change in await anext(watch)]
    return seen


def test_a_watch_sees_every_change_after_its_revision_in_order() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        await create(store, "before")
        watch = store.watch("pods", None, store.revision)
        await create(store, "a", "b")
        row = store.get(pod("a"))
        assert row is not None
        await store.put(pod("a"), body(), expect=row.revision)
        gone = store.get(pod("b"))
        assert gone is not None
        await store.remove(pod("b"), body("last"), expect=gone.revision)
        seen = await _take(watch, 4)
        assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        watch.close()

    asyncio.run(main())


def test_a_waiting_watch_is_woken_and_a_watch_resumes_from_the_past() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        since = store.revision
        waiting = store.watch("pods", None, since)
        reading = asyncio.ensure_future(anext(waiting))
        await asyncio.sleep(0)
        await create(store, "a")
        batch = await reading
        assert [change.key.name for change in batch] == ["a"]
        assert batch[0].previous is None
        again = store.watch("pods", None, since)
        assert [change.key.name for change in await anext(again)] == ["a"]

    asyncio.run(main())


def test_a_watch_of_one_namespace_and_resource_sees_only_that() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watch = store.watch("pods", "team", store.revision)
        await create(store, "elsewhere")
        await store.put(Key("nodes", "", "n"), body(), expect=0)
        await store.put(pod("mine", "team"), body(), expect=0)
        assert await _take(watch, 1) == [("ADDED", "mine")]

    asyncio.run(main())


def test_watchers_at_the_same_place_share_one_batch() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watches = [store.watch("pods", None, store.revision) for _ in range(5)]
        assert store.watchers == 5
        reads = [asyncio.ensure_future(anext(watch)) for watch in watches]
        await asyncio.sleep(0)
        await create(store, "a", "b", "c")
        batches = [await read for read in reads]
        assert all(batch is batches[0] for batch in batches)
        for watch in watches:
            watch.close()
        assert store.watchers == 0

    asyncio.run(main())


def test_a_burst_comes_in_few_batches() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watch = store.watch("pods", None, store.revision)
        batches = 0

        async def follow() -> None:
            nonlocal batches
            seen = 0
            while seen < 200:
                seen += len(await anext(watch))
                batches += 1

        following = asyncio.ensure_future(follow())
        for number in range(200):
            await create(store, f"p{number}")
            await asyncio.sleep(0)
        await following
        assert batches < 100

    asyncio.run(main())


@pytest.mark.parametrize(("watchers", "between"), [(1, 0.002), (100, 0.005), (1000, 0.01)])
def test_the_more_are_told_the_longer_changes_are_gathered(watchers: int, between: float) -> None:
    async def main() -> None:
        store, now = Store.open(":memory:"), asyncio.get_running_loop().time
        told: dict[str, float] = {}

        async def follow(watch: Watch) -> None:
            async for batch in watch:
                for change in batch:
                    told.setdefault(change.key.name, now())

        watches = [store.watch("pods", None, store.revision) for _ in range(watchers)]
        following = [asyncio.ensure_future(follow(watch)) for watch in watches]
        await asyncio.sleep(1)
        await create(store, "lone")
        await asyncio.sleep(0.001)
        await create(store, "gathered")
        await asyncio.sleep(0.0005)
        await create(store, "too")
        await asyncio.sleep(1)
        assert told["lone"] == 1.0
        assert told["gathered"] == told["too"] == pytest.approx(1.0 + between)
        for watch in watches:
            watch.close()
        await asyncio.gather(*following)

    virtual.run(main)


def test_a_closed_watch_ends() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watch = store.watch("pods", None, store.revision)
        reading = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        watch.close()
        watch.close()
        with pytest.raises(StopAsyncIteration):
            await reading
        assert [batch async for batch in watch] == []

    asyncio.run(main())


def test_a_read_that_is_given_up_loses_nothing() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watch = store.watch("pods", None, store.revision)
        for _ in range(3):
            reading = asyncio.ensure_future(anext(watch))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.sleep(0)
        await create(store, "a")
        assert await _take(watch, 1) == [("ADDED", "a")]

    asyncio.run(main())


def test_a_watch_from_before_compaction_is_expired() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        await create(store, "a", "b", "c")
        store.compact(3)
        with pytest.raises(Expired, match=r"too old resource version: 2 \(3\)") as gone:
            store.watch("pods", None, 2)
        assert (gone.value.reason, gone.value.code) == ("Expired", 410)
        assert await _take(store.watch("pods", None, 3), 1) == [("ADDED", "c")]

    asyncio.run(main())


def test_a_stalled_watch_costs_bounded_memory_and_is_overtaken() -> None:
    async def main() -> None:
        store = Store.open(":memory:", keep=Keep(changes=50))
        stalled = store.watch("pods", None, store.revision)
        for number in range(200):
            await create(store, f"p{number}")
        with pytest.raises(Expired):
            await anext(stalled)

    asyncio.run(main())


def test_a_quiet_resource_outlives_compaction() -> None:
    async def main() -> None:
        store = Store.open(":memory:", keep=Keep(changes=50))
        quiet = store.watch("nodes", None, store.revision)
        reading = asyncio.ensure_future(anext(quiet))
        for number in range(200):
            await create(store, f"p{number}")
        assert quiet.revision == store.revision
        await store.put(Key("nodes", "", "n"), body(), expect=0)
        assert [change.key.name for change in await reading] == ["n"]

    asyncio.run(main())


def test_a_watch_from_the_future_waits_for_it() -> None:
    async def main() -> None:
        store = Store.open(":memory:")
        watch = store.watch("pods", None, store.revision + 2)
        await create(store, "a", "b", "c")
        assert await _take(watch, 1) == [("ADDED", "c")]

    asyncio.run(main())


def test_a_store_outlives_its_event_loop() -> None:
    store = Store.open(":memory:")

    async def once(name: str) -> None:
        watch = store.watch("pods", None, store.revision)
        reading = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        await create(store, name)
        assert [change.key.name for change in await reading] == [name]

    async def abandoned() -> None:
        reading = asyncio.ensure_future(anext(store.watch("pods", None, store.revision)))
        await asyncio.sleep(0)
        await create(store, "x")
        reading.cancel()

    asyncio.run(once("a"))
    asyncio.run(abandoned())
    asyncio.run(once("b"))
