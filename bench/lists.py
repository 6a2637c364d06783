"""A list of 10,000 pods of 2 KB, and a Table page of 500 of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from athanor.client.sync import SyncHttp
from athanor.kit import loop
from athanor.wire.request import Request
from bench.harness import Figure, api_server, quantile
from bench.requests import PODS, load, pod

COUNT = 10_000
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def _time(transport: SyncHttp, query: Sequence[tuple[str, str]], runs: int, accept: str) -> float:
    """Median milliseconds until the last byte."""
    taken = []
    request = Request(method="GET", path=PODS, query=query, headers={"accept": accept})
    for _ in range(runs):
        start = time.perf_counter()
        answer = transport.send(request)
        taken.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, answer.body[:300]
        time.sleep(0.05)
    return quantile(taken, 0.5)


def measure(full: bool) -> list[Figure]:
    """Both."""
    runs = 30 if full else 9
    names = (f"b{number}" for number in itertools.count())
    with api_server() as served:
        loop.run(load(served, lambda _: ("POST", PODS, pod(next(names), 6), 201), COUNT))
        transport = SyncHttp(served.user)
        whole = _time(transport, (), runs, "application/json")
        page = _time(transport, (("limit", "500"),), runs, TABLE)
        transport.close()
    return [
        Figure(name="list-10000", value=whole, unit="ms", limit=150, better="low", runs=runs),
        Figure(name="table-500", value=page, unit="ms", limit=15, better="low", runs=runs),
    ]


def run(full: bool) -> list[Figure]:
    """Measure."""
    return measure(full)
