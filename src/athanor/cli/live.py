"""The live status of `athanor up` on a terminal: a few lines, drawn again as they change."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from athanor.cli import overview, paint
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON

PERIOD = 2.0
"""Seconds between two looks."""
JOBS = 10
"""Jobs that are shown: those that have not ended, the oldest first."""
OVER = ("Succeeded", "Failed")


def follow(world: World, watchman: subprocess.Popen[bytes]) -> int:
    """Draw until the platform ends; Ctrl-C ends it. Returns its exit code."""
    screen = Screen(sys.stdout)
    ending = False
    while True:
        try:
            screen.draw(["ending the platform and its pods …"] if ending else look(world))
            return watchman.wait(PERIOD)
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            ending = True
            with contextlib.suppress(ProcessLookupError):  # the terminal may have told it already
                watchman.send_signal(signal.SIGTERM)


class Screen:
    """The last lines of a terminal, which are written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of the ones before."""
        if lines == self._shown:
            return
        up = f"\x1b[{len(self._shown)}A\r\x1b[J" if self._shown else ""
        self._stream.write(up + "".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self._shown = list(lines)


def look(world: World) -> list[str]:
    """What is shown now."""
    from athanor.wire.status import ApiError

    said = {**overview.parts(world), "nodes": []}
    jobs = []
    # a server that starts lets callers wait, and nobody shall wait to see that it starts
    with contextlib.suppress(ApiError):
        if said["processes"] and all(part["ready"] for part in said["processes"]):
            said.update(overview.cluster(world))
            here = world.client.job_lines(everywhere=True)
            waiting = [job for job in here if job.status.phase not in OVER]
            jobs = overview.rows(world, waiting, everywhere=True, wide=False)
    size = shutil.get_terminal_size()
    return frame(said, jobs, log_line(world), size.columns, size.lines)


def log_line(world: World) -> str:
    """The last thing that the watchman said."""
    from athanor.assembly.layout import DataDir
    from athanor.assembly.watchman import last_line

    return last_line(DataDir(world.data).log("watchman"))


def frame(
    said: JSON, jobs: Sequence[Sequence[str]], last: str, width: int, height: int
) -> list[str]:
    """The lines of one look, cut to a terminal's size."""
    parts = [
        f"{part['name']} {'ready' if part['ready'] and part['running'] else 'starting'}"
        for part in said["processes"]
    ]
    lines = [f"platform   {', '.join(parts) or 'starting'}"]
    for node in said["nodes"]:
        used = [
            f"{resource} {overview.use(resource, amount['asked'], amount['of'], node['simulated'])}"
            for resource, amount in node["resources"].items()
        ]
        ready = "ready" if node["ready"] else "not ready"
        ready += " (cordoned)" if node["cordoned"] else ""
        lines.append(f"node       {node['name']} {ready}, {node['pods']} pods; {', '.join(used)}")
    counts = ", ".join(f"{n} {phase}" for phase, n in sorted(said.get("jobs", {}).items()))
    lines += [f"jobs       {counts or 'none'}", f"last       {last}"]
    lines = [line if len(line) < width else line[: width - 2] + "…" for line in lines]
    room = min(JOBS, height - len(lines) - 3)
    if jobs and room > 0:
        head = ["NAMESPACE", *overview.HEAD]
        lines += paint.columns(head, jobs[:room], sys.stdout, width=width - 1)
        if len(jobs) > room:
            lines.append(f"… and {len(jobs) - room} more: athanor list -A")
    return lines
