"""Reads, writes, preconditions and older revisions, in memory and on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from athanor.local.store.model import Conflict, Expired, Key, StoreError, Unavailable, Write
from athanor.local.store.store import Keep, Store
from tests.unit.local.store.helpers import body, create, names, pod

Scenario = Callable[[Store], Awaitable[None]]


@pytest.fixture(params=["memory", "disk"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    path = ":memory:" if request.param == "memory" else tmp_path / "store.db"

    def runner(scenario: Scenario) -> None:
        async def main() -> None:
            store = Store.open(path)
            try:
                await scenario(store)
            finally:
                await store.close()

        asyncio.run(main())

    return runner


def test_a_write_is_read_back_with_its_revision(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        before = store.revision
        row = await store.put(pod("a"), body("one"), expect=0)
        assert row.revision == before + 1 == store.revision
        assert store.get(pod("a")) == row
        assert json.loads(row.body)["metadata"]["resourceVersion"] == str(row.revision)
        again = await store.put(pod("a"), body("two"), expect=row.revision)
        assert again.revision == row.revision + 1
        assert json.loads(store.rows("pods")[0].body)["text"] == "two"

    run(scenario)


def test_nothing_is_ever_at_revision_zero(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        assert store.revision >= 1

    run(scenario)


def test_rows_are_sorted_and_counted_by_namespace_and_name(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(store: Store) -> None:
        for namespace, name in (("b", "x"), ("a", "z"), ("b", "a"), ("a", "y")):
            await store.put(pod(name, namespace), body(), expect=0)
        await store.put(Key("nodes", "", "n"), body(), expect=0)
        rows = store.rows("pods")
        found = [(row.key.namespace, row.key.name) for row in rows]
        assert found == [("a", "y"), ("a", "z"), ("b", "a"), ("b", "x")]
        assert names(store, namespace="b") == ["a", "x"]
        assert names(store, namespace="none") == [] == names(store, "gangs.athanor.dev")
        assert store.count("pods") == 4
        assert store.count("pods", "a") == 2
        assert store.count("pods", "none") == 0
        assert store.counts() == {"pods": 4, "nodes": 1}

    run(scenario)


def test_preconditions(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        row = await store.put(pod("a"), body(), expect=0)
        with pytest.raises(Conflict, match='pods "a" already exists') as exists:
            await store.put(pod("a"), body(), expect=0)
        assert (exists.value.reason, exists.value.actual) == ("AlreadyExists", row.revision)
        with pytest.raises(Conflict, match="the object has been modified") as stale:
            await store.put(pod("a"), body(), expect=row.revision + 7)
        assert stale.value.reason == "Conflict"
        with pytest.raises(Conflict) as missing:
            await store.put(pod("b"), body(), expect=5)
        assert missing.value.actual == 0
        for expect in (0, 5):
            with pytest.raises(Conflict):
                await store.remove(pod("b"), body(), expect=expect)
        assert store.revision == row.revision

    run(scenario)


def test_writes_are_checked_against_what_is_accepted_but_not_durable(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(store: Store) -> None:
        first = asyncio.ensure_future(store.put(pod("a"), body(), expect=0))
        await asyncio.sleep(0)
        latest = store.latest(pod("a"))
        assert latest is not None
        second = asyncio.ensure_future(store.put(pod("a"), body(), expect=latest.revision))
        third = asyncio.ensure_future(store.put(pod("a"), body(), expect=latest.revision))
        done = await asyncio.gather(first, second, third, return_exceptions=True)
        assert [type(result).__name__ for result in done] == ["Row", "Row", "Conflict"]
        assert store.get(pod("a")) == done[1] == store.latest(pod("a"))

    run(scenario)


def test_a_removed_object_can_be_made_again_at_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        row = await store.put(pod("a"), body(), expect=0)
        removing = asyncio.ensure_future(store.remove(pod("a"), body("last"), expect=row.revision))
        await asyncio.sleep(0)
        assert store.latest(pod("a")) is None
        made = await store.put(pod("a"), body("new"), expect=0)
        gone = await removing
        assert gone.revision == row.revision + 1
        assert json.loads(gone.body)["text"] == "last"
        assert store.get(pod("a")) == made

    run(scenario)


def test_apply_is_all_or_nothing(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        await create(store, "a", "b")
        a, before = store.get(pod("a")), store.revision
        assert a is not None
        with pytest.raises(Conflict):
            await store.apply([Write(pod("c"), body(), 0), Write(pod("b"), body(), 0)])
        assert names(store) == ["a", "b"]
        rows = await store.apply(
            [Write(pod("c"), body(), 0), Write(pod("a"), body(), a.revision, remove=True)]
        )
        assert [row.revision for row in rows] == [before + 1, before + 2]
        assert names(store) == ["b", "c"]
        assert await store.apply([]) == []
        with pytest.raises(ValueError, match="twice"):
            await store.apply([Write(pod("d"), body(), 0), Write(pod("d"), body(), 0)])

    run(scenario)


def test_an_encoder_that_fails_leaves_nothing_behind(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        def broken(revision: int) -> bytes:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await store.put(pod("a"), broken, expect=0)
        with pytest.raises(ValueError, match="no"):
            await store.apply([Write(pod("b"), body(), 0), Write(pod("a"), broken, 0)])
        assert store.latest(pod("a")) is None
        assert store.latest(pod("b")) is None
        row = await store.put(pod("a"), body(), expect=0)
        assert row.revision == 2

    run(scenario)


def test_a_caller_who_gives_up_does_not_undo_the_write(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        writing = asyncio.ensure_future(store.put(pod("a"), body(), expect=0))
        await asyncio.sleep(0)
        writing.cancel()
        await create(store, "b")
        assert names(store) == ["a", "b"]

    run(scenario)


def test_rows_as_they_stood(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        await create(store, "a", "b")
        then, was = store.revision, store.rows("pods")
        b = store.get(pod("b"))
        assert b is not None
        changed = await store.put(pod("b"), body("changed"), expect=b.revision)
        await store.remove(pod("b"), body(), expect=changed.revision)
        await store.put(pod("0"), body(), expect=0)
        assert store.rows_at("pods", None, then) == was
        assert store.rows_at("pods", "default", then) == was
        assert store.rows_at("pods", "other", then) == []
        assert store.rows_at("pods", None, store.revision) == store.rows("pods")
        store.compact(then)
        assert store.rows_at("pods", None, then) == was
        store.compact(then + 1)
        with pytest.raises(Expired, match=r"too old resource version: 3 \(4\)"):
            store.rows_at("pods", None, then)

    run(scenario)


def test_history_is_bounded(tmp_path: Path) -> None:
    async def main(path: str | Path) -> None:
        store = Store.open(path, keep=Keep(changes=20))
        for number in range(60):
            await store.put(pod(f"p{number}"), body(), expect=0)
        assert store.compacted > 30
        assert store.count("pods") == 60
        await store.close()

    asyncio.run(main(":memory:"))
    asyncio.run(main(tmp_path / "store.db"))


def test_history_is_bounded_by_bytes_and_age() -> None:
    async def main() -> None:
        store = Store.open(":memory:", keep=Keep(bytes=10_000, seconds=0.0))
        for number in range(20):
            await store.put(pod(f"p{number}"), body(pad=2000), expect=0)
        assert store.compacted >= 15

    asyncio.run(main())


def test_a_closed_store_takes_no_writes(run: Callable[[Scenario], None]) -> None:
    async def scenario(store: Store) -> None:
        accepted = asyncio.ensure_future(store.put(pod("a"), body(), expect=0))
        await asyncio.sleep(0)
        await store.close()
        assert (await accepted).revision == 2
        with pytest.raises(Unavailable, match="closing"):
            await store.put(pod("b"), body(), expect=0)
        await store.close()

    run(scenario)


def test_two_servers_cannot_open_one_file(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store.open(tmp_path / "store.db")
        with pytest.raises(StoreError, match=r"in use by another server \(process \d+\)"):
            Store.open(tmp_path / "store.db")
        await store.close()
        await Store.open(tmp_path / "store.db").close()

    asyncio.run(main())


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store.open(tmp_path / "store.db")
        await create(store, "a")
        await store.backup(tmp_path / "copy.db")
        modes = await asyncio.to_thread(
            lambda: {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        )
        assert modes == {0o600}
        await store.close()

    asyncio.run(main())
