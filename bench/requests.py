"""Gets and durable creates: per CPU-second of the server with 64 connections, and alone."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from statistics import median

import msgspec

from athanor.client.target import context
from athanor.kit import loop
from bench.harness import Figure, Raw, Served, api_server, cpu_seconds, quantile

CONNECTIONS = 64
ROUNDS = 5
"""The rate is the median of so many rounds: what else the machine does falls on some of them."""
PODS = "/api/v1/namespaces/default/pods"
GANGS = "/apis/athanor.dev/v1alpha1/namespaces/default/gangs"

Ask = Callable[[int], tuple[str, str, bytes, int]]


def _pod_spec(pad: int) -> dict[str, object]:
    values = [{"name": f"VARIABLE_{n}", "value": "x" * 40} for n in range(pad)]
    container = {
        "name": "main", "image": "host", "command": ["python", "train.py"], "env": values,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }  # fmt: skip
    return {"containers": [container], "restartPolicy": "Never"}


def pod(name: str, pad: int = 6) -> bytes:
    """A Pod of about 2 KB as stored; each pad adds 80 B."""
    labels = {"athanor.dev/gang": "bench", "athanor.dev/rank": "0", "app": "bench"}
    meta = {"name": name, "namespace": "default", "labels": labels}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": _pod_spec(pad)}
    )


def gang(name: str) -> bytes:
    """A Gang of about 2 KB."""
    template = {"spec": _pod_spec(20)}
    sets = [{"name": "worker", "count": 4, "template": template}]
    return msgspec.json.encode(
        {
            "apiVersion": "athanor.dev/v1alpha1",
            "kind": "Gang",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"queue": "default", "podSets": sets},
        }
    )


async def load(served: Served, ask: Ask, count: int) -> float:
    """Requests a CPU-second of the server over connections that stand."""
    tls = context(served.user)
    connections = await asyncio.gather(*[Raw.connect(served.user, tls) for _ in range(CONNECTIONS)])
    # every connection's handshake is over, and its first request answered, before counting begins
    await asyncio.gather(*[connection.ask("GET", "/version") for connection in connections])
    numbers = iter(range(count))

    async def one(connection: Raw) -> None:
        for number in numbers:
            method, path, body, wanted = ask(number)
            status, answer = await connection.ask(method, path, body)
            if status != wanted:
                raise RuntimeError(f"{method} {path}: {status} {answer[:500]!r}")

    before = cpu_seconds(served.pid)
    await asyncio.gather(*[one(connection) for connection in connections])
    spent = cpu_seconds(served.pid) - before
    for connection in connections:
        connection.close()
    return count / spent


async def alone(served: Served, ask: Ask, count: int) -> float:
    """Median milliseconds of one client's requests."""
    connection = await Raw.connect(served.user)
    taken = []
    for number in range(count):
        method, path, body, wanted = ask(number)
        start = time.perf_counter()
        status, answer = await connection.ask(method, path, body)
        taken.append((time.perf_counter() - start) * 1000)
        if status != wanted:
            raise RuntimeError(f"{method} {path}: {status} {answer[:500]!r}")
    connection.close()
    return quantile(taken, 0.5)


async def measure(full: bool) -> list[Figure]:
    """All of them."""
    figures = []
    scale = 4 if full else 1
    names = (f"b{number}" for number in itertools.count())
    with api_server() as served:

        def create_pod(number: int) -> tuple[str, str, bytes, int]:
            return "POST", PODS, pod(next(names)), 201

        def create_gang(number: int) -> tuple[str, str, bytes, int]:
            return "POST", GANGS, gang(next(names)), 201

        def get(number: int) -> tuple[str, str, bytes, int]:
            return "GET", f"{PODS}/b{number % 200}", b"", 200

        kinds: list[tuple[str, Ask, float, float, int]] = [
            ("create-pod", create_pod, 2500, 4, 4000),
            ("create-gang", create_gang, 2000, 4, 4000),
            ("get", get, 6000, 1, 10000),
        ]
        for name, ask, rate, bar, count in kinds:
            await load(served, ask, 300)
            rates = [await load(served, ask, count * scale // ROUNDS) for _ in range(ROUNDS)]
            figures.append(
                Figure(
                    name=f"{name}-per-cpu-second", value=median(rates), unit="requests/CPU-s",
                    limit=rate, better="high", runs=count * scale,
                )
            )  # fmt: skip
            value = await alone(served, ask, 300 * scale)
            figures.append(
                Figure(
                    name=f"{name}-p50", value=value, unit="ms", limit=bar, better="low",
                    runs=300 * scale,
                )
            )  # fmt: skip
    return figures


def run(full: bool) -> list[Figure]:
    """Measure."""
    return loop.run(measure(full))
