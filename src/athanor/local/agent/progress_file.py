"""Where a rank's progress file lies, in its container and on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from athanor.local.agent.place import HOME, Place


def variables(place: Place, container: str) -> dict[str, str]:
    """The variable that names the file, as the container sees it."""
    home = HOME if place.apart else str(place.folder / "containers" / container / "home")
    return {"ATHANOR_PROGRESS_FILE": f"{home}/.athanor/progress.json"}


def prepare(place: Place, container: str) -> None:
    """Make the folder; it is the pod's own."""
    folder = folder_of(place.folder, container)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, place.uid, place.gid, follow_symlinks=False)


def folder_of(pod: Path, container: str) -> Path:
    """Where a container's file lies on this machine."""
    return pod / "containers" / container / "home" / ".athanor"
