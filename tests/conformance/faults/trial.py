"""One trial: jobs on simulated nodes of a real control plane, two replicas of our controllers, and
whoever looks whether the rules hold, at every change of a gang and several times a second.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec

from athanor.api import core, labels
from athanor.api.meta import JSON, Base, ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.client.http import Http
from athanor.client.protocol import Client, Transport
from athanor.kit.clock import SystemClock
from athanor.testing.nodes import Life, SimulatedNode
from athanor.wire import calls
from athanor.wire.request import Request, Response, Stream
from athanor.wire.status import ApiError
from bench.cluster.plane import HOME, Plane, account
from bench.keeping import SPACE, Watcher, background, forgiving
from tests.conformance.faults.door import Door
from tests.sim.invariants import Invariants

CPUS, NODES, JOBS = 4, 4, 8
PATIENCE = 240.0
"""Seconds in which everything has to end once the trouble is over."""
GANGS, TRAININGS, PODS, MACHINES = of(Gang), of(TrainingJob), of(core.Pod), of(core.Node)
LEASE = "athanor-controllers"
REPLICA = Path(__file__).parent / "replica.py"


class Whole(Base, frozen=True):
    """A gang's metadata; the rest is read from the manifest."""

    metadata: ObjectMeta


class Wire:
    """A node's connection, which may be cut."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._restored = asyncio.Event()
        self._restored.set()

    def cut(self) -> None:
        """Nothing goes through any more."""
        self._restored.clear()

    def restore(self) -> None:
        """All is well again."""
        self._restored.set()

    def _check(self) -> None:
        if not self._restored.is_set():
            raise ApiError("ServiceUnavailable", "the node is cut off")

    async def send(self, request: Request) -> Response:
        """The whole answer."""
        self._check()
        answer = await self._transport.send(request)
        self._check()
        return answer

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks, of which those that come while the wire is cut are lost."""
        self._check()
        answer = await self._transport.stream(request)

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in answer.chunks:
                self._check()
                yield chunk

        return Stream(chunks=chunks(), status=answer.status)

    async def close(self) -> None:
        """Give connections back."""
        await self._transport.close()


class Gangs(Watcher[Whole]):
    """Every version of every gang, told to the invariants of the simulation."""

    def __init__(self, client: Client, invariants: Invariants) -> None:
        super().__init__(client, GANGS, Whole)
        self._invariants = invariants
        self._known: dict[str, JSON] = {}
        self.phases: dict[str, str] = {}

    def read(self, body: msgspec.Raw) -> Whole:
        """The whole gang, kept as a manifest beside its metadata."""
        manifest = msgspec.json.decode(body)
        value = super().read(body)
        self._known[f"{value.metadata.uid}/new"] = manifest
        return value

    def replace(self, values: list[Whole], revision: str) -> None:
        """A list is of one moment: several gangs may have changed while nobody heard of it."""
        self._invariants.listed([self._moved(value) for value in values])

    def saw(self, value: Whole, deleted: bool) -> None:
        """One gang changed."""
        old, new = self._moved(value)
        served = SimpleNamespace(resource=GANGS)
        self._invariants.written(served, old, None if deleted else new)

    def _moved(self, value: Whole) -> tuple[JSON | None, JSON]:
        """The gang before and after."""
        uid = value.metadata.uid
        new, old = self._known.pop(f"{uid}/new"), self._known.get(uid)
        self.phases[value.metadata.name] = (new.get("status") or {}).get("phase", "Pending")
        self._known[uid] = new
        return old, new


class Trial:
    """The world of one seed. `told` is what happened, for the report."""

    def __init__(self, made: Plane, seed: int, lives: tuple[float, float] = (1.0, 4.0)) -> None:
        self.made = made
        self.seed = seed
        self.dice = random.Random(seed)
        self.lives = lives
        self.transport = Http(made.target(), connections=50)
        self.client = Client(self.transport)
        self.doors: dict[str, Door] = {}
        self.wires: dict[str, Wire] = {}
        self.nodes: dict[str, SimulatedNode] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.fails: set[str] = set()
        self.failing: dict[str, str] = {}  # job → the node where its rank fails
        self.parted: set[str] = set()
        self.runs: dict[str, float] = {}
        self.asks: dict[str, int] = {}
        self.submitted: list[str] = []
        self.invariants = Invariants(CPUS, self.nodes)
        self.gangs = Gangs(self.client, self.invariants)

    def name(self, what: object) -> str:
        """A name of this trial alone."""
        return f"s{self.seed}-{what}"

    async def begin(self, skew: float) -> None:
        """Nodes, the eye on gangs, and two replicas whose clocks are `skew` seconds apart."""
        await self.gangs.start()
        for number in range(NODES):
            name = self.name(f"n{number}")
            wire = self.wires[name] = Wire(Http(self.made.target(), connections=8))
            self.nodes[name] = SimulatedNode(
                Client(wire), name, SystemClock(), self._life, dice=self.dice.random,
                capacity={"cpu": str(CPUS), "memory": "64Gi", "pods": "50"},
                labels={"athanor.dev/pool": "default"},
            )  # fmt: skip
            self.tasks[name] = background(self.nodes[name].run())
            self.tasks[f"{name}/says"] = background(self._says(name))
        self.tasks["checks"] = background(self._check())
        for number, identity in enumerate(("a", "b")):
            await self.start(identity, skew * number - skew / 2)

    async def start(self, identity: str, seconds: float = 0.0) -> None:
        """A replica behind a door of its own, by a clock that is so many seconds fast."""
        door = self.doors.get(identity)
        if door is None:
            door = self.doors[identity] = Door(self.made.target(), self.dice)
            await door.open()
        config = await asyncio.to_thread(
            account, self.made, identity, f"http://127.0.0.1:{door.port}"
        )
        self.made.start(
            identity, sys.executable, REPLICA, config, identity,
            str(seconds),
        )  # fmt: skip

    async def end(self) -> None:
        """Take everything away."""
        for identity, door in self.doors.items():
            if identity in self.made.processes:
                await asyncio.to_thread(self.made.kill, identity)
            await door.close()
        for name in self.submitted:
            for resource in (TRAININGS, GANGS):
                await forgiving(self.client(calls.delete(resource, name, SPACE)))
        for pod in (await self.client(calls.list_(core.Pod, SPACE))).items:
            call = calls.delete(PODS, pod.metadata.name, SPACE, grace_seconds=0)
            await forgiving(self.client(call))
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for name in self.nodes:
            await forgiving(self.client(calls.delete(MACHINES, name, None)))
        await forgiving(self.client(calls.delete(of(core.Lease), LEASE, HOME)))
        await self.gangs.stop()
        for wire in self.wires.values():
            await wire.close()
        await self.transport.close()

    def _life(self, pod: core.Pod) -> Life:
        told = pod.metadata.labels
        job = told.get(labels.JOB, "")
        if job not in self.runs:
            return Life()  # the installation's own
        first = told[labels.ATTEMPT] == "0" and labels.RANK_ATTEMPT not in told
        runs = self.runs[job]
        if job in self.fails and first and told[labels.RANK] == "0":
            self.failing[job] = pod.spec.node_name
            return Life(starts=0.1, runs=runs / 2, exit_code=3)
        return Life(starts=0.1, runs=runs)

    async def _says(self, name: str) -> None:
        """A kubelet says that it is Ready whenever somebody thinks otherwise."""
        client, node = Client(self.wires[name]), self.nodes[name]
        await node.registered.wait()
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
        while True:
            await asyncio.sleep(1.0)
            try:
                known = await client(calls.get(core.Node, name, None))
                if all(c.status == "True" for c in known.status.conditions if c.type == "Ready"):
                    continue
                status = {"status": {"conditions": [ready]}}
                await client(calls.patch(MACHINES, name, None, status, subresource="status"))
            except ApiError:
                continue

    async def submit(
        self, name: str, ranks: int = 1, cpus: int = 1, *, fails: bool = False
    ) -> None:
        """A job of so many ranks; the first attempt of its first rank may fail."""
        self.runs[name] = self.dice.uniform(*self.lives)
        self.asks[name] = cpus
        if fails:
            self.fails.add(name)
        box = {"name": "main", "image": "x", "resources": {"requests": {"cpu": str(cpus)}}}
        role = {
            "name": "worker",
            "replicas": ranks,
            "restartPolicy": "OnFailure",
            "template": {"spec": {"containers": [box]}},
        }
        manifest = {
            "apiVersion": TRAININGS.api_version, "kind": "TrainingJob", "metadata": {"name": name},
            "spec": {"framework": "generic", "roles": [role],
                     "runPolicy": {"backoffLimit": 3, "cleanPods": "None"},
                     "scheduling": {"queue": "default"}},
        }  # fmt: skip
        self.submitted.append(name)
        while True:
            try:
                await self.client(calls.raw("POST", TRAININGS.path(SPACE), body=manifest))
                return
            except ApiError as problem:
                if problem.reason == "AlreadyExists":
                    return
                await asyncio.sleep(0.5)

    async def users(self, over: float) -> None:
        """Submit jobs over so many seconds."""
        for number in range(JOBS):
            ranks, cpus = self.dice.randint(1, 4), self.dice.randint(1, 2)
            await self.submit(self.name(f"j{number}"), ranks, cpus, fails=self.dice.random() < 0.25)
            await asyncio.sleep(self.dice.uniform(0, 2 * over / JOBS))

    async def leader(self, within: float = PATIENCE) -> str:
        """Who holds the lease and works."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                lease = await self.client(calls.get(core.Lease, LEASE, HOME))
                if lease.spec.holder_identity in self.doors:
                    return lease.spec.holder_identity
            except ApiError:
                pass
            await asyncio.sleep(0.2)
        said = [(self.made.folder / f"{name}.log").read_text()[-1000:] for name in self.doors]
        raise AssertionError(f"nobody leads: {said}")

    async def until(self, what: str, holds: Callable[[], bool], within: float) -> float:
        """Seconds until something holds."""
        began = time.monotonic()
        while not holds():
            for task in self.tasks.values():
                if task.done():
                    task.result()  # nodes and checks go on to the end
            taken = time.monotonic() - began
            assert taken < within, f"seed {self.seed}: {what} not within {within:.0f} s"
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def recovery(self) -> float:
        """Seconds until a new job of one rank runs, or has run."""
        name = self.name("probe")
        began = time.monotonic()
        await self.submit(name)
        done = ("Running", "Succeeded")
        await self.until("a new job", lambda: self.gangs.phases.get(name) in done, PATIENCE)
        return time.monotonic() - began

    async def finish(self) -> None:
        """Everything ends well, once the trouble is over, and nothing was lost or done twice."""
        left: set[str] = set(self.submitted)

        def over() -> bool:
            left.difference_update(n for n in self.submitted if self.gangs.phases.get(n) in
                                   ("Succeeded", "Failed"))  # fmt: skip
            return not left

        try:
            await self.until("the end of all jobs", over, PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}: {[await self._told(name) for name in left]}") from None
        await asyncio.sleep(1.0)  # a job's status follows its gang's
        for name in self.submitted:
            await self._examine(name)
        alive = [
            f"{key.name} on {name}"
            for name, node in self.nodes.items() for key in node.alive if key.namespace == SPACE
        ]  # fmt: skip
        assert not alive, f"seed {self.seed}: {alive} run although every job has ended"
        assert not self.invariants.broken, f"seed {self.seed}: {self.invariants.broken}"

    async def _told(self, name: str) -> object:
        """All that is known of a job that does not end."""
        pods = (await self.client(calls.list_(core.Pod, SPACE))).items
        gang = await self.client(calls.get(Gang, name, SPACE))
        job = await self.client(calls.get(TrainingJob, name, SPACE))
        return (
            name, job.status.phase, job.status.conditions, gang.status,
            [(pod.metadata.name, pod.spec.node_name, pod.status.phase,
              pod.metadata.deletion_timestamp) for pod in pods
             if pod.metadata.name.startswith(f"{name}-")],
            [n for n, node in self.nodes.items()
             if any(key.name.startswith(f"{name}-") for key in node.alive)],
        )  # fmt: skip

    async def _examine(self, name: str) -> None:
        end = time.monotonic() + 30
        while True:
            job = await self.client(calls.get(TrainingJob, name, SPACE))
            if job.status.phase in ("Succeeded", "Failed") or time.monotonic() > end:
                break
            await asyncio.sleep(0.2)
        told = f"seed {self.seed}: job {name}: {job.status}"
        assert job.status.phase == "Succeeded", told
        assert job.status.retries <= (name in self.fails), told  # no fault of ours cost a retry
        if name in self.failing and self.failing[name] not in self.parted:
            assert job.status.retries == 1, told  # what a node that is cut off saw nobody knows
        (counts,) = job.status.pods
        assert counts.succeeded == job.spec.roles[0].replicas, told

    async def _check(self) -> None:
        """What processes are there, as the nodes know it."""
        while True:
            await asyncio.sleep(0.1)
            alive = Counter(key for node in self.nodes.values() for key in node.alive)
            twice = [key.name for key, count in alive.items() if count > 1]
            if twice:
                self.invariants.broken.append(f"{twice} live twice")
            for name, node in self.nodes.items():
                jobs = (key.name.rpartition("-worker-")[0] for key in node.alive)
                used = sum(self.asks.get(job, 0) for job in jobs)
                if used > CPUS:
                    self.invariants.broken.append(f"{used} of {CPUS} CPUs run on {name}")
