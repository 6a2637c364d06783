"""The Shockwave experiment (NSDI'23) through the production cycle, policy `timeshare`.

`python -m bench.traces.shockwave --traces DIR`: 120 jobs on 32 GPUs, rounds of 120 s. The cycle
sees arrivals, sizes, job types, nominal durations, service attained and what finished jobs taught.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.decisions import TIMESHARE
from bench.traces import shockwave_trace
from bench.traces.live import Production
from bench.traces.replay import Replay
from bench.traces.report import Bar, folder, say

BARS = (
    Bar("makespan", "s", 24_196), Bar("jct", "s", 9_957), Bar("worst_ftf", "", 1.783),
    Bar("unfair", "%", 4.99), Bar("util", "", 0.8171, "high"),
)  # fmt: skip


def run(traces: Path) -> dict[str, float | str]:
    """Replay the trace; the figures."""
    jobs = shockwave_trace.load(folder(traces, "shockwave"))
    cluster = shockwave_trace.cluster()
    live = Production(jobs, cluster, [r.QueueRow("all")], TIMESHARE)
    began = time.perf_counter()
    replay = Replay(jobs, cluster, live, shockwave_trace.RULES)
    replay.run()
    figures = shockwave_trace.figures(jobs, replay.busy)
    return {
        **{key: round(value, 3) for key, value in figures.items()}, "cycles": live.cycles,
        "evictions": live.evictions, "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def main() -> int:
    """One run."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces.shockwave", description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    return say("shockwave", run(parser.parse_args().traces), BARS)


if __name__ == "__main__":
    sys.exit(main())
