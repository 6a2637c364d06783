"""A disk that is full, compaction on disk, backup and restore, a process that is killed."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from athanor.local.store import writer as writers
from athanor.local.store.model import Conflict, Expired, StoreError, Unavailable
from athanor.local.store.restore import restore
from athanor.local.store.store import Keep, Store
from tests.unit.local.store.helpers import body, create, names, pod


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As good as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fails_writes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = Store.open(path)
        await create(store, "a")
        size = path.with_name(path.name + "-wal").stat().st_size
        watch = store.watch("pods", None, store.revision)
        with no_file_larger_than(size + 10):
            writes = [store.put(pod(f"b{n}"), body(), expect=0) for n in range(3)]
            results = await asyncio.gather(*writes, return_exceptions=True)
            for result in results:
                assert isinstance(result, Unavailable)
                assert result.code == 503
                assert "the change was not made" in str(result)
            assert names(store) == ["a"]
            assert store.latest(pod("b0")) is None
        await create(store, "b1")
        assert names(store) == ["a", "b1"]
        assert [change.key.name for change in await anext(watch)] == ["b1"]
        await store.close()
        again = Store.open(path)
        assert names(again) == ["a", "b1"]
        await again.close()

    asyncio.run(main())


def test_a_disk_that_becomes_read_only_fails_writes_until_it_is_writable_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = Store.open(path)
        await create(store, "a")
        assert store._log is not None
        read_only = store._log._writer.execute
        read_only("PRAGMA query_only = 1")
        for name in ("b", "c"):
            with pytest.raises(Unavailable, match=r"not made.*readonly database.*Check") as refused:
                await store.put(pod(name), body(), expect=0)
            assert refused.value.code == 503
        assert "readonly database" in store.failing
        assert names(store) == ["a"]
        read_only("PRAGMA query_only = 0")
        await create(store, "b")
        assert store.failing == ""
        assert names(store) == ["a", "b"]
        await store.close()
        again = Store.open(path)
        assert names(again) == ["a", "b"]
        await again.close()

    asyncio.run(main())


def test_what_was_accepted_on_top_of_a_failed_write_fails_too(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store.open(tmp_path / "store.db")
        await create(store, "a")
        size = (tmp_path / "store.db-wal").stat().st_size
        with no_file_larger_than(size + 10):
            first = asyncio.ensure_future(store.put(pod("b"), body("one"), expect=0))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            latest = store.latest(pod("b"))
            assert latest is not None
            second = asyncio.ensure_future(store.put(pod("b"), body("two"), expect=latest.revision))
            done = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in done] == [Unavailable, Unavailable]
        with pytest.raises(Conflict):
            await store.put(pod("b"), body(), expect=latest.revision)
        row = await store.put(pod("b"), body(), expect=0)
        assert row.revision > latest.revision
        await store.close()

    asyncio.run(main())


def test_compaction_empties_the_file_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = Store.open(path)
        await create(store, "a", "b", "c")
        for _ in range(30):
            row = store.get(pod("a"))
            assert row is not None
            await store.put(pod("a"), body("x"), expect=row.revision)
        b = store.get(pod("b"))
        assert b is not None
        await store.remove(pod("b"), body("last"), expect=b.revision)
        kept = store.revision
        store.compact(kept)
        await create(store, "d")
        since = store.rows_at("pods", None, kept)
        await store.close()
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT name FROM log ORDER BY revision").fetchall()
        connection.close()
        assert [name for (name,) in rows] == ["c", "a", "d"]
        again = Store.open(path)
        assert again.compacted == kept
        assert again.rows_at("pods", None, kept) == since
        assert [c.key.name for c in await anext(again.watch("pods", None, kept))] == ["d"]
        with pytest.raises(Expired):
            again.watch("pods", None, kept - 1)
        await again.close()

    asyncio.run(main())


def test_checkpoints_happen_beside_the_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "CHECKPOINT_BYTES", 50_000)
    monkeypatch.setattr(writers, "_LONG_WAL", 0)

    async def main() -> None:
        store = Store.open(tmp_path / "store.db", keep=Keep(changes=50))
        for number in range(300):
            await store.put(pod(f"p{number}"), body(pad=1000), expect=0)
        assert (tmp_path / "store.db").stat().st_size > 100_000
        await store.close()
        assert not (tmp_path / "store.db-wal").exists()

    asyncio.run(main())


def test_backup_and_restore(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"

    async def fill() -> int:
        store = Store.open(path)
        await create(store, "a", "b")
        a = store.get(pod("a"))
        assert a is not None
        await store.remove(pod("a"), body(), expect=a.revision)
        copying = asyncio.ensure_future(store.backup(copy))
        await create(store, "meanwhile")
        await copying
        with pytest.raises(StoreError, match="exists already"):
            await store.backup(copy)
        await create(store, "later")
        with pytest.raises(StoreError, match="in use by another server"):
            restore(copy, path)
        newest = store.revision
        await store.close()
        return newest

    newest = asyncio.run(fill())
    assert restore(copy, path).path == str(path)
    restored = Store.open(path)
    assert names(restored)[0] == "b"
    assert "later" not in names(restored)
    assert restored.revision > newest
    with pytest.raises(Expired):
        restored.watch("pods", None, newest)
    asyncio.run(restored.close())
    replaced = Store.open(tmp_path / "store.db.replaced-1")
    assert names(replaced) == ["b", "later", "meanwhile"]
    asyncio.run(replaced.close())
    elsewhere = tmp_path / "new" / "folder" / "store.db"
    restore(copy, elsewhere)
    assert elsewhere.parent.stat().st_mode & 0o077 == 0
    moved = Store.open(elsewhere)
    assert names(moved)[0] == "b"
    asyncio.run(moved.close())


def test_a_broken_backup_is_not_restored(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    asyncio.run(Store.open(path).close())
    before = path.read_bytes()
    copy.write_bytes(b"not a database at all" * 10)
    with pytest.raises(StoreError):
        restore(copy, path)
    with pytest.raises(StoreError, match="does not exist"):
        restore(tmp_path / "none.db", path)
    assert path.read_bytes() == before


def test_a_broken_file_is_replaced_by_a_backup(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"

    async def fill() -> None:
        store = Store.open(path)
        await create(store, "a")
        await store.backup(copy)
        await store.close()

    asyncio.run(fill())
    path.write_bytes(b"ruined")
    restore(copy, path)
    restored = Store.open(path)
    assert names(restored) == ["a"]
    asyncio.run(restored.close())
    assert (tmp_path / "store.db.replaced-1").read_bytes() == b"ruined"


def test_memory_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no file to back up"):
        asyncio.run(Store.open(":memory:").backup(tmp_path / "x"))


_WRITER = """
import asyncio, sys
from athanor.local.store.model import Key
from athanor.local.store.store import Store

async def main():
    store = Store.open(sys.argv[1])
    async def client(number):
        at = 0
        while True:
            key = Key("pods", "default", f"{number}-{at}")
            row = await store.put(key, lambda r: b'{"r": %d}' % r + b" " * 900, expect=0)
            print(row.revision, key.name, flush=True)
            at += 1
    await asyncio.gather(*[client(number) for number in range(8)])

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [3, 40, 150])
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().splitlines(keepends=True)
    acknowledged = {line.split()[1]: int(line.split()[0]) for line in said if line.endswith("\n")}
    store = Store.open(path)
    for name, revision in acknowledged.items():
        row = store.get(pod(name))
        assert row is not None
        assert row.revision == revision
    asyncio.run(store.close())
