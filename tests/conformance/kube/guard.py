"""Processes that never outlive whoever started them, not even its SIGKILL.

They share a process group with a guard, a shell that reads from a pipe. The pipe ends when the
process that holds its other end does, and then the guard kills the group.
"""

from __future__ import annotations

import functools
import os

_COMMAND = ["sh", "-c", "trap '' INT TERM; cat; kill -KILL 0"]


@functools.cache
def group() -> int:
    """The `process_group` for Popen of what shall end with this process."""
    reader, _ = os.pipe()  # the other end stays open as long as this process is there
    inward = [(os.POSIX_SPAWN_DUP2, reader, 0)]
    guard = os.posix_spawnp("sh", _COMMAND, os.environ, file_actions=inward, setpgroup=0)
    os.close(reader)
    return guard
