"""Gangs of 64 that each need one rack, on a cluster of which half is taken.

`python -m bench.cluster topology [--nodes 5000] [--gangs 100]`. Every second node is full, so a
rack of sixteen nodes has room for just one gang. Counted are gangs admitted a second, gangs whose
pods have all been created a second, and admissions that do not name all pods of a gang, or more
than one rack.
"""

from __future__ import annotations

import time
from argparse import Namespace

from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool
from athanor.client.http import Http
from athanor.client.protocol import Client
from athanor.wire import calls
from bench.cluster import load
from bench.cluster.plane import install, plane, start_controllers
from bench.cluster.pods import GANGS, PARTS, gang
from bench.harness import Figure
from bench.keeping import SPACE, Kubelets, Watcher, every

SIZE = 64
ADMITTED, CREATED = 20.0, 6.0
"""Gangs a second."""


class _Range(Base, frozen=True):
    prefix: str
    first: int | None = None
    last: int | None = None
    width: int = 0
    each: int = 1

    def nodes(self) -> list[str]:
        """The names, each as often as it has pods."""
        if self.first is None or self.last is None:
            return [self.prefix] * self.each
        numbers = range(self.first, self.last + 1)
        return [f"{self.prefix}{n:0{self.width}}" for n in numbers for _ in range(self.each)]


class _Placement(Base, frozen=True):
    nodes: list[_Range] = []


class _Admission(Base, frozen=True):
    placements: list[_Placement] = []


class _Status(Base, frozen=True):
    admission: _Admission | None = None


class _Seen(Base, frozen=True):
    metadata: ObjectMeta
    status: _Status = _Status()


class Admissions(Watcher[_Seen]):
    """Counts admitted gangs and checks each."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, of(Gang), _Seen)
        self.admitted: set[str] = set()
        self.partial: list[str] = []
        self.last = 0.0

    def saw(self, value: _Seen, deleted: bool) -> None:
        """One gang changed."""
        admission, name = value.status.admission, value.metadata.name
        if admission is not None and not deleted and name not in self.admitted:
            self.admitted.add(name)
            self.last = time.perf_counter()
            places = [n for p in admission.placements for r in p.nodes for n in r.nodes()]
            racks = {int(node[1:]) // load.RACK_NODES for node in places}
            if len(places) != SIZE or len(racks) != 1:
                self.partial.append(name)


def _filler(number: int) -> JSON:
    spec = load.template(load.PER_NODE)["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"full-{number}"},
            "spec": {**spec, "nodeName": f"n{number:05}"}}  # fmt: skip


async def measure(options: Namespace) -> tuple[list[Figure], JSON]:
    """Both rates, and that no gang was ever admitted in part."""
    nodes, gangs = options.nodes, options.gangs
    with plane(*PARTS) as made:
        install(made)
        transport = Http(made.target(), connections=100)
        client = Client(transport)
        body = {"spec": {"topologyLevels": [load.RACK]}}
        await client(calls.patch(of(Pool), "default", None, body))
        await load.nodes(client, nodes)
        path = f"/api/v1/namespaces/{SPACE}/pods"
        await every(load.creation(client, path, _filler(n)) for n in range(0, nodes, 2))
        kubelets, admissions = Kubelets(client), Admissions(client)
        await kubelets.start()
        await admissions.start()
        start_controllers(made)
        made.settle()
        held, before, began = len(kubelets.placed), made.cpu(), time.perf_counter()
        wanted = [gang(f"g{i}", SIZE, required=load.RACK) for i in range(gangs)]
        await every(load.creation(client, GANGS, one) for one in wanted)
        await kubelets.until(lambda: len(kubelets.placed) - held >= gangs * SIZE)
        created, admitted = time.perf_counter() - began, admissions.last - began
        told: JSON = {"admitted": round(admitted, 1), "created": round(created, 1),
                      "partial": admissions.partial, "cpu": made.since(before)}  # fmt: skip
        await admissions.stop()
        await kubelets.stop()
        await transport.close()
    return [
        Figure(name="cluster.topology.admitted", value=gangs / admitted, unit="gangs/s",
               limit=ADMITTED, better="high", runs=gangs),
        Figure(name="cluster.topology.created", value=gangs / created, unit="gangs/s",
               limit=CREATED, better="high", runs=gangs),
        Figure(name="cluster.topology.partial", value=len(admissions.partial), unit="gangs",
               limit=0, better="low", runs=gangs),
    ], told  # fmt: skip
