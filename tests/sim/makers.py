"""Crons, sweeps, workflows and a workspace from a seed, with controllers that die at any moment.

The rules are checked at every write that the server accepts: phases move along their tables only,
nothing is made twice, what has ended stays ended.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.crons import Cron
from athanor.api.meta import JSON
from athanor.api.scheduling import Pool, Queue
from athanor.api.sweeps import Sweep
from athanor.api.workflows import Workflow
from athanor.api.workspaces import Workspace
from athanor.features.crons import apply as crons
from athanor.features.gangs import apply as gangs
from athanor.features.nodes import apply as nodes
from athanor.features.scheduling import apply as scheduling
from athanor.features.sweeps import apply as sweeps
from athanor.features.sweeps import states as sweep_states
from athanor.features.training import apply as training
from athanor.features.workflows import apply as workflows
from athanor.features.workflows import states as workflow_states
from athanor.features.workspaces import apply as workspaces
from athanor.features.workspaces import states as workspace_states
from athanor.runtime.manager import Manager
from athanor.testing import lab, virtual
from athanor.testing.faults import NONE, ROUGH, Faulty, Rates
from athanor.testing.nodes import Life, SimulatedNode
from athanor.wire.status import ApiError

TROUBLE = 120.0
"""Seconds of virtual time with faults; after that everything has to end."""
PATIENCE = 3 * 3600.0
MOVES = {
    "Sweep": sweep_states.MOVES, "Workflow": workflow_states.MOVES,
    "Workspace": workspace_states.MOVES,
}  # fmt: skip
ENDED = ("Succeeded", "Failed", "Pruned", "Stopped")


class Rules:
    """Told of every accepted write; `broken` says which rules were broken."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.broken: list[str] = []

    def written(self, served: Any, old: JSON | None, new: JSON | None) -> None:
        """One write: an object before and after."""
        kind = served.resource.kind
        if kind == "TrainingJob" and old is None and new is not None:
            self._made(new["metadata"]["name"])
        if kind in MOVES and old is not None and new is not None:
            self._moved(kind, old, new)

    def _made(self, name: str) -> None:
        self.made[name] += 1
        if self.made[name] > 1:
            self.broken.append(f"{name} was made {self.made[name]} times")

    def _moved(self, kind: str, old: JSON, new: JSON) -> None:
        name = new["metadata"]["name"]
        before = (old.get("status") or {}).get("phase", "Pending")
        after = (new.get("status") or {}).get("phase", "Pending")
        allowed: Any = MOVES[kind]
        if before != after and after not in set(allowed[before].values()):
            self.broken.append(f"{kind} {name} went from {before} to {after}")
        field = {"Sweep": "trials", "Workflow": "steps"}.get(kind)
        if field is None:
            return
        rows = {_key(row): row for row in (new.get("status") or {}).get(field, [])}
        for row in (old.get("status") or {}).get(field, []):
            self._row(f"{kind} {name} {_key(row)}", row, rows.get(_key(row)))

    def _row(self, where: str, old: JSON, new: JSON | None) -> None:
        if new is None:
            self.broken.append(f"{where} was forgotten")
            return
        for field in ("state", "phase"):
            was = old.get(field)
            final = ENDED if field == "state" else ("Succeeded", "Skipped", "Omitted")
            if was in final and new.get(field) != was:
                self.broken.append(f"{where} was {was} and is {new.get(field)}")
        if new.get("attempt", 0) < old.get("attempt", 0) or new.get("attempt", 0) > 3:
            self.broken.append(f"{where}: attempt {old.get('attempt')} → {new.get('attempt')}")
        if old.get("parameters") != new.get("parameters"):
            self.broken.append(f"{where} has other parameters")


def _key(row: JSON) -> str:
    return f"{row.get('name', '')}{row.get('number', '')}[{row.get('index', '')}]"


class World:
    """The processes of one seed."""

    def __init__(self, bed: lab.Lab, seed: int) -> None:
        self.bed = bed
        self.seed = seed
        self.dice = random.Random(seed)
        self.rates: Rates = ROUGH
        self.wires: list[Faulty] = []
        self.task: asyncio.Task[None] | None = None
        self.crashes = 0
        self.rules = Rules()
        bed.server.core.observers.append(self.rules.written)

    def start(self) -> None:
        """A process with all controllers."""

        def faulty(handle: Any) -> Faulty:
            wire = Faulty(handle, random.Random(self.dice.random()), self.rates)
            self.wires.append(wire)
            return wire

        every = [
            gangs.controller(), nodes.controller(), scheduling.controller(), training.controller(),
            crons.controller(), sweeps.controller(), workflows.controller(),
            workspaces.controller(),
        ]  # fmt: skip
        client = self.bed.connect(faulty)
        manager = Manager(client, every, self.bed.clock, self.dice.random)
        self.task = asyncio.ensure_future(manager.run())

    async def crash(self) -> None:
        """End it at whatever await it is."""
        self.crashes += 1
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def life(self, pod: Pod) -> Life:
        """How a pod lives, the same whenever it is asked for."""
        if labels.WORKSPACE in pod.metadata.labels or pod.metadata.name.startswith("ws-"):
            return Life(starts=0.5)
        dice = random.Random(f"{self.seed}/{pod.metadata.name}")
        loss = dice.random()
        said = (
            f'{{"step":{dice.randint(1, 9)},"metrics":{{"loss":{loss}}},"outputs":{{"n":"[1,2]"}}}}'
        )
        return Life(
            starts=dice.uniform(0.1, 2), runs=dice.uniform(1, 25),
            exit_code=int(dice.random() < 0.15), goes=dice.uniform(0.05, 3), progress=said,
        )  # fmt: skip


def _job(**more: object) -> JSON:
    asks = {"requests": {"cpu": "1"}}
    container = {"name": "main", "image": "host", "resources": asks, "command": ["run"]}
    roles = [{"name": "w", "template": {"spec": {"containers": [container]}}}]
    return {"spec": {"framework": "generic", "roles": roles, **more}}


def _objects(dice: random.Random) -> list[tuple[JSON, Any]]:
    def named(name: str, spec: JSON) -> JSON:
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

    sweep = {
        "parameters": [{"name": "x", "type": "Float", "min": 0, "max": 1}],
        "objective": {"metric": "loss"}, "maxTrials": 7, "parallelism": 3, "maxFailed": 4,
        "algorithm": {"name": dice.choice(["Random", "TPE"]), "startup": 2},
        "earlyStop": {"minSteps": 2, "reduction": 2}, "template": _job(),
    }  # fmt: skip
    again = {"limit": 2, "backoffSeconds": dice.choice([0, 5])}
    flow = {
        "steps": [
            {"name": "a", "template": _job(), "retries": again},
            {"name": "b", "template": _job(), "withParam": "${steps.a.outputs.n}",
             "retries": again},
            {"name": "c", "template": _job(), "dependsOn": ["b"], "retries": again},
            {"name": "d", "template": _job(), "when": "steps.a.metrics.loss < 0.5"},
        ],
        "onExit": {"name": "bye", "template": _job()},
    }  # fmt: skip
    cron = {
        "schedule": "* * * * *", "template": _job(), "successfulHistoryLimit": 100,
        "failedHistoryLimit": 100, "catchUp": "All",
        "concurrencyPolicy": dice.choice(["Allow", "Forbid"]),
    }  # fmt: skip
    room = {"idle": {"afterSeconds": 30, "stopAfterSeconds": 60}, "requests": {"cpu": "1"}}
    return [
        (named("s", sweep), Sweep), (named("f", flow), Workflow), (named("c", cron), Cron),
        (named("w", room), Workspace),
    ]  # fmt: skip


async def simulate(seed: int) -> World:
    """Live through a seed. Raises AssertionError where a rule is broken."""
    async with lab.server(seed=seed) as bed:
        world = World(bed, seed)
        dice = random.Random(seed + 1)
        await bed.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
        spec = {"pools": [{"pool": "default"}]}
        await bed.create({"metadata": {"name": "default"}, "spec": spec}, Queue)
        world.start()
        node = SimulatedNode(bed.connect(), "node-0", bed.clock, world.life, dice=dice.random)
        running = asyncio.ensure_future(node.run())
        try:
            for manifest, view in _objects(dice):
                await bed.create(manifest, view)
            while bed.clock.monotonic() < TROUBLE:
                await asyncio.sleep(dice.expovariate(1 / 8))
                await world.crash()
                await asyncio.sleep(dice.choice([0.0, 0.1, 3.0]))
                world.start()
            await _calm(world)
        finally:
            await world.crash()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return world


async def _calm(world: World) -> None:
    """No more faults: sweep and workflow end, the workspace is stopped, each minute has its run."""
    world.rates = NONE
    for wire in world.wires:
        wire.rates = NONE
    bed = world.bed
    end = bed.clock.monotonic() + PATIENCE
    while True:
        assert not world.rules.broken, world.rules.broken[0]
        sweep, flow = await bed.get(Sweep, "s"), await bed.get(Workflow, "f")
        room = await bed.get(Workspace, "w")
        over = sweep.status.phase in ENDED and flow.status.phase in ENDED
        if over and room.status.phase == "Stopped":
            break
        assert bed.clock.monotonic() < end, (
            f"never ends: {sweep.status} {flow.status} {room.status}"
        )
        await asyncio.sleep(5)
    await bed.patch(Cron, "c", {"spec": {"suspend": True}})
    await asyncio.sleep(1)
    cron = await bed.get(Cron, "c")
    minutes = sorted(int(name[2:]) for name in world.rules.made if name.startswith("c-"))
    assert minutes, cron.status
    assert minutes == list(range(minutes[0], minutes[-1] + 1)), f"a minute is missing: {minutes}"
    assert not world.rules.broken, world.rules.broken[0]


def run(seed: int) -> World:
    """A whole life, in virtual time."""
    try:
        return virtual.run(lambda: simulate(seed))
    except (AssertionError, ApiError) as wrong:
        raise AssertionError(f"seed {seed}: {wrong}") from wrong
