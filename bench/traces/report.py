"""How a trace's run ends: one line a metric, then one with the run's own keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from bench.harness import Figure


class Bar(NamedTuple):
    """A metric's limit; `better` low or high."""

    metric: str
    unit: str
    limit: float
    better: Literal["low", "high"] = "low"


def say(name: str, own: Mapping[str, float | str], bars: Sequence[Bar]) -> int:
    """Print the lines; 1 when a bar is missed."""
    missed = False
    for bar in bars:
        figure = Figure(
            name=f"{name}.{bar.metric}", value=float(own[bar.metric]), unit=bar.unit,
            limit=bar.limit, better=bar.better,
        )  # fmt: skip
        print(figure.line())
        missed |= not figure.ok
    print(msgspec.json.encode(dict(own)).decode(), flush=True)
    return int(missed)


def folder(traces: Path, name: str) -> Path:
    """The trace family's own folder, given it or the one above it."""
    return traces / name if (traces / name).is_dir() else traces
