"""`python -m bench [NAME …] [--full]`: figures as JSON lines; ends with 1 if one misses its bar."""

from __future__ import annotations

import argparse
import importlib
import sys

GROUPS = ("up", "cli", "requests", "watch", "lists")
"""Modules with `run(full) -> list[Figure]`, in the order of their bars in the README."""


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--full", action="store_true", help="longer, steadier runs")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in GROUPS]
    if unknown:
        parser.error(f"there is no bench {unknown[0]!r}; there are {', '.join(GROUPS)}")
    missed = 0
    for name in options.names or GROUPS:
        for figure in importlib.import_module(f"bench.{name}").run(options.full):
            print(figure.line(), flush=True)
            missed += not figure.ok
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
