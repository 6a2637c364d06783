"""What is built once, from Go modules or Debian's packages, and kept in a cache outside the tree.

The cache is `$ATHANOR_CACHE` or `~/.cache/athanor`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


class NotAvailable(Exception):
    """Something cannot be had on this machine; the message says why."""


def cache_dir() -> Path:
    """Where built binaries are kept."""
    return Path(os.environ.get("ATHANOR_CACHE") or Path.home() / ".cache" / "athanor")


def go() -> str:
    """The Go compiler. Raises NotAvailable."""
    found = shutil.which("go")
    if found is None:
        raise NotAvailable("Go is not installed: this is built from Go modules")
    return found


def built(path: Path, how: str, make: Callable[[Path], int] | None) -> Path:
    """The file or folder at this place. `make` writes it into a folder, alone, and answers with
    an exit code; None when nothing must be built now. `how`: what builds it, and how long.

    Raises NotAvailable.
    """
    if path.exists():
        return path
    if make is None:
        raise NotAvailable(f"no {path.name} in the cache; {how}")
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"building {path} ({how})", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        code = make(Path(scratch))
        if code:
            raise NotAvailable(f"building {path.name} failed with exit code {code}")
        (made,) = Path(scratch).iterdir()
        made.replace(path)
    return path
