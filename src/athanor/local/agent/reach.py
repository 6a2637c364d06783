"""Pods without file systems of their own go by the machine's paths: who may pass where."""

from __future__ import annotations

import os
import sys

from athanor.local.agent.contain import closed_parent
from athanor.local.agent.node import FIRST_UID, Settings


def open_way(settings: Settings) -> list[str]:
    """Let pods of other users pass to their own folders, and nobody look around.

    Needed when pods run under other users than ours and see the machine's own files. Returns what
    is still in the way, for the node to say.
    """
    settings.logs.chmod(0o700)
    for folder in (settings.data, settings.pods, settings.claims):
        folder.chmod(0o711)
    closed: dict[str, str] = {}
    for path, way_out in (
        (str(settings.pods), "give another folder with --data"),
        (os.path.realpath(sys.executable), "install Athanor with an interpreter outside of it"),
    ):
        if parent := closed_parent(path, FIRST_UID):
            closed.setdefault(parent, f"pods cannot pass {parent}: {way_out}")
    return list(closed.values())


def let_in(folder: str | os.PathLike[str], gid: int) -> None:
    """A pod's folder is ours; the pod's own group may pass through it, and nobody else."""
    os.chown(folder, 0, gid)
    os.chmod(folder, 0o710)
