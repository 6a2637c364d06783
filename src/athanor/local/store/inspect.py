"""What a data file is, told from its bytes before anything may change it. Reads only.

Formats: https://www.sqlite.org/fileformat2.html sections 1.3 (header) and 4 (write-ahead log).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from msgspec import Struct

from athanor.local.store.model import StoreError

MAGIC = b"SQLite format 3\x00"
APPLICATION = 0x41544E52
"""`application_id` of our files: "ATNR"."""


class WalFound(Struct, frozen=True):
    """The write-ahead log as it lies: frames of its current round, and where commits end.

    `commits` are frame numbers (from 1); `torn` says that the file ends within a frame.
    """

    frames: int = 0
    commits: tuple[int, ...] = ()
    torn: bool = False


def check_header(path: Path) -> int:
    """Make sure that a file is a database of ours; returns its format number.

    Raises StoreError that says what the file is instead.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        raise StoreError(
            f"{path} is empty: it was cut off, for the store never leaves an empty file. "
            "Restore a backup, or move it away to start anew"
        )
    if len(header) < 100 or not header.startswith(MAGIC):
        raise StoreError(
            f"{path} is not a database: it starts with {header[:16]!r}. "
            "Move it away, or give another --data directory"
        )
    format_number, application = struct.unpack(">I4xI", header[60:72])
    if application != APPLICATION:
        raise StoreError(
            f"{path} is a SQLite database, but not one of Athanor's (application id "
            f"{application:#x}). Move it away, or give another --data directory"
        )
    page = struct.unpack(">H", header[16:18])[0]
    page = 65536 if page == 1 else page
    pages = struct.unpack(">I", header[28:32])[0]
    size = os.stat(path).st_size
    if size < pages * page and not _has_wal(path):
        raise StoreError(
            f"{path} is cut off: {size} bytes, but its header says {pages} pages of {page}. "
            "Nothing was changed. Restore a backup"
        )
    return int(format_number)


def _has_wal(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 32


def _sound(header: bytes) -> bool:
    """Whether a write-ahead log's header matches its checksum (fileformat2 section 4.2)."""
    order = {0x377F0682: "<", 0x377F0683: ">"}.get(struct.unpack(">I", header[:4])[0])
    if order is None:
        return False
    first = second = 0
    words = struct.unpack(f"{order}6I", header[:24])
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return struct.unpack(">II", header[24:32]) == (first, second)


def read_wal(path: Path) -> WalFound:
    """The frames in the write-ahead log beside a database, judged by their salts alone."""
    wal = path.with_name(path.name + "-wal")
    if not _has_wal(path):
        return WalFound()
    with wal.open("rb") as file:
        header = file.read(32)
        if not _sound(header):
            raise StoreError(
                f"{wal} is damaged: its header does not match its own checksum, so the last "
                f"changes in it ({wal.stat().st_size} bytes) cannot be read. Nothing was changed. "
                f"Restore a backup, or move {wal.name} away to go on without those changes"
            )
        page = struct.unpack(">I", header[8:12])[0]
        salts = header[16:24]
        frames = 0
        commits: list[int] = []
        while True:
            head = file.read(24)
            if not head:
                return WalFound(frames, tuple(commits))
            whole = len(head) == 24 and len(file.read(page)) == page
            if len(head) >= 16 and head[8:16] != salts:
                return WalFound(frames, tuple(commits))
            if not whole:
                return WalFound(frames, tuple(commits), torn=True)
            frames += 1
            if head[4:8] != b"\0\0\0\0":
                commits.append(frames)
