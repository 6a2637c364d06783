"""The Philly experiment (ATC'19, quotas of Helios, SC'21) through the production cycle, `default`.

`python -m bench.traces.philly --traces DIR [--preempt] [--intervals] [--first N]`: 704 GPUs, eleven
virtual clusters whose quotas are their guarantees; what is idle is lent. The cycle sees arrivals,
sizes, virtual clusters and what finished jobs taught. With `--preempt` queues reclaim what is
theirs, and each stop and restart costs the job 7, 30 or 60 s. With `--intervals` every job that has
to wait is told when it will start (see `bench.traces.intervals`). `--first N` replays the first N
jobs alone: no bar is judged by it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.decisions import DEFAULT
from athanor.features.scheduling.core.snapshot import Consent
from bench.traces import philly_trace
from bench.traces.intervals import Forecasts
from bench.traces.live import GPU, POOL, Production
from bench.traces.replay import Job, Replay
from bench.traces.report import Bar, folder, say

BARS = {
    False: (Bar("queue_mean", "s", 850), Bar("worst_vc_ratio", "", 1.0)),
    True: (Bar("queue_mean", "s", 500), Bar("worst_vc_ratio", "", 1.0)),
}


INTERVALS = (
    Bar("held_90", "", 0.85, "high"), Bar("held_90", "", 0.95), Bar("pinball_ratio", "", 0.8),
)  # fmt: skip


def queues(*, preempt: bool) -> list[r.QueueRow]:
    """One queue a virtual cluster; its nodes are its guarantee, all of it lendable."""
    reclaim = Consent.ANY if preempt else Consent.NEVER
    return [
        r.QueueRow(
            vc, quotas={POOL: r.QuotaRow(guaranteed={GPU: philly_trace.nodes_of(vc) * 8000})},
            reclaim=reclaim,
        )
        for vc in philly_trace.QUOTA
    ]  # fmt: skip


def run(jobs: list[Job], *, preempt: bool, intervals: bool) -> dict[str, float | str]:
    """Replay the jobs; the figures."""
    cluster = philly_trace.cluster()
    live = Production(jobs, cluster, queues(preempt=preempt), DEFAULT)
    told = Forecasts(live) if intervals else None
    began = time.perf_counter()
    Replay(jobs, cluster, live, philly_trace.RULES).run()
    waits = philly_trace.queue_seconds(jobs)
    static = philly_trace.static_fifo(jobs)
    ratios = {vc: waits[vc] / max(static[vc], 1.0) for vc in waits if vc}
    worst = max(ratios, key=lambda vc: ratios[vc])
    return {
        "preempt": str(preempt).lower(), "jobs": len(jobs), "queue_mean": round(waits[""], 1),
        "worst_vc_ratio": round(ratios[worst], 4), "worst_vc": worst, "cycles": live.cycles,
        "evictions": live.evictions, "seconds": round(time.perf_counter() - began, 1),
        **(told.score(jobs) if told is not None else {}),
        **{f"queue_{vc}": round(wait, 1) for vc, wait in sorted(waits.items()) if vc},
    }  # fmt: skip


def main() -> int:
    """One run."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces.philly", description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--preempt", action="store_true")
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--first", type=int, default=None)
    options = parser.parse_args()
    jobs = philly_trace.load(folder(options.traces, "philly"))[: options.first]
    own = run(jobs, preempt=options.preempt, intervals=options.intervals)
    bars = (*BARS[options.preempt], *(INTERVALS if options.intervals else ()))
    bars = bars if options.first is None else ()
    return say(f"philly{'.preempt' if options.preempt else ''}", own, bars)


if __name__ == "__main__":
    sys.exit(main())
