"""Files that are torn, cut, scribbled on, foreign: said exactly, and never made worse."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from athanor.local.store import log as logs
from athanor.local.store.model import StoreError
from athanor.local.store.store import Store
from tests.unit.local.store.helpers import body, create, names, pod

COUNT = 30


@cache
def _left() -> dict[str, bytes]:
    """What kill -9 leaves of a data file: everything is in the write-ahead log. Name → content."""

    async def main(folder: Path) -> dict[str, bytes]:
        store = Store.open(folder / "store.db")
        for number in range(COUNT):
            await create(store, f"p{number:02}", pad=1500)
        left = {name: (folder / name).read_bytes() for name in ("store.db", "store.db-wal")}
        await store.close()
        return left

    with TemporaryDirectory() as folder:
        return asyncio.run(main(Path(folder)))


def _filled(folder: Path) -> Path:
    """A data file as kill -9 leaves it."""
    for name, content in _left().items():
        (folder / name).write_bytes(content)
    return folder / "store.db"


def _closed(folder: Path) -> Path:
    """A data file after an orderly end."""
    path = _filled(folder)
    asyncio.run(Store.open(path).close())
    assert not path.with_name(path.name + "-wal").exists()
    return path


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: content
        for path in folder.iterdir()
        if not path.name.endswith(("-shm", ".lock")) and (content := path.read_bytes())
    }


def _refused(path: Path, match: str) -> None:
    """Opening says so, twice, and changes no byte."""
    before = _contents(path.parent)
    for _ in range(2):
        with pytest.raises(StoreError, match=match):
            Store.open(path)
    assert _contents(path.parent) == before


def _names(path: Path) -> tuple[list[str], Store]:
    store = Store.open(path)
    found = names(store)
    asyncio.run(store.close())
    return found, store


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    found, store = _names(_filled(tmp_path))
    assert found == [f"p{number:02}" for number in range(COUNT)]
    assert "pages recovered from the write-ahead log" in str(store.found)
    assert store.found.discarded == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_write_ahead_log_cut_anywhere_gives_a_prefix(tmp_path: Path, seed: int) -> None:
    path = _filled(tmp_path)
    wal = path.with_name(path.name + "-wal")
    size = wal.stat().st_size
    cut = random.Random(seed).randrange(33, size)
    with wal.open("r+b") as file:
        file.truncate(cut)
    found, _ = _names(path)
    assert found == [f"p{number:02}" for number in range(len(found))]
    assert len(found) <= COUNT


def test_an_unfinished_last_write_is_left_out_and_said(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    wal = path.with_name(path.name + "-wal")
    with wal.open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"\xff" * 100)
    found, store = _names(path)
    assert found == [f"p{number:02}" for number in range(COUNT - 1)]
    assert "of a write that never finished left out" in str(store.found)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.7])
def test_damage_in_the_middle_of_acknowledged_writes_is_refused(
    tmp_path: Path, part: float
) -> None:
    path = _filled(tmp_path)
    wal = path.with_name(path.name + "-wal")
    with wal.open("r+b") as file:
        file.seek(int(wal.stat().st_size * part))
        file.write(b"\x55" * 64)
    _refused(path, r"-wal is damaged at page \d+ of \d+: \d+ groups of acknowledged changes")


def test_a_damaged_header_of_the_write_ahead_log_is_refused(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    with path.with_name(path.name + "-wal").open("r+b") as file:
        file.seek(9)
        file.write(b"\x77")
    _refused(path, "its header does not match its own checksum")


@pytest.mark.parametrize("seed", range(12))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, seed: int) -> None:
    path = _closed(tmp_path)
    cut = random.Random(seed).randrange(0, path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(cut)
    _refused(path, "is cut off|is empty|is not a database")


@pytest.mark.parametrize("seed", range(25))
def test_a_flipped_byte_is_noticed_or_harmless(tmp_path: Path, seed: int) -> None:
    path = _closed(tmp_path)
    dice = random.Random(seed)
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    before = _contents(tmp_path)
    try:
        found, _ = _names(path)
    except StoreError as error:
        assert str(path) in str(error)
        assert _contents(tmp_path) == before
    else:
        assert found == [f"p{number:02}" for number in range(COUNT)]


def test_scribbled_pages_are_said_not_thrown(tmp_path: Path) -> None:
    path = _closed(tmp_path)
    with path.open("r+b") as file:
        size = struct.unpack(">H", file.read(18)[16:])[0]
        for page in range(1, path.stat().st_size // size):
            file.seek(page * size)
            file.write(b"\xa5" * size)
    _refused(path, "is damaged.*Nothing was changed. Restore a backup")


def test_a_changed_body_is_named_by_its_revision(tmp_path: Path) -> None:
    path = _closed(tmp_path)
    content = path.read_bytes()
    assert b'"text": "p07"' in content
    path.write_bytes(content.replace(b'"text": "p07"', b'"text": "p7?"'))
    _refused(path, r"revision 9 \(pods default/p07\) does not match its checksum")


def test_a_missing_row_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = Store.open(path)
        row = await store.put(pod("a"), body(), expect=0)
        await store.put(pod("a"), body(), expect=row.revision)
        await store.close()

    asyncio.run(main())
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM log WHERE revision = 2")
    connection.close()
    _refused(path, "revision 3 of pods/default/a replaced revision 2, which is not there")


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    _refused(path, "is empty: it was cut off")
    path.write_bytes(b"apiVersion: v1\n" * 20)
    _refused(path, "is not a database: it starts with b'apiVersion")
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    _refused(path, "not one of Athanor's")


def test_a_folder_and_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "store.db")
    with pytest.raises(StoreError, match="Does .*nowhere exist"):
        Store.open(tmp_path / "nowhere" / "store.db")


def test_a_newer_format_is_refused_and_an_older_one_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _closed(tmp_path)
    with path.open("r+b") as file:
        file.seek(60)
        file.write(struct.pack(">I", 99))
    _refused(path, "has format 99, this version of Athanor knows 1 at most")
    with path.open("r+b") as file:
        file.seek(60)
        file.write(struct.pack(">I", 1))
    monkeypatch.setattr(logs, "FORMAT", 2)
    _refused(path, "has format 1, for which there is no upgrade")
    monkeypatch.setitem(logs.UPGRADES, 1, "ALTER TABLE meta ADD COLUMN note TEXT")
    found, store = _names(path)
    assert len(found) == COUNT
    assert store.found.upgraded_from == 1
    assert (tmp_path / "store.db.format1").exists()
    assert _names(path)[1].found.upgraded_from == 0


def test_an_upgrade_that_fails_changes_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _closed(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(logs, "FORMAT", 3)
    monkeypatch.setitem(logs.UPGRADES, 1, "ALTER TABLE meta ADD COLUMN note TEXT")
    monkeypatch.setitem(logs.UPGRADES, 2, "UPDATE absent SET here = 1")
    _refused(path, "no such table: absent. Nothing was changed")
    assert not (tmp_path / "store.db.format1").exists()
    monkeypatch.setattr(logs, "FORMAT", 1)
    assert len(_names(path)[0]) == COUNT
    assert path.read_bytes() == before
    monkeypatch.setattr(logs, "FORMAT", 3)
    monkeypatch.setitem(logs.UPGRADES, 2, "UPDATE meta SET note = 'new'")
    (tmp_path / "store.db.format1").write_text("kept by an upgrade that was killed")
    found, store = _names(path)
    assert (len(found), store.found.upgraded_from) == (COUNT, 1)
    assert (tmp_path / "store.db.format1-2").exists()


def test_a_creation_that_was_interrupted_starts_again(tmp_path: Path) -> None:
    (tmp_path / "store.db.new").write_bytes(b"half a file")
    assert _names(tmp_path / "store.db")[1].found.created
    assert not (tmp_path / "store.db.new").exists()
