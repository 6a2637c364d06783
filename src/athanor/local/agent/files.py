"""Files of a volume, replaced all at once: readers see the old set or the new one, never a mix.

The layout is the kubelet's (AtomicWriter): entries link into `..data`, which links to a folder
with the time in its name; an update makes a new folder and swaps the one link.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Entry(Struct, frozen=True):
    """One file: its bytes and mode bits."""

    data: bytes
    mode: int = 0o644


def write(folder: Path, entries: Mapping[str, Entry], version: str, owner: tuple[int, int]) -> bool:
    """Make the folder hold exactly these entries; True when something changed.

    `version` names the new data folder and must differ from the last one; `owner` is uid, gid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "..data"
    if link.is_symlink() and _same(link, entries):
        return False
    fresh = folder / f"..{version}"
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o755)
    for name, entry in entries.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.data)
        path.chmod(entry.mode)
        _own(path, owner)
    swap = folder / "..data_tmp"
    swap.unlink(missing_ok=True)
    old = os.readlink(link) if link.is_symlink() else ""
    swap.symlink_to(fresh.name)
    swap.replace(link)
    _relink(folder, {name.split("/")[0] for name in entries})
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def _relink(folder: Path, names: set[str]) -> None:
    for name in names:
        path = folder / name
        if not path.is_symlink():
            path.symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if path.is_symlink() and not path.name.startswith("..") and path.name not in names:
            path.unlink()


def _same(link: Path, entries: Mapping[str, Entry]) -> bool:
    have = {
        str(path.relative_to(link.resolve())): path
        for path in link.resolve().rglob("*")
        if path.is_file()
    }
    if set(have) != set(entries):
        return False
    return all(
        have[name].read_bytes() == entry.data and have[name].stat().st_mode & 0o777 == entry.mode
        for name, entry in entries.items()
    )


def _own(path: Path, owner: tuple[int, int]) -> None:
    if os.geteuid() == 0:
        os.chown(path, *owner)
