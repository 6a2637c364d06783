"""Pods without file systems of their own go by the machine's paths: who may pass where."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from athanor.local.agent import uids
from athanor.local.agent.node import Settings
from athanor.local.agent.permits import closed_parent


def shut(settings: Settings) -> None:
    """Nobody looks around in the data, also where their folder was there before, open to all."""
    settings.archive.mkdir(parents=True, exist_ok=True)
    for folder in (settings.data, settings.logs, settings.archive):
        folder.chmod(0o700)
    for folder in (settings.pods, settings.claims):
        folder.chmod(0o711)


def open_way(settings: Settings) -> list[str]:
    """Let pods of other users pass to their own folders, and nobody look around.

    Needed when pods run under other users than ours and see the machine's own files. Returns what
    is still in the way, for the node to say.
    """
    shut(settings)
    settings.data.chmod(0o711)
    closed: dict[str, str] = {}
    for path, way_out in (
        (str(settings.pods), "give another folder with --data"),
        (os.path.realpath(sys.executable), "install Athanor with an interpreter outside of it"),
    ):
        if parent := closed_parent(path, uids.FIRST):
            closed.setdefault(parent, f"pods cannot pass {parent}: {way_out}")
    return list(closed.values())


def claim(folder: Path) -> None:
    """Make a folder where everybody may make some. Raises PermissionError where another's is, or a
    link: whoever put it there would be given what lies in it, or have us change where it leads.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{folder} is somebody else's: remove it") from None


def let_in(folder: str | os.PathLike[str], gid: int) -> None:
    """A pod's folder is ours; the pod's own group may pass through it, and nobody else."""
    if os.geteuid() == 0:
        os.chown(folder, 0, gid)
    os.chmod(folder, 0o710 if os.geteuid() == 0 else 0o700)
