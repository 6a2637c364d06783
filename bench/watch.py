"""Watch fan-out: 200 watchers, 1,000 events a second of 500 B; and one that stops reading.

CPU is the server's with the watchers minus without them; delivery is counted from when the event's
write was acknowledged to when a watcher has read it, over a sample of watchers.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from athanor.client.target import context
from athanor.kit import loop
from bench.harness import Figure, Raw, Served, api_server, cpu_seconds, quantile

WATCHERS = 200
RATE = 1000
WRITERS = 40
SAMPLED = 5
MAPS = "/api/v1/namespaces/default/configmaps"


def configmap(name: str) -> bytes:
    """A ConfigMap that is about 500 B when stored."""
    meta = {"name": name, "namespace": "default"}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"pad": "x" * 260}}
    )


class _Reader:
    """Reads a watch as cheaply as possible; a sampled one notes when it saw each name."""

    def __init__(self, raw: Raw, sampled: bool) -> None:
        self.raw = raw
        self.seen: dict[str, float] = {}
        self.sampled = sampled
        self.bytes = 0

    async def run(self) -> None:
        while data := await self.raw.reader.read(1 << 16):
            self.bytes += len(data)
            if self.sampled:
                now = time.perf_counter()
                for part in data.split(b'"name":"e-')[1:]:
                    self.seen.setdefault("e-" + part.partition(b'"')[0].decode(), now)


async def _write(served: Served, tag: str, seconds: float) -> dict[str, float]:
    """Create at the rate for a while; when each was acknowledged."""
    tls = context(served.user)
    connections = await asyncio.gather(*[Raw.connect(served.user, tls) for _ in range(WRITERS)])
    begin = time.perf_counter()
    done: dict[str, float] = {}

    async def one(index: int, connection: Raw) -> None:
        number = index
        while number < RATE * seconds:
            wait = begin + number / RATE - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            name = f"e-{tag}-{number}"
            status, answer = await connection.ask("POST", MAPS, configmap(name))
            assert status == 201, answer
            done[name] = time.perf_counter()
            number += WRITERS

    await asyncio.gather(*[one(i, connection) for i, connection in enumerate(connections)])
    for connection in connections:
        connection.close()
    return done


async def measure(full: bool) -> list[Figure]:
    """The fan-out's figures."""
    seconds = 20.0 if full else 6.0
    with api_server() as served:
        await _write(served, "warm", 1)
        before = cpu_seconds(served.pid)
        await _write(served, "alone", seconds)
        alone = cpu_seconds(served.pid) - before
        tls = context(served.user)
        readers = []
        for number in range(WATCHERS):
            raw = await Raw.connect(served.user, tls)
            await raw.follow(f"{MAPS}?watch=1&resourceVersion=0&timeoutSeconds=600")
            readers.append(_Reader(raw, sampled=number < SAMPLED))
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        await asyncio.sleep(3)
        before = cpu_seconds(served.pid)
        done = await _write(served, "many", seconds)
        with_watchers = cpu_seconds(served.pid) - before
        await asyncio.sleep(1)
        late = [
            (reader.seen[name] - when) * 1000
            for reader in readers[:SAMPLED]
            for name, when in done.items()
        ]
        for task in tasks:
            task.cancel()
        for reader in readers:
            reader.raw.close()
    events = len(done)
    share = (with_watchers - alone) / events * RATE * 100
    return [
        Figure(
            name="watch-cpu", value=share, unit="% of a core", limit=60,
            better="low", runs=events,
        ),
        Figure(
            name="watch-p99", value=quantile(late, 0.99), unit="ms", limit=60, better="low",
            runs=len(late),
        ),
    ]  # fmt: skip


def run(full: bool) -> list[Figure]:
    """Measure."""
    return loop.run(measure(full))
