"""Telling whoever started this process that it is ready: one line on an inherited pipe.

The parent names the pipe in ATHANOR_READY_FD; without it nothing happens.
"""

from __future__ import annotations

import os

VARIABLE = "ATHANOR_READY_FD"


def announce(text: str = "ready") -> None:
    """Say once that the work can be relied on; later calls do nothing."""
    descriptor = os.environ.pop(VARIABLE, "")
    if not descriptor.isdecimal():
        return
    try:
        with os.fdopen(int(descriptor), "w", encoding="utf-8") as pipe:
            pipe.write(text + "\n")
    except OSError:
        return  # whoever started us is gone: nobody to tell
