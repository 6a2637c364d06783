"""The openb experiment through the scheduler's own placement: how many GPUs stay unallocated.

`python -m bench.traces.openb --traces DIR --workload W --seed S [--policy default|fgd|bestfit]`;
`--workload all`: every workload and seed that lies there, each beside FGD on the same arrivals.
Public originals: hkust-adsl/kubernetes-scheduler-simulator. `fgd` and `bestfit` are the published
policies, run by the control (`openb_control`); `default` is what we ship: the same ledger, views
and choice of node that a cycle uses, with the task mix learned from the arrivals alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from athanor.features.scheduling.core import fast
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.frag import Learner
from athanor.features.scheduling.core.ledger import Ledger, Shape, shape_of
from athanor.features.scheduling.core.place import place
from athanor.features.scheduling.core.score import How, Rater
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.spots import SetAsk
from athanor.features.scheduling.core.topology import Near
from bench.harness import Figure
from bench.traces import openb_control as control
from bench.traces import report

GPU = "nvidia.com/gpu"
LOADS = (100, 130)
MEANS = {"default": 4.77, "cpu100": 4.79, "gpushare40": 6.04, "gpuspec20": 5.34, "multigpu20": 4.47}
"""The published means of FGD at 100 % load, over ten seeds."""
PAIRED = (
    report.Bar("mean_100", "%", -0.001), report.Bar("mean_130", "%", -0.001),
    report.Bar("worst_workload", "%", 0.1), report.Bar("refused_though_feasible", "", 0),
    report.Bar("control_off", "%", 0.02),
)  # fmt: skip
"""Our unallocated GPU % less FGD's; how far the control is from what was published."""


class Outcome(NamedTuple):
    """What a run came to; unallocated is in % of all GPUs."""

    unallocated: dict[int, float]
    frag: float
    pods: int
    refused: int
    wrongly: int
    seconds: float


def snapshot(trace: control.Trace, copies: int = 1) -> tuple[Snapshot, dict[control.Shape, int]]:
    """The cluster, nodes in the order that breaks ties, and the number of each pod shape."""
    shapes = {want: row(want) for want in dict.fromkeys(trace.tasks)}
    number = {shape: i for i, shape in enumerate(dict.fromkeys(shapes.values()))}
    ask = r.AskRow(tuple(r.PodSetRow(str(i), shape) for shape, i in number.items()))
    order = np.argsort(trace.rank, kind="stable").tolist()
    nodes = [
        r.NodeRow(
            f"n{copy}-{n}",
            "p",
            {"cpu": int(trace.cpu[n]), "memory": int(trace.memory[n]) * 2**20},
            devices=(r.DeviceRow(GPU, trace.model[n]),) * int(trace.gpus[n]),
        )
        for copy in range(copies)
        for n in order
    ]
    made = build(
        r.Rows([r.PoolRow("p")], nodes, [r.QueueRow("q")], [r.GangRow("all", "q", ask)],
               resources=("cpu", "memory"))
    )  # fmt: skip
    return made, {want: number[shape] for want, shape in shapes.items()}


def row(want: control.Shape) -> r.ShapeRow:
    """A pod of the trace as the scheduler's own kind of request."""
    return r.ShapeRow(
        request=(("cpu", want.cpu), ("memory", want.memory * 2**20)),
        kind=GPU if want.gpus else "",
        devices=want.gpus,
        milli=want.milli if want.gpus else 1000,
        models=tuple(sorted(set(want.models))),
    )


class Scheduler:
    """The production placement, one pod at a time."""

    def __init__(self, s: Snapshot, large: int = fast.LARGE) -> None:
        self.shapes: list[Shape] = [
            shape_of(s.shapes, int(k)) for k in s.pod_sets.shape.tolist()
        ]  # fmt: skip
        self.asks = [(SetAsk(k, shape, 1, 1, Near()),) for k, shape in enumerate(self.shapes)]
        self.learner = Learner(self.shapes, s.resources.index("cpu"))
        self.scale = np.max(s.nodes.capacity, axis=0)
        self.ledger = Ledger(s.nodes, self._rater(), large)

    def _rater(self) -> Rater:
        return Rater(How.GRADIENT, self.scale, self.learner.mix)

    def place(self, k: int) -> int:
        """The node that takes one pod of shape `k`, or -1."""
        if self.learner.saw(k):
            self.ledger.rerate(self._rater())
        spots = place(self.ledger, self.asks[k], (1,), 0, ())
        return -1 if spots is None else spots[0][0].node


def run_default(trace: control.Trace) -> Outcome:
    """Our own policy."""
    s, numbers = snapshot(trace)
    scheduler = Scheduler(s)
    curve = control.Curve(int(trace.gpus.sum()) * 1000)
    refused = wrongly = 0
    began = time.perf_counter()
    for want in trace.arrivals:
        node = scheduler.place(numbers[want])
        curve.add(want, node >= 0)
        if node < 0:
            refused += 1
            wrongly += feasible(scheduler, numbers[want])
    seconds = time.perf_counter() - began
    frag = _frag(trace, scheduler)
    return Outcome({load: curve.at(load) for load in LOADS}, frag, len(trace.arrivals), refused,
                   wrongly, seconds)  # fmt: skip


def feasible(scheduler: Scheduler, k: int) -> bool:
    """Whether some node could take the pod, by plain comparison."""
    ledger, shape = scheduler.ledger, scheduler.shapes[k]
    want = shape.devices
    ok = (ledger.free >= np.array(shape.request)).all(axis=1)
    if want.needed:
        models = np.append(np.array(shape.models), False)[ledger.nodes.model]
        ok &= ((ledger.milli >= want.milli) & models).sum(axis=1) >= want.needed
    return bool(ok.any())


def _frag(trace: control.Trace, scheduler: Scheduler) -> float:
    """Fragmented GPU capacity at the end, in % of all, by the control's measure."""
    cluster = control.Cluster(trace)
    mix = control.mix_of(trace, cluster.models)
    ledger = scheduler.ledger
    model = np.array([cluster.models.index(trace.model[int(name.split("-")[1])])
                      for name in ledger.nodes.names])  # fmt: skip
    free = control.fragmentation(
        mix, ledger.free[:, 0], ledger.milli.astype(np.int64), model
    )  # fmt: skip
    return 100.0 * float(free.sum()) / (1000.0 * float(trace.gpus.sum()))


def run_control(trace: control.Trace, policy: str) -> Outcome:
    """A published policy, as its authors ran it."""
    runner = control.Control(trace, policy)
    curve = control.Curve(int(trace.gpus.sum()) * 1000)
    began = time.perf_counter()
    refused = 0
    for want in trace.arrivals:
        placed = runner.place(want) >= 0
        refused += not placed
        curve.add(want, placed)
    seconds = time.perf_counter() - began
    cluster = runner.cluster
    free = control.fragmentation(runner.mix, cluster.cpu, cluster.gpu, cluster.model)
    frag = 100.0 * float(free.sum()) / (1000.0 * float(trace.gpus.sum()))
    return Outcome({load: curve.at(load) for load in LOADS}, frag, len(trace.arrivals), refused, 0,
                   seconds)  # fmt: skip


def run(trace: control.Trace, policy: str) -> Outcome:
    """One run of one policy."""
    return run_default(trace) if policy == "default" else run_control(trace, policy)


def paired(traces: Path) -> dict[str, float | str]:
    """All workloads and seeds, ours less FGD; a line each as they come."""
    differences: dict[str, list[NDArray[np.float64]]] = {}
    wrongly, off = 0, 0.0
    for path in sorted((traces / "arrivals").glob("*.txt")):
        workload, seed = path.stem.split(".")
        trace = control.load(traces, workload, int(seed))
        done = run(trace, "default")
        wrongly += done.wrongly
        ours, fgd = (
            np.array([one.unallocated[load] for load in LOADS]) for one in (done, run(trace, "fgd"))
        )
        published = control.PUBLISHED.get((workload, int(seed)), fgd)
        off = max(off, float(np.abs(fgd - published).max()))
        differences.setdefault(workload, []).append(ours - fgd)
        print(f"{workload} {seed}: ours {ours.round(3)}, FGD {fgd.round(3)}", flush=True)
    means = {w: np.mean(found, axis=0) for w, found in differences.items()}
    whole = np.mean(list(means.values()), axis=0)
    return {
        "runs": sum(map(len, differences.values())), "mean_100": round(float(whole[0]), 4),
        "mean_130": round(float(whole[1]), 4), "control_off": round(off, 4),
        "worst_workload": round(max(float(mean.max()) for mean in means.values()), 4),
        "refused_though_feasible": wrongly,
        **{f"{w}_{load}": round(float(mean[i]), 3)
           for w, mean in means.items() for i, load in enumerate(LOADS)},
    }  # fmt: skip


def main() -> int:
    """Print one line of the run's own keys, and one a metric."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces.openb", description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--policy", choices=("default", "fgd", "bestfit"), default="default")
    options = parser.parse_args()
    traces = report.folder(options.traces, "openb")
    if options.workload == "all":
        return report.say("openb.paired", paired(traces), PAIRED)
    trace = control.load(traces, options.workload, options.seed)
    done = run(trace, options.policy)
    for load in LOADS:
        figure = Figure(
            name=f"openb.{options.workload}.{options.seed}.{options.policy}.unallocated_{load}",
            value=done.unallocated[load], unit="%",
            limit=MEANS.get(options.workload, 100.0), better="low",
        )  # fmt: skip
        print(figure.line())
    own = {
        "workload": options.workload, "seed": options.seed, "policy": options.policy,
        "unallocated_100": round(done.unallocated[100], 3),
        "unallocated_130": round(done.unallocated[130], 3), "frag_100": round(done.frag, 3),
        "pods": done.pods, "refused": done.refused, "refused_though_feasible": done.wrongly,
        "seconds": round(done.seconds, 3),
    }  # fmt: skip
    print(msgspec.json.encode(own).decode())
    return 1 if done.wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
