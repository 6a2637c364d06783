"""Our API server beside kube-apiserver with etcd, asked the same by the same client.

`python -m bench.cluster servers [--count 10000]`: gets, creates and patches of pods of 2 KB over 32
connections, lists of so many, and a watch of ConfigMaps that 50 clients follow. Each is told as
requests (delivered events) a CPU-second of all processes of the server, and as the time within
which 99 of 100 were answered (delivered). Ours is SQLite with full sync, theirs etcd with fsync.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import NamedTuple

from athanor.api.meta import JSON
from athanor.client.target import Target, context
from bench.cluster.plane import Plane, plane
from bench.harness import Figure, Raw, api_server, cpu_seconds, quantile
from bench.requests import PODS, pod
from bench.watch import MAPS, configmap

CONNECTIONS, WATCHERS, LISTS, PACE = 32, 50, 10, 300
"""`PACE`: events a second, which leaves either server time to breathe."""
PATCH = b'{"metadata": {"annotations": {"seen": "%d"}}}'

Request = tuple[str, str, bytes, str]


class Cost(NamedTuple):
    """What one kind of request took: so many a CPU-second, and the 99th percentile in ms."""

    rate: float
    late: float


class Server(NamedTuple):
    """Where a server is, and what its processes have spent so far."""

    target: Target
    spent: Callable[[], float]

    async def connect(self, count: int) -> list[Raw]:
        """So many connections."""
        tls = context(self.target)
        return [await Raw.connect(self.target, tls) for _ in range(count)]


async def _ask(server: Server, requests: Iterator[Request], together: int) -> Cost:
    connections = await server.connect(together)
    taken: list[float] = []

    async def work(connection: Raw) -> None:
        for method, path, body, kind in requests:
            began = time.perf_counter()
            status, answer = await connection.ask(method, path, body, content_type=kind)
            taken.append((time.perf_counter() - began) * 1000)
            if status not in (200, 201):
                raise RuntimeError(f"{method} {path}: {status} {answer[:500]!r}")

    before = server.spent()
    await asyncio.gather(*(work(connection) for connection in connections))
    spent = server.spent() - before
    for connection in connections:
        connection.close()
    return Cost(len(taken) / spent, quantile(taken, 0.99))


async def _fan_out(server: Server, events: int) -> Cost:
    """Events delivered a CPU-second, and how long after the write was sent."""
    seen: list[dict[str, float]] = []
    readers = []
    for raw in await server.connect(WATCHERS):
        await raw.follow(f"{MAPS}?watch=1&timeoutSeconds=600")
        times: dict[str, float] = {}
        seen.append(times)
        readers.append(asyncio.create_task(_read(raw, times, events)))
    (writer,) = await server.connect(1)
    await asyncio.sleep(2)
    sent: dict[str, float] = {}
    before, began = server.spent(), time.perf_counter()
    for number in range(events):
        await asyncio.sleep(began + number / PACE - time.perf_counter())
        name = f"e-fan-{number}"
        sent[name] = time.perf_counter()
        status, answer = await writer.ask("POST", MAPS, configmap(name))
        if status != 201:
            raise RuntimeError(f"POST {MAPS}: {status} {answer[:500]!r}")
    async with asyncio.timeout(60):
        await asyncio.gather(*readers)
    spent = server.spent() - before
    late = [(times[name] - when) * 1000 for times in seen for name, when in sent.items()]
    return Cost(events * WATCHERS / spent, quantile(late, 0.99))


async def _read(raw: Raw, seen: dict[str, float], events: int) -> None:
    """Note when each event came, until all have."""
    rest = b""
    while len(seen) < events and (data := await raw.reader.read(1 << 16)):
        now = time.perf_counter()
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            found = line.partition(b'"name":"e-fan-')[2].partition(b'"')[0]
            if found:
                seen.setdefault(f"e-fan-{found.decode()}", now)


async def _costs(server: Server, count: int) -> dict[str, Cost]:
    json = "application/json"
    names = [f"b{number}" for number in range(count)]
    creates = (("POST", PODS, pod(name), json) for name in names)
    gets = (("GET", f"{PODS}/{name}", b"", json) for name in names)
    patches = (
        ("PATCH", f"{PODS}/{name}", PATCH % n, "application/merge-patch+json")
        for n, name in enumerate(names[: count // 2])
    )
    lists = (("GET", PODS, b"", json) for _ in range(LISTS))
    await _ask(server, (("GET", "/version", b"", json) for _ in range(300)), CONNECTIONS)
    return {
        "create": await _ask(server, creates, CONNECTIONS),
        "get": await _ask(server, gets, CONNECTIONS),
        "patch": await _ask(server, patches, CONNECTIONS),
        "list": await _ask(server, lists, 1),
        "watch": await _fan_out(server, min(count // 4, 2000)),
    }


def _theirs(made: Plane) -> Server:
    return Server(made.target(), lambda: sum(made.cpu().values()))


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """Two figures for each kind of request; the limit is what kube-apiserver took."""
    count = options.count
    with api_server() as served:
        ours = await _costs(Server(served.admin, lambda: cpu_seconds(served.pid)), count)
    with plane() as made:
        theirs = await _costs(_theirs(made), count)
    figures = []
    for name, mine in ours.items():
        figures += [
            Figure(name=f"cluster.servers.{name}.rate", value=mine.rate, unit="/CPU-s",
                   limit=theirs[name].rate, better="high", runs=count),
            Figure(name=f"cluster.servers.{name}.p99", value=mine.late, unit="ms",
                   limit=theirs[name].late, better="low", runs=count),
        ]  # fmt: skip
    return figures, {"ours": ours, "theirs": theirs}
