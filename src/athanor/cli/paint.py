"""Colours and columns for terminals; a library for them costs more time than a verb may take."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import TextIO

RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, GREY, BOLD = (
    "31", "32", "33", "34", "35", "36", "90", "1",
)  # fmt: skip

RANK_COLOURS = (CYAN, MAGENTA, YELLOW, GREEN, BLUE, "96", "95", "93", "92", "94")

PHASE_COLOURS = {
    "Running": GREEN, "Succeeded": GREEN, "Ready": GREEN, "True": GREEN, "Failed": RED,
    "Queued": YELLOW, "Pending": YELLOW, "Starting": CYAN, "Restarting": MAGENTA,
    "Suspended": GREY, "Evicting": MAGENTA, "Admitted": CYAN, "Active": GREEN, "Bound": GREEN,
}  # fmt: skip


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal, and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def paint(text: str, colour: str, stream: TextIO) -> str:
    """`text` in a colour, when the stream shows colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if coloured(stream) else text


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO, *, width: int = 0
) -> list[str]:
    """A table's lines: three spaces between columns, the last column cut to a terminal's width."""
    table = [list(head), *(list(row) for row in rows)] if head else [list(row) for row in rows]
    if not table:
        return []
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    colours = coloured(stream)
    limit = width or (shutil.get_terminal_size().columns if stream.isatty() else 0)
    lines = []
    for row in table:
        line = "   ".join(map(str.ljust, row, widths)).rstrip()
        if limit and len(line) > limit:
            line = line[: limit - 1] + "…"
        body = row is not table[0] or not head
        lines.append(_phases(line, row, stream) if colours and body else line)
    return lines


def _phases(line: str, row: Sequence[str], stream: TextIO) -> str:
    for cell in row:
        if cell in PHASE_COLOURS and f" {cell}" in line:
            return line.replace(f" {cell}", " " + paint(cell, PHASE_COLOURS[cell], stream), 1)
    return line
