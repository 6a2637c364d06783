"""The scheduling core alone, on openb's nodes tiled to any number.

`python -m bench.traces.core --traces DIR --nodes N [--gangs|--churn|--waiting]`: without a flag one
pod a decision by the ledger, views and choice of node that a cycle uses, without the rest of the
cycle (as in `bench.traces.openb`); seconds are CPU time; `--gangs`: gangs of 64 pods; `--churn`: a
whole cycle after 1 % of the nodes changed; `--waiting`: a whole cycle over 50,000 waiting gangs.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.memory import Memo
from athanor.features.scheduling.core.place import place
from athanor.features.scheduling.core.snapshot import Policy, Snapshot
from athanor.features.scheduling.core.spots import SetAsk
from athanor.features.scheduling.core.topology import Near
from bench.harness import Figure
from bench.traces import openb, openb_control
from bench.traces.report import folder

NOW = 1_000_000.0
ROUNDS = 100
EXACT = 4.818
"""Unallocated % of workload default, seed 42, on the trace's own nodes, by the plain loops."""


class Times:
    """Seconds of each round."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextmanager
    def round(self) -> Iterator[None]:
        """Time one round."""
        began = time.process_time()
        yield
        self.seconds.append(time.process_time() - began)

    def quantile(self, part: float) -> float:
        """In milliseconds."""
        return 1000.0 * float(np.quantile(self.seconds, part))


def one_by_one(trace: openb_control.Trace, copies: int, most: int) -> list[Figure]:
    """One pod a decision until the trace has come `copies` times (or `most` pods)."""
    s, numbers = openb.snapshot(trace, copies)
    scheduler = openb.Scheduler(s)
    curve = openb_control.Curve(int(trace.gpus.sum()) * 1000 * copies)
    arrivals = trace.arrivals * copies
    random.Random(42).shuffle(arrivals)
    arrivals = arrivals[:most]
    began = time.process_time()
    for want in arrivals:
        curve.add(want, scheduler.place(numbers[want]) >= 0)
    rate = len(arrivals) / (time.process_time() - began)
    nodes = len(s.nodes.names)
    limit = 10_000 if nodes < 50_000 else 4_000
    name = f"core.pods_per_second.{nodes}"
    figures = [Figure(name=name, value=rate, unit="pods/CPU-s", limit=limit,
                      better="high")]  # fmt: skip
    if 100 in curve.points:
        figures.append(
            Figure(name=f"core.unallocated_100.{nodes}", value=curve.at(100), unit="%",
                   limit=EXACT + 0.1, better="low")
        )  # fmt: skip
    return figures


def gangs(trace: openb_control.Trace, copies: int) -> list[Figure]:
    """Gangs of 64 one-GPU pods, each whole or not at all, until nothing fits."""
    s, numbers = openb.snapshot(trace, copies)
    scheduler = openb.Scheduler(s)
    whole = [k for want, k in numbers.items() if want.gpus == 1 and want.milli == 1000]
    times = Times()
    for i in range(400):
        shape = scheduler.shapes[whole[i % len(whole)]]
        ask = (SetAsk(0, shape, 64, 64, Near()),)
        with times.round():
            placed = place(scheduler.ledger, ask, (64,), 0, ())
        if placed is None:
            break
    rate = len(times.seconds) / sum(times.seconds)
    name = f"core.gangs_of_64_per_second.{len(s.nodes.names)}"
    return [Figure(name=name, value=rate, unit="gangs/CPU-s", limit=500, better="high")]


def _busy(trace: openb_control.Trace, copies: int) -> Snapshot:
    """A cluster half full of running pods and forty shapes of gangs, one of each waiting."""
    s, numbers = openb.snapshot(trace, copies)
    scheduler = openb.Scheduler(s)
    half = trace.arrivals[: len(trace.arrivals) // 2]
    shapes = {want: openb.row(want) for want in dict.fromkeys(half)}
    names = [w for w in shapes if w.gpus][:40]
    asks = {w: r.AskRow((r.PodSetRow("w", shapes[w]),)) for w in shapes}
    big = {w: r.AskRow((r.PodSetRow("w", shapes[w], 10_000_000),)) for w in names}
    order = np.argsort(trace.rank, kind="stable").tolist()
    running, rows = [], []
    for number, want in enumerate(w for w in half for _ in range(copies)):
        spots = place(scheduler.ledger, scheduler.asks[numbers[want]], (1,), 0, ())
        if spots is None:
            continue
        spot = spots[0][0]
        name = f"g{number}"
        rows.append(r.GangRow(name, "q", asks[want], 1, pool="p", started=0.0))
        running.append(r.RunningRow(name, 0, s.nodes.names[spot.node], spot.devices))
    rows += [r.GangRow(f"w{i}", "q", big[w], created=float(i)) for i, w in enumerate(names)]
    nodes = [
        r.NodeRow(
            f"n{copy}-{n}", "p",
            {"cpu": int(trace.cpu[n]), "memory": int(trace.memory[n]) * 2**20},
            devices=(r.DeviceRow(openb.GPU, trace.model[n]),) * int(trace.gpus[n]),
        )
        for copy in range(copies)
        for n in order
    ]  # fmt: skip
    return build(
        r.Rows([r.PoolRow("p")], nodes, [r.QueueRow("q")], rows, running,
               resources=("cpu", "memory"))
    )  # fmt: skip


def churn(trace: openb_control.Trace, copies: int) -> list[Figure]:
    """A whole cycle when foreign pods came and went on 1 % of the nodes."""
    s = _busy(trace, copies)
    memo: Memo | None = None
    times = Times()
    nodes = len(s.nodes.names)
    step = max(nodes // 100, 1)
    for i in range(ROUNDS):
        foreign = np.array(s.nodes.foreign)
        foreign[np.arange(step) * 97 * (i + 1) % nodes, 0] += 100
        moved = dataclasses.replace(s.nodes, foreign=foreign)
        s = dataclasses.replace(s, nodes=moved)
        with times.round():
            _, memo = cycle(s, Policy(), NOW + i, memo)
    times.seconds = times.seconds[3:]
    return [Figure(name=f"core.churn_cycle_p99.{nodes}", value=times.quantile(0.99), unit="ms",
                   limit=20, better="low", runs=len(times.seconds))]  # fmt: skip


def waiting() -> list[Figure]:
    """A whole cycle over 50,000 waiting gangs of 40 shapes on 1,000 full nodes."""
    gpus = (r.DeviceRow(openb.GPU),) * 8
    nodes = [
        r.NodeRow(f"n{i:04}", "p", {"cpu": 64_000, "memory": 2**38}, foreign={openb.GPU: 8000},
                  devices=gpus)
        for i in range(1000)
    ]  # fmt: skip
    asks = [
        r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", 1000 * (1 + i // 8)),), openb.GPU,
                                              1 + i % 8), 1 + i % 5),))
        for i in range(40)
    ]  # fmt: skip
    rows = [
        r.GangRow(f"ns/g{i}", f"q{i % 20}", asks[i * 7 % 40], created=float(i))
        for i in range(50_000)
    ]
    queues = [r.QueueRow(f"q{i}") for i in range(20)]
    s = build(r.Rows([r.PoolRow("p")], nodes, queues, rows, resources=("cpu", "memory")))
    policy = Policy(reserved=0)
    _, memo = cycle(s, policy, NOW)
    times, whys = Times(), Times()
    for i in range(20):
        with times.round():
            d, memo = cycle(s, policy, NOW + i, memo)
        with whys.round():
            d.why(i * 2500)
    return [
        Figure(name="core.cycle_of_50000_waiting", value=times.quantile(0.5), unit="ms", limit=50,
               better="low", runs=20),
        Figure(name="core.why_of_one", value=whys.quantile(0.5), unit="ms", limit=20,
               better="low", runs=20),
    ]  # fmt: skip


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces.core", description=__doc__)
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--pods", type=int, default=10**9, help="stop after so many")
    kind = parser.add_mutually_exclusive_group()
    for flag in ("--gangs", "--churn", "--waiting"):
        kind.add_argument(flag, action="store_true")
    options = parser.parse_args()
    if options.waiting:
        figures = waiting()
    else:
        if options.traces is None:
            parser.error("--traces DIR is needed")
        trace = openb_control.load(folder(options.traces, "openb"), "default", 42)
        copies = max(round(options.nodes / len(trace.cpu)), 1)
        if options.gangs:
            figures = gangs(trace, copies)
        elif options.churn:
            figures = churn(trace, copies)
        else:
            figures = one_by_one(trace, copies, options.pods)
    for figure in figures:
        print(figure.line())
    own = {"nodes": options.nodes, **{figure.name: figure.value for figure in figures}}
    print(msgspec.json.encode(own).decode())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
