"""A folder as a bundle that a job takes along: chosen, packed, named by content.

The same files give the same bytes and the same name: times and owners are left out. What a
.gitignore leaves out stays here, and so do repositories, caches and virtual environments.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from athanor.api.gateway import LARGEST
from athanor.sdk.code import Packed
from athanor.sdk.ignore import Rule, ignored, rules

LIMIT = LARGEST
"""Bytes of all files together."""
WHEELS = ".athanor/wheels"
"""Where wheels lie that came along with a folder."""
NEVER = (".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints")
_NAMED = 5


class NotPacked(ValueError):
    """The folder cannot go; the message says why and what to do."""


class Item(NamedTuple):
    """A file or link of a folder."""

    path: str
    size: int
    target: str = ""
    source: str = ""  # the file, where it is not the one of that path in the folder


def pack(folder: str, limit: int = LIMIT, *, outputs: str = "", wheels: str = "") -> Packed:
    """Pack a folder, without what earlier jobs left below `outputs` (an absolute path), and with
    the wheels of another, as WHEELS.

    Raises NotPacked: it is too large, empty, or a link leads out of it.
    """
    if not os.path.isdir(folder):
        raise NotPacked(f"{folder} is no folder")
    items = sorted([*chosen(folder, outputs), *(_wheels(wheels) if wheels else ())])
    _check(folder, items, limit)
    whole = io.BytesIO()
    # level 1: most of the size is gone, and nobody waits
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=whole, compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for item in items:
            _add(archive, folder, item)
    data = whole.getvalue()
    return Packed(f"sha256:{hashlib.sha256(data).hexdigest()}", data, len(items))


def chosen(folder: str, outputs: str = "") -> Iterator[Item]:
    """The files and links of a folder that go. Raises NotPacked for a link that leads out.

    A .gitignore that says `!/outputs/` has the outputs go, too.
    """
    root = os.path.realpath(folder)
    place = os.path.relpath(os.path.realpath(outputs), root) if outputs else ".."
    known = [] if place.split(os.sep)[0] in (".", "..") else rules(f"/{place}/", "")
    yield from _below(root, "", known)


def _wheels(folder: str) -> Iterator[Item]:
    if not os.path.isdir(folder):
        raise NotPacked(f"{folder} is no folder")
    names = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if not names:
        raise NotPacked(
            f"{folder} has no wheels: pip download -r FILE --only-binary :all: -d {folder} gets "
            "them (--platform and --python-version for another machine's Python)"
        )
    for name in names:
        source = os.path.join(folder, name)
        yield Item(f"{WHEELS}/{name}", os.stat(source).st_size, source=source)


def _below(root: str, base: str, known: list[Rule]) -> Iterator[Item]:
    entries = {entry.name: entry for entry in os.scandir(os.path.join(root, base))}
    if ".gitignore" in entries and entries[".gitignore"].is_file():
        with open(entries[".gitignore"].path, encoding="utf-8", errors="replace") as file:
            known = [*known, *rules(file.read(), base)]
    for name, entry in entries.items():
        is_folder = entry.is_dir(follow_symlinks=False)
        path = base + name
        if name in NEVER or ignored(path, is_folder, known):
            continue
        if entry.is_symlink():
            yield Item(path, 0, _inside(root, path))
        elif is_folder:
            if not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                yield from _below(root, path + "/", known)
        elif entry.is_file(follow_symlinks=False):
            yield Item(path, entry.stat(follow_symlinks=False).st_size)


def _inside(root: str, path: str) -> str:
    target = os.readlink(os.path.join(root, path))
    there = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if os.path.isabs(target) or there.startswith(".."):
        raise NotPacked(
            f"{path} is a link to {target}, outside of the folder: name it in .gitignore, or mount "
            "what it leads to with --mount"
        )
    return target


def _check(folder: str, items: list[Item], limit: int) -> None:
    if not items:
        raise NotPacked(f"{folder} has no files, or .gitignore leaves all of them out")
    size = sum(item.size for item in items)
    if size <= limit:
        return
    largest = sorted(items, key=lambda item: -item.size)[:_NAMED]
    named = ", ".join(f"{item.path} ({_mib(item.size)})" for item in largest)
    raise NotPacked(
        f"{folder} has {_mib(size)} in {len(items)} files, more than {_mib(limit)}; the "
        f"largest are {named}: name in .gitignore what the job does not need, and mount data with "
        "--mount"
    )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _add(archive: tarfile.TarFile, folder: str, item: Item) -> None:
    told = tarfile.TarInfo(item.path)
    if item.target:
        told.type, told.linkname, told.mode = tarfile.SYMTYPE, item.target, 0o777
        archive.addfile(told)
        return
    with open(item.source or os.path.join(folder, item.path), "rb") as file:
        found = os.fstat(file.fileno())
        told.size = found.st_size
        told.mode = 0o755 if found.st_mode & 0o100 else 0o644
        archive.addfile(told, file)
