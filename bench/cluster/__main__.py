"""`python -m bench.cluster NAME`: figures as JSON lines; 1 if one misses its bar."""

from __future__ import annotations

import argparse
import signal
import sys

import msgspec

from athanor.kit import loop
from bench.cluster import pods


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("name", choices=["pods"])
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--gangs", type=int, default=1000)
    parser.add_argument("--size", type=int, default=10, help="pods a gang")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # processes end with us
    figures, told = loop.run(
        pods.measure(options.nodes, options.gangs, options.size, peer=not options.no_peer)
    )
    for figure in figures:
        print(figure.line(), flush=True)
    print(msgspec.json.encode(told).decode())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
