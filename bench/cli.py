"""Wall time of one-shot commands, interpreter start included, against a running platform."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from athanor.assembly.layout import DataDir
from bench.harness import Figure, quantile
from bench.up import WARM, command


def wall(words: list[str], runs: int) -> float:
    """The median of some runs, in milliseconds."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True, cwd="/", env=WARM)
        took.append(time.perf_counter() - began)
    return 1000 * quantile(took, 0.5)


def run(full: bool) -> list[Figure]:
    """All figures of this bench."""
    runs = 31 if full else 11
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as scratch:
        data = DataDir(Path(scratch) / "data")
        subprocess.run(
            command(data, "up", "--detach", "--port", "0"), check=True, capture_output=True
        )
        submit = ["submit", "generic", "--suspended", "--output-dir", scratch, "--", "true"]
        try:
            measured = {
                "cli_help": (wall(command(data, "--help"), runs), 150.0),
                "cli_submit": (wall(command(data, *submit), runs), 300.0),
                "cli_list": (wall(command(data, "list"), runs), 300.0),
            }
        finally:
            subprocess.run(command(data, "down", "--yes"), check=False, capture_output=True)
    return [
        Figure(name=name, value=value, unit="ms", limit=limit, better="low", runs=runs)
        for name, (value, limit) in measured.items()
    ]


if __name__ == "__main__":
    for figure in run(full=False):
        print(figure.line())
