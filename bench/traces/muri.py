"""The Muri experiment (SIGCOMM'22) through the production cycle, policy `timeshare`.

`python -m bench.traces.muri --traces DIR --trace NAME [--durations]`: 64 GPUs, jobs of a Philly
virtual cluster. Without `--durations` the cycle sees arrivals, sizes, models, service attained and
what finished jobs taught; with it also what is left of each job.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.decisions import TIMESHARE
from bench.traces import muri_trace
from bench.traces.live import Production
from bench.traces.replay import Replay
from bench.traces.report import Bar, folder, say

BARS = {
    ("trace1", False): (Bar("jct", "s", 1_700_000), Bar("makespan", "s", 24_263_102)),
    ("trace3", False): (Bar("jct", "s", 330_000), Bar("makespan", "s", 8_417_268)),
    ("trace1", True): (Bar("jct", "s", 980_140),),
    ("trace3", True): (Bar("jct", "s", 185_021),),
}


def run(traces: Path, name: str, *, durations: bool) -> dict[str, float | str]:
    """Replay a trace; the figures."""
    jobs = muri_trace.load(folder(traces, "muri"), name)
    for number, job in enumerate(jobs):
        job.number = number
    cluster = muri_trace.cluster()
    live = Production(jobs, cluster, [r.QueueRow("all")], TIMESHARE, durations=durations)
    began = time.perf_counter()
    Replay(jobs, cluster, live, muri_trace.RULES).run()
    figures = {key: round(value, 1) for key, value in muri_trace.figures(jobs).items()}
    return {
        "trace": name, "durations": str(durations).lower(), **figures, "cycles": live.cycles,
        "evictions": live.evictions, "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def main() -> int:
    """One run."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces.muri", description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--trace", required=True)
    parser.add_argument("--durations", action="store_true")
    options = parser.parse_args()
    own = run(options.traces, options.trace, durations=options.durations)
    name = f"muri.{options.trace}{'.durations' if options.durations else ''}"
    return say(name, own, BARS.get((options.trace, options.durations), ()))


if __name__ == "__main__":
    sys.exit(main())
