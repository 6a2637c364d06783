"""`python -m bench.cluster NAME`: figures as JSON lines; 1 if one misses its bar."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from athanor.api.meta import JSON
from athanor.kit import loop
from bench.cluster import life, pods, scale, servers, topology, traces
from bench.harness import Figure

Measure = Callable[[argparse.Namespace], Coroutine[Any, Any, tuple[list[Figure], JSON]]]
EXPERIMENTS: dict[str, tuple[Measure, str, dict[str, int]]] = {
    "pods": (pods.measure, "pods of gangs, beside Jobs and kube-scheduler",
             {"nodes": 5000, "gangs": 1000, "size": 10}),
    "life": (life.measure, "one large job from submission to removal, beside a batch Job",
             {"pods": 5000, "rounds": 3}),
    "topology": (topology.measure, "gangs of 64 that need a rack, half the cluster taken",
                 {"nodes": 5000, "gangs": 100}),
    "scale": (scale.measure, "the controllers in a large cluster",
              {"nodes": 5000, "pods": 50000, "gangs": 10000}),
    "servers": (servers.measure, "our API server beside kube-apiserver with etcd",
                {"count": 10000}),
    "kueue": (traces.kueue, "Kueue's generators", {"scale": 1}),
    "kai": (traces.fill, "KAI's fill of a cluster", {"nodes": 500}),
}  # fmt: skip


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, (_, what, numbers) in EXPERIMENTS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--no-peer", dest="peer", action="store_false")
        command.add_argument("--traces", default="../shared/traces", metavar="DIR")
        command.add_argument("--config", default="baseline", help="of Kueue's generators")
        for number, default in numbers.items():
            command.add_argument(f"--{number}", type=int, default=default, metavar="N")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # processes end with us
    figures, told = loop.run(EXPERIMENTS[options.name][0](options))
    for figure in figures:
        print(figure.line(), flush=True)
    print(msgspec.json.encode(told).decode())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
