"""The revision log on disk: one SQLite file in WAL mode. The only door to SQLite.

One table holds every revision that can still be read; which rows are current follows from it, so
a write is one insert. `previous` is the revision that a row replaced: compaction deletes by it.
Whole groups of rows are one statement, so that the thread gives the interpreter away once.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
from msgspec import Struct

from athanor.local.store.inspect import APPLICATION, WalFound, check_header, read_wal
from athanor.local.store.model import ChangeType, StoreError

FORMAT = 1
"""The format this code writes (`user_version` of the file)."""
UPGRADES: dict[int, str] = {}
"""SQL that takes a file of a format to the next one."""
TYPES: tuple[ChangeType, ...] = ("ADDED", "MODIFIED", "DELETED")
_PAGE = 8192
_GROUP = 128
_TABLES = """
CREATE TABLE log (
    revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, type INTEGER NOT NULL, previous INTEGER NOT NULL,
    checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('compacted', 0);
"""


class Entry(NamedTuple):
    """One row of the log; `type` is an index into TYPES, `checksum` the CRC-32 of the body."""

    revision: int
    resource: str
    namespace: str
    name: str
    type: int
    previous: int
    checksum: int
    body: bytes


class Found(Struct, frozen=True, kw_only=True):
    """What opening a data file found."""

    path: str = ":memory:"
    created: bool = False
    upgraded_from: int = 0
    recovered: int = 0
    discarded: int = 0

    @property
    def unusual(self) -> bool:
        """Whether it was another state than an orderly end leaves."""
        return bool(self.upgraded_from or self.recovered or self.discarded)

    def __str__(self) -> str:
        if self.created:
            return f"{self.path}: new"
        said = [f"{self.path}: format {FORMAT}"]
        if self.upgraded_from:
            said.append(f"upgraded from format {self.upgraded_from}")
        if self.recovered:
            said.append(f"{self.recovered} pages recovered from the write-ahead log")
        if self.discarded:
            said.append(f"{self.discarded} pages of a write that never finished left out")
        return ", ".join(said)


class WriteFailed(Exception):
    """SQLite could not make a group durable; nothing of it is in the file."""


class Log:
    """An open log. One thread at a time may use it, except `checkpoint` and `copy_to`."""

    def __init__(self, path: Path, connection: apsw.Connection, found: Found) -> None:
        self.path = path
        self.found = found
        self._writer = connection
        self._pending = 0

    @classmethod
    def open(cls, path: Path) -> Log:
        """Open or create. Raises StoreError that says what was found; then nothing is changed."""
        created = not path.exists()
        try:
            if created:
                create(path)
            format_number = check_header(path)
            wal = read_wal(path)
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        except (apsw.Error, OSError) as error:
            raise StoreError(f"{path} cannot be opened: {error}. {_hint(path)}") from error
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            found = _verify(connection, path, wal, created, format_number)
        except apsw.Error as error:
            connection.close()
            raise StoreError(f"{path} cannot be opened: {error}. {_hint(path)}") from error
        except StoreError:
            connection.close()
            raise
        return cls(path, connection, found)

    def compacted(self) -> int:
        """The revision below which nothing can be read any more. Raises StoreError."""
        sql = "SELECT value FROM meta WHERE name = 'compacted'"
        try:
            return _number(self._writer, sql)
        except (apsw.Error, IndexError) as error:
            raise StoreError(
                f"{self.path} is damaged: {error}; {self._integrity()}. "
                "Nothing was changed. Restore a backup"
            ) from error

    def load(self) -> Iterator[Entry]:
        """Every row, oldest first. Raises StoreError naming what is damaged."""
        sql = "SELECT * FROM log ORDER BY revision"
        at = 0
        try:
            for row in self._writer.execute(sql):
                entry = Entry(*row)
                at = entry.revision
                if zlib.crc32(entry.body) != entry.checksum:
                    raise StoreError(
                        f"{self.path} is damaged: revision {at} "
                        f"({entry.resource} {entry.namespace}/{entry.name}) does not match its "
                        "checksum. Nothing was changed. Restore a backup"
                    )
                yield entry
        except apsw.Error as error:
            raise StoreError(
                f"{self.path} is damaged after revision {at}: {error}; {self._integrity()}. "
                "Nothing was changed. Restore a backup"
            ) from error

    def _integrity(self) -> str:
        """What SQLite's own check says, in short."""
        try:
            rows = self._writer.execute("PRAGMA quick_check(3)").fetchall()
        except apsw.Error as error:
            return str(error)
        return "; ".join(str(row[0]).replace("\n", " ") for row in rows)

    def append(self, entries: Sequence[Entry]) -> None:
        """Make a group durable, all or nothing. Raises WriteFailed."""
        try:
            if len(entries) <= _GROUP:
                self._insert(entries)
            else:
                self._writer.execute("BEGIN IMMEDIATE")
                for start in range(0, len(entries), _GROUP):
                    self._insert(entries[start : start + _GROUP])
                self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._rollback()
            raise WriteFailed(f"{self.path}: {error}. {_hint(self.path)}") from error
        self._pending += 16384 + sum([len(entry.body) + 100 for entry in entries])

    def _insert(self, entries: Sequence[Entry]) -> None:
        values = ",".join(["(?,?,?,?,?,?,?,?)"] * len(entries))
        flat = [value for entry in entries for value in entry]
        self._writer.execute(f"INSERT INTO log VALUES {values}", flat)

    def _rollback(self) -> None:
        if not self._writer.in_transaction:
            return
        try:
            self._writer.execute("ROLLBACK")
        except apsw.Error:
            # SQLite rolls back by itself when the file fails it: that is what was wanted
            return

    def compact(self, after: int, revision: int) -> None:
        """Delete what revisions (after, revision] replaced, and their tombstones.

        Raises WriteFailed; compacting the same range again is harmless.
        """
        span = (after, revision)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.execute(
                "DELETE FROM log WHERE revision IN (SELECT previous FROM log "
                "WHERE revision > ? AND revision <= ? AND previous > 0)",
                span,
            )
            self._writer.execute(
                "DELETE FROM log WHERE revision > ? AND revision <= ? AND type = 2", span
            )
            sql = "UPDATE meta SET value = ? WHERE name = 'compacted'"
            self._writer.execute(sql, (revision,))
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._rollback()
            raise WriteFailed(f"{self.path}: {error}. {_hint(self.path)}") from error
        self._pending += (revision - after) * 1024

    def wants_checkpoint(self, threshold: int) -> bool:
        """Whether about `threshold` bytes were written since this was last true."""
        if self._pending < threshold:
            return False
        self._pending = 0
        return True

    def finish_checkpoint(self) -> None:
        """Between two groups, copy the tail that `checkpoint` on its own thread cannot catch.

        Raises WriteFailed.
        """
        try:
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except apsw.Error as error:
            raise WriteFailed(f"{self.path}: {error}. {_hint(self.path)}") from error

    def abandon(self) -> None:
        """Close without touching the file or its write-ahead log."""
        self._writer.close()

    def close(self) -> None:
        """Empty the write-ahead log into the file and close. Never raises for a failing disk."""
        try:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        except apsw.Error:
            # what is committed stays in the write-ahead log, and is read from there next time
            pass
        finally:
            self._writer.close()


def create(path: Path) -> None:
    """A new empty file that only its owner may read, in place only when it is whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = apsw.Connection(str(fresh))
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute(f"BEGIN; {_TABLES} COMMIT;")
    connection.close()
    settle(fresh, path)


def settle(fresh: Path, path: Path) -> None:
    """Put a whole file in its place, durably."""
    for target in (fresh, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if target == fresh:
                fresh.replace(path)
        finally:
            os.close(descriptor)


def checkpoint(path: Path) -> tuple[int, int]:
    """Copy committed pages into the file, on a connection of its own: (pages, copied).

    Raises WriteFailed.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            # a connection that has read nothing yet does not know of the write-ahead log
            connection.execute("SELECT value FROM meta").fetchall()
            return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        finally:
            connection.close()
    except apsw.Error as error:
        raise WriteFailed(f"{path}: {error}. {_hint(path)}") from error


def copy_to(path: Path, target: Path) -> None:
    """An online copy, as of one moment, compact and whole. Raises StoreError."""
    if target.is_symlink() or target.exists():
        raise StoreError(f"{target} exists already: give a new name")
    fresh = target.with_name(target.name + ".part")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.execute("VACUUM INTO ?", (str(fresh),))
        finally:
            connection.close()
        settle(fresh, target)
    except (apsw.Error, OSError) as error:
        fresh.unlink(missing_ok=True)
        raise StoreError(f"cannot copy {path} to {target}: {error}. {_hint(target)}") from error


def move_on(path: Path, revision: int) -> None:
    """Make a closed file start after a revision, with everything before it compacted."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with connection:
            connection.execute(
                "DELETE FROM log WHERE revision IN (SELECT previous FROM log) OR type = 2"
            )
            sql = "UPDATE meta SET value = ? WHERE name = 'compacted'"
            connection.execute(sql, (revision,))
    except apsw.Error as error:
        raise StoreError(f"{path} cannot be prepared: {error}. {_hint(path)}") from error
    finally:
        connection.close()


def _verify(
    connection: apsw.Connection, path: Path, wal: WalFound, created: bool, format_number: int
) -> Found:
    """Check what was recovered, the format and the settings; upgrade an older file."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -4096")
    format_number = _number(connection, "PRAGMA user_version")
    usable = _number(connection, "PRAGMA wal_checkpoint(NOOP)", 1)
    lost = [frame for frame in wal.commits if frame > usable]
    if len(lost) > 1:
        raise StoreError(
            f"{path}-wal is damaged at page {usable + 1} of {wal.frames}: {len(lost)} groups of "
            "acknowledged changes after it cannot be read. Nothing was changed. Restore a backup, "
            f"or move {path.name}-wal away to go on without those changes"
        )
    if format_number > FORMAT:
        raise StoreError(
            f"{path} has format {format_number}, this version of Athanor knows {FORMAT} at most. "
            "Nothing was changed. Use the newer version again"
        )
    upgraded_from = 0
    if format_number < FORMAT:
        upgraded_from = format_number
        _upgrade(connection, path, format_number)
    return Found(
        path=str(path), created=created, upgraded_from=upgraded_from,
        recovered=min(usable, wal.frames), discarded=max(0, wal.frames - usable),
    )  # fmt: skip


def _upgrade(connection: apsw.Connection, path: Path, format_number: int) -> None:
    """Take an older file to this format in one transaction, after keeping a copy beside it."""
    missing = [number for number in range(format_number, FORMAT) if number not in UPGRADES]
    if missing:
        raise StoreError(f"{path} has format {format_number}, for which there is no upgrade")
    kept = path.with_name(f"{path.name}.format{format_number}")
    again = 1
    while kept.exists():  # an upgrade that was interrupted kept its copy too
        again += 1
        kept = path.with_name(f"{path.name}.format{format_number}-{again}")
    copy_to(path, kept)
    try:
        with connection:
            for number in range(format_number, FORMAT):
                connection.execute(UPGRADES[number])
            connection.execute(f"PRAGMA user_version = {FORMAT}")
    except apsw.Error as error:
        kept.unlink()  # nothing has changed, nothing need be kept
        raise StoreError(
            f"{path} could not be upgraded from format {format_number}: {error}. Nothing was "
            f"changed. {_hint(path)}"
        ) from error


def _number(connection: apsw.Connection, sql: str, column: int = 0) -> int:
    """One integer of the first row of an answer."""
    value = connection.execute(sql).fetchall()[0][column]
    assert isinstance(value, int)
    return value


def _hint(path: Path) -> str:
    """The way out of the commonest causes."""
    try:
        space = os.statvfs(path.parent)
    except OSError:
        return f"Does {path.parent} exist, and may you write to it?"
    if space.f_bavail * space.f_frsize < 16 << 20:
        return f"Only {space.f_bavail * space.f_frsize >> 10} KiB are free there: make room"
    if space.f_flag & os.ST_RDONLY:
        return "That file system is mounted read-only"
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return "You may not write there: check owner and mode"
    return "Check the disk and the kernel's log"
