"""One whole cluster's life from a seed: jobs, quotas, dying nodes, crashing controllers, bad wires.

The rules are checked at every write that the server accepts, not only in the end.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from athanor.api import labels
from athanor.api.core import Node, Pod
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.api.training import TrainingJob
from athanor.features.gangs import apply as gangs
from athanor.features.nodes import apply as nodes
from athanor.features.scheduling import apply as scheduling
from athanor.features.scheduling.core.decisions import Policy
from athanor.features.training import apply as training
from athanor.kit.times import rfc3339
from athanor.runtime.manager import Manager
from athanor.sdk.client import AsyncClient
from athanor.sdk.drive_async import AsyncDriver
from athanor.testing import lab, virtual
from athanor.testing.faults import NONE, ROUGH, Faulty, Rates
from athanor.testing.nodes import Life, SimulatedNode
from athanor.wire import calls
from athanor.wire.status import ApiError
from tests.sim.invariants import Invariants

CPUS = 4
TROUBLE = 90.0
"""Seconds of virtual time with faults; after that the world is calm and everything must end."""
PATIENCE = 4 * 3600.0


class Simulation:
    """A cluster, its troubles and its users, all from one seed."""

    def __init__(self, bed: lab.Lab, seed: int, rates: Rates) -> None:
        self.lab = bed
        self.seed = seed
        self.dice = random.Random(seed)
        self.rates = rates
        self.wires: list[Faulty] = []
        self.nodes: dict[str, SimulatedNode] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.invariants = Invariants(CPUS, self.nodes)
        self.node_wires: dict[str, Faulty] = {}
        self.crashes = 0
        bed.server.core.observers.append(self.invariants.written)

    def wire(self) -> Any:
        """A client of the server over a wire of its own."""

        def faulty(handle: Any) -> Faulty:
            wire = Faulty(handle, random.Random(self.dice.random()), self.rates)
            self.wires.append(wire)
            return wire

        return self.lab.connect(faulty)

    def start_controllers(self) -> None:
        """A process with all controllers; it knows nothing of an earlier one."""
        quick = scheduling.controller(Policy(resize_every=10.0))
        every = [gangs.controller(), nodes.controller(), quick]
        manager = Manager(
            self.wire(), [*every, training.controller()], self.lab.clock, self.dice.random
        )
        self.tasks["controllers"] = asyncio.ensure_future(manager.run())

    def start_node(self, name: str) -> None:
        """A machine with its agent."""
        node = SimulatedNode(
            self.wire(), name, self.lab.clock, self.life, dice=self.dice.random,
            capacity={"cpu": str(CPUS), "memory": "32Gi", "pods": "20"},
        )  # fmt: skip
        self.nodes[name] = node
        self.node_wires[name] = self.wires[-1]
        self.tasks[name] = asyncio.ensure_future(node.run())

    async def crash(self, name: str) -> None:
        """End a process at whatever await it is."""
        self.crashes += 1
        task = self.tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def cut_off(self, name: str, seconds: float) -> None:
        """A machine that runs on and reaches nobody."""
        wire = self.node_wires[name]
        wire.rates = Rates(lost=1.0)
        await asyncio.sleep(seconds)
        wire.rates = self.rates

    def life(self, pod: Pod) -> Life:
        """How a pod lives, the same whenever it is asked for."""
        told = pod.metadata.labels
        dice = random.Random(f"{self.seed}/{pod.metadata.name}/{told[labels.ATTEMPT]}"
                             f"/{told.get(labels.RANK_ATTEMPT, 0)}")  # fmt: skip
        fate = dice.random()
        code = 1 if fate < 0.08 else 137 if fate < 0.12 else 0
        refused = "OutOfcpu" if 0.12 <= fate < 0.14 else ""
        return Life(
            starts=dice.uniform(0.1, 3), runs=dice.uniform(3, 60), exit_code=code,
            refused=refused, goes=dice.uniform(0.05, 5), leaves=dice.choice([None, None, 0, 143]),
        )  # fmt: skip


def stretch(name: str, dice: random.Random) -> JSON:
    """A random gang that grows and shrinks, or takes other nodes for ranks that lost theirs."""
    asks = {"requests": {"cpu": "1"}}
    template = {"spec": {"containers": [{"name": "main", "image": "host", "resources": asks}]}}
    count = dice.randint(2, 6)
    one = {"name": "worker", "count": count, "minCount": dice.randint(1, count)}
    spec = {
        "podSets": [{**one, "template": template}],
        "queue": dice.choice(["red", "blue"]),
        "resize": dice.choice(["Live", "Live", "Restart"]),
        "restart": dice.choice(["Gang", "Rank"]),
        "replace": dice.random() < 0.7,
        "checkpoint": {"enabled": dice.random() < 0.5, "graceSeconds": 5, "restartSeconds": 1},
    }
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def job(name: str, dice: random.Random) -> JSON:
    """A random TrainingJob."""
    asks = {"requests": {"cpu": str(dice.randint(1, 2))}}
    spec: JSON = {"containers": [{"name": "main", "image": "host", "resources": asks}]}
    roles = [{
        "name": "worker", "replicas": dice.randint(1, 4), "template": {"spec": spec},
        "restartPolicy": dice.choice(["Never", "OnFailure", "OnFailure", "ExitCode"]),
    }]  # fmt: skip
    policy = {"backoffLimit": dice.randint(0, 3),
              "cleanPods": dice.choice(["Unfinished", "All", "None"])}  # fmt: skip
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "framework": dice.choice(["jax", "pytorch", "generic", "xgboost"]),
            "roles": roles, "runPolicy": policy, "suspend": dice.random() < 0.1,
            "scheduling": {"queue": dice.choice(["red", "blue"])},
        },
    }  # fmt: skip


async def simulate(seed: int, jobs: int = 5, rates: Rates = ROUGH) -> Simulation:
    """Live through a seed. Raises AssertionError where a rule is broken."""
    async with lab.server(seed=seed) as bed:
        sim = Simulation(bed, seed, rates)
        dice = random.Random(seed + 1)
        await _lay_out(bed, dice)
        sim.start_controllers()
        for number in range(dice.randint(2, 3)):
            sim.start_node(f"node-{number}")
        try:
            await asyncio.gather(_trouble(sim, dice), _users(sim, dice, jobs))
            await _calm(sim)
        finally:
            for name in list(sim.tasks):
                await sim.crash(name)
        return sim


async def _lay_out(bed: lab.Lab, dice: random.Random) -> None:
    await bed.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
    for name in ("red", "blue"):
        share = dice.randint(2, 6)
        quota = {"pool": "default", "guaranteed": {"cpu": str(share)},
                 "deserved": {"cpu": str(share + 2)}, "limit": {"cpu": "16"}}  # fmt: skip
        await bed.create({"metadata": {"name": name}, "spec": {"pools": [quota]}}, Queue)
    if dice.random() < 0.3:
        spare = {"nodes": ["node-0"], "queues": ["red"], "spares": True}
        end = rfc3339(bed.clock.now() + TROUBLE)
        await bed.create(
            {"metadata": {"name": "spare"}, "spec": {**spare, "end": end}}, Reservation
        )


async def _trouble(sim: Simulation, dice: random.Random) -> None:
    """Crashes of controllers and machines, machines cut off or taken away, at random moments."""
    while sim.lab.clock.monotonic() < TROUBLE:
        await asyncio.sleep(dice.expovariate(1 / 20))
        name = dice.choice([*sim.nodes, "controllers", "controllers"])
        if name not in sim.tasks:
            continue
        if name == "controllers":
            await sim.crash(name)
            await asyncio.sleep(dice.uniform(0.1, 5))
        elif dice.random() < 0.4:
            await sim.cut_off(name, dice.uniform(1, 150))
        else:
            await sim.crash(name)
            if dice.random() < 0.3:
                await asyncio.sleep(dice.uniform(0, 10))
                await sim.lab.client(calls.delete(of(Node), name))
            await asyncio.sleep(dice.uniform(1, 90))
        _revive(sim, name)


def _revive(sim: Simulation, name: str) -> None:
    if name in sim.tasks:
        return
    if name == "controllers":
        sim.start_controllers()
    else:
        sim.start_node(name)


async def _users(sim: Simulation, dice: random.Random, jobs: int) -> None:
    """Submit, suspend, delete."""
    for number in range(jobs):
        await asyncio.sleep(dice.expovariate(1 / 8))
        name = f"job-{number}"
        await sim.lab.create(job(name, dice), TrainingJob)
        sim.invariants.submitted.add(name)
        if number % 2:
            await sim.lab.create(stretch(f"stretch-{number}", dice), Gang)
        for _ in range(dice.choice([0, 0, 1, 2])):
            await asyncio.sleep(dice.uniform(0, 30))
            await _meddle(sim, name, dice)


async def _meddle(sim: Simulation, name: str, dice: random.Random) -> None:
    """One of the things people do to a job while it lives.

    Refused for a job that has finished, or has nothing to be restarted, or has that size.
    """
    client = AsyncClient(driver=AsyncDriver(sim.lab.client.transport))
    done = dice.choice(["suspend", "suspend", "resume", "restart", "resize", "delete"])
    try:
        if done == "delete":
            sim.invariants.submitted.discard(name)
            await client.delete_job(name)
        elif done == "resize":
            await client.resize(name, dice.randint(1, 4))
        else:
            await getattr(client, done)(name)
    except ApiError as error:
        assert error.reason in ("Invalid", "BadRequest", "NotFound"), error


async def _calm(sim: Simulation) -> None:
    """No more faults: everything has to end."""
    for wire in sim.wires:
        wire.rates = NONE
    sim.rates = NONE
    for name in [*sim.nodes, "controllers"]:
        _revive(sim, name)
    for one in await sim.lab.list(TrainingJob):
        if one.spec.suspend and one.status.phase not in ("Succeeded", "Failed"):
            await sim.lab.patch(TrainingJob, one.metadata.name, {"spec": {"suspend": False}})
    end = sim.lab.clock.monotonic() + PATIENCE
    while True:
        found = {j.metadata.name: j for j in await sim.lab.list(TrainingJob)}
        lost = sim.invariants.submitted - found.keys()
        assert not lost, f"jobs were lost: {lost}"
        assert not sim.invariants.broken, sim.invariants.broken[0]
        left: list[TrainingJob | Gang] = list(found.values())
        left += await sim.lab.list(Gang)
        left = [j for j in left if j.status.phase not in ("Succeeded", "Failed")]
        if not left:
            return
        assert sim.lab.clock.monotonic() < end, f"{left[0].metadata.name} never ends: {left[0]}"
        await asyncio.sleep(5)


def run(seed: int, **more: Any) -> Simulation:
    """A whole life, in virtual time."""
    try:
        return virtual.run(lambda: simulate(seed, **more))
    except (AssertionError, ApiError) as wrong:
        raise AssertionError(f"seed {seed}: {wrong}") from wrong
