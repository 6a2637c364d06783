"""Processes that never outlive whoever started them, not even its SIGKILL.

They share a process group with a guard, a shell that reads from a pipe. The pipe ends when the
process that holds its other end does, and then the guard kills the group.
"""

from __future__ import annotations

import functools
import subprocess


@functools.cache
def _guard() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", "trap '' INT TERM; cat; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0
    )


def group() -> int:
    """The `process_group` for Popen of what shall end with this process."""
    return _guard().pid
