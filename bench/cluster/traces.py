"""Kueue's and KAI's experiments on a real control plane, with our scheduler in place of theirs.

`python -m bench.cluster kueue [--config baseline]` and `… kai [--case fill]`: what
`bench.traces.kueue` and `bench.traces.kai` do on our own API server.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import yaml

from athanor.api.meta import JSON
from bench.cluster.plane import served
from bench.harness import Figure
from bench.traces import kai
from bench.traces import kueue as generators

WALL, SERVER, OURS = 140.0, 10.0, 3.0
"""Seconds, and CPU-ms a workload of the API server and of ours, for Kueue's baseline."""
FILL = 40.0


async def kueue(options: Namespace) -> tuple[list[Figure], JSON]:
    """Kueue's generator; bars are those of its baseline."""
    file = Path(options.traces) / "kueue_perf" / f"{options.config}.generator.yaml"
    config = yaml.safe_load(file.read_text())
    _, told = await generators.measure(options.config, config, options.scale, served)
    each = 1000 / told["workloads"]
    name = f"cluster.kueue.{options.config}"
    return [
        Figure(name=f"{name}.wall", value=told["wall"], unit="s", limit=WALL, better="low"),
        Figure(name=f"{name}.kube-apiserver", value=told["cpu_seconds"]["server"] * each,
               unit="CPU-ms a workload", limit=SERVER, better="low", runs=told["workloads"]),
        Figure(name=f"{name}.scheduler", value=told["cpu_seconds"]["scheduler"] * each,
               unit="CPU-ms a workload", limit=OURS, better="low", runs=told["workloads"]),
    ], told  # fmt: skip


async def fill(options: Namespace) -> tuple[list[Figure], JSON]:
    """KAI's fill of every GPU, from submission to the last pod that runs."""
    figure, told = await kai.measure("fill", options.nodes, served)
    return [
        Figure(name="cluster.kai.fill", value=figure.value, unit="s", limit=FILL, better="low")
    ], told
