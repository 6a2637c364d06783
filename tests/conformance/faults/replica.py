"""`python replica.py KUBECONFIG IDENTITY SECONDS`: the controllers, as
`athanor controllers` runs them, by a wall clock that is so many seconds fast.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from athanor.assembly.cluster import Seat, lead
from athanor.client.kubeconfig import load
from athanor.kit import loop
from athanor.kit.clock import SystemClock


class Fast(SystemClock):
    """The machine's clock and some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        """Seconds since the epoch, and some."""
        return super().now() + self._seconds


def main() -> None:
    """Work until SIGTERM."""
    kubeconfig, identity, seconds = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    seat = Seat(identity=identity, namespace="athanor-system", image="athanor:test")
    loop.run(lead(load([Path(kubeconfig)]).target(), seat, Fast(float(seconds))))


if __name__ == "__main__":
    main()
