"""`python -m bench [NAME …] [--full] [--record]`: figures as JSON lines; 1 if one misses its bar.

`--record` keeps them in `bench/ranges.yaml`: our promises with what was last measured, and where.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import msgspec
import yaml

from bench.harness import Figure

GROUPS = (
    "up", "cli", "latency", "requests", "watch", "lists", "pods", "makers", "life", "logs",
)  # fmt: skip
"""Modules with `run(full) -> Iterable[Figure]`."""
RANGES = Path(__file__).with_name("ranges.yaml")


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--full", action="store_true", help="longer, steadier runs")
    parser.add_argument("--record", action="store_true", help="keep the figures in ranges.yaml")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in GROUPS]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; there are {', '.join(GROUPS)}")
    measured: list[Figure] = []
    for name in options.names or GROUPS:
        for figure in importlib.import_module(f"bench.{name}").run(options.full):
            print(figure.line(), flush=True)
            measured.append(figure)
            if options.record:  # at once: a long run may be ended
                record([figure])
    return 0 if all(figure.ok for figure in measured) else 1


def record(measured: list[Figure]) -> None:
    """Put figures into the file, in place of older ones of the same name."""
    known = yaml.safe_load(RANGES.read_text()) if RANGES.exists() else {}
    for figure in measured:
        values = msgspec.to_builtins(figure)
        known[values.pop("name")] = values
    head = "# Promises of speed and what was last measured: `python -m bench --record`.\n"
    RANGES.write_text(head + yaml.safe_dump(known, sort_keys=False, width=100))


if __name__ == "__main__":
    sys.exit(main())
