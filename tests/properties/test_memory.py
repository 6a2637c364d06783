"""What the scheduler keeps from look to look is memory alone: without it everything is the same."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.api import labels
from athanor.api.core import (
    LimitRange,
    Namespace,
    Node,
    PersistentVolumeClaim,
    Pod,
    PriorityClass,
    ResourceQuota,
)
from athanor.api.meta import JSON, Object, to_manifest
from athanor.api.placement import pack
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.board import Entry
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.builder import Builder
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.machines import Machine
from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.nodes import COST
from athanor.features.scheduling.observe import Observed, Observer
from athanor.features.scheduling.plan import Planner
from tests.properties import situations, worlds
from tests.properties.situations import NOW

GPU = "nvidia.com/gpu"
TERM: JSON = {"labelSelector": {}, "topologyKey": "kubernetes.io/hostname"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
LIVES = int(os.environ.get("ATHANOR_EXAMPLES", "20")) // 2


Thing = tuple[type[Object], str, str]


def version(thing: Thing, dice: random.Random) -> JSON:
    """One of the ways a thing may be."""
    view, space, name = thing
    meta: JSON = {"name": name, "uid": f"uid-{name}", "generation": 1, "labels": {}}
    meta |= {"namespace": space} if space else {}
    made: JSON = {"apiVersion": of(view).api_version, "kind": of(view).kind, "metadata": meta}
    meta["creationTimestamp"] = situations.EARLIER
    return {**made, **_PARTS[view](dice, meta)}


def _node(dice: random.Random, meta: JSON) -> JSON:
    size = {"cpu": str(dice.randint(2, 6)), "memory": "32Gi", "pods": "10"}
    size |= {GPU: str(dice.randint(1, 4))} if dice.random() < 0.7 else {}
    ready = {"type": "Ready", "status": dice.choice(["True", "True", "False"])}
    meta["labels"] = {"rack": dice.choice("ab"), **({"fast": "yes"} if dice.random() < 0.5 else {})}
    for label in ("data.athanor.dev/default.set", COST):
        meta["labels"] |= {label: str(dice.randint(1, 3))} if dice.random() < 0.2 else {}
    return {"spec": {}, "status": {"allocatable": size, "conditions": [ready]}}


def _queue(dice: random.Random, meta: JSON) -> JSON:
    share = dice.randint(0, 4)
    quota = {"pool": "default", "guaranteed": {"cpu": str(share)}}
    spec: JSON = {"pools": [quota]}
    if dice.random() < 0.2:
        spec["parent"] = dice.choice(["red", "nowhere"])
    if dice.random() < 0.2:
        spec["namespaceSelector"] = {"matchLabels": {"team": "a"}}
    return {"spec": spec}


def _gang(dice: random.Random, meta: JSON) -> JSON:
    asks = {"cpu": str(dice.randint(1, 2)), **({GPU: "1"} if dice.random() < 0.4 else {})}
    pod: JSON = {"containers": [{"name": "main", "resources": {"requests": asks}}]}
    if dice.random() < 0.3:
        pod["nodeSelector"] = {"fast": "yes"}
    if dice.random() < 0.2:
        pod["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "set"}}]
    if dice.random() < 0.3:
        pod["affinity"] = {"podAntiAffinity": _away(dice)}
    count = dice.randint(1, 2)
    about = {"labels": {"app": dice.choice("ab")}}
    sets = [{"name": "w", "count": count, "template": {"metadata": about, "spec": pod}}]
    spec: JSON = {"podSets": sets, "queue": dice.choice(["red", "blue", "gone"])}
    spec["replace"] = dice.random() < 0.3
    if dice.random() < 0.2:
        spec["adopts"] = {"w": [f"pod-{dice.randint(0, 3)}"]}
    if dice.random() < 0.1:
        spec["priorityClassName"] = dice.choice(["vip", "none"])
    status: JSON = {"phase": dice.choice(["Pending", "Starting", "Running", "Succeeded"])}
    if status["phase"] != "Pending":
        places = [to_manifest(p) for p in pack(f"n{dice.randint(0, 3)}" for _ in range(count))]
        status["admission"] = {
            "queue": spec["queue"], "pool": "default", "admittedAt": situations.EARLIER,
            "placements": [{"podSet": "w", "count": count, "nodes": places}],
        }  # fmt: skip
    elif dice.random() < 0.3:
        status["reasons"] = [{"code": dice.choice(["NoCapacity", "QueueLimit"]), "message": "x"}]
    return {"spec": spec, "status": status}


def _away(dice: random.Random) -> JSON:
    """Away from everybody, or from some."""
    some = {"matchLabels": {"app": dice.choice("ab")}} if dice.random() < 0.7 else {}
    return {REQUIRED: [{**TERM, "labelSelector": some}]}


def _pod(dice: random.Random, meta: JSON) -> JSON:
    meta["labels"] = {"app": dice.choice("ab")}
    if dice.random() < 0.5:
        meta["labels"] |= {labels.GANG: f"g{dice.randint(0, 4)}", labels.POD_SET: "w"}
    asks = {"requests": {"cpu": str(dice.randint(1, 3)), GPU: "1"}}
    spec: JSON = {"containers": [{"name": "c", "resources": asks}]}
    spec["nodeName"] = f"n{dice.randint(0, 3)}" if dice.random() < 0.9 else ""
    if dice.random() < 0.05:
        spec["affinity"] = {"podAntiAffinity": _away(dice)}
    return {"spec": spec, "status": {"phase": dice.choice(["Running", "Running", "Failed"])}}


def _claim(dice: random.Random, meta: JSON) -> JSON:
    provisioner = {"volume.kubernetes.io/storage-provisioner": "disks.example"}
    meta["annotations"] = provisioner if dice.random() < 0.5 else {}
    return {"spec": {"volumeName": "disk"} if dice.random() < 0.5 else {}}


def _pool(dice: random.Random, meta: JSON) -> JSON:
    return {"spec": {"topologyLevels": ["rack"] if dice.random() < 0.7 else []}}


def _kept(dice: random.Random, meta: JSON) -> JSON:
    return {
        "spec": {"pool": "default", "queues": ["red"], "amounts": {"cpu": str(dice.choice("19"))}}
    }


def _space(dice: random.Random, meta: JSON) -> JSON:
    meta["labels"] = {"team": dice.choice("ab")}
    return {}


def _class(dice: random.Random, meta: JSON) -> JSON:
    return {"value": dice.randint(1, 9), "globalDefault": dice.random() < 0.3}


def _quota(dice: random.Random, meta: JSON) -> JSON:
    hard = {"pods": str(dice.randint(1, 9)), "requests.cpu": str(dice.randint(1, 12))}
    used = {"pods": str(dice.randint(0, 3)), "requests.cpu": str(dice.randint(0, 3))}
    return {"spec": {"hard": hard}, "status": {"hard": hard, "used": used}}


def _range(dice: random.Random, meta: JSON) -> JSON:
    usual = {"type": "Container", "defaultRequest": {"cpu": str(dice.randint(1, 3))}}
    return {"spec": {"limits": [usual]}}


_PARTS: dict[type[Object], Callable[[random.Random, JSON], JSON]] = {
    Node: _node, Queue: _queue, Gang: _gang, Pod: _pod, Pool: _pool, Reservation: _kept,
    Namespace: _space, PriorityClass: _class, ResourceQuota: _quota, LimitRange: _range,
    PersistentVolumeClaim: _claim,
}  # fmt: skip
THINGS: tuple[Thing, ...] = (
    *((Node, "", f"n{i}") for i in range(4)), *((Gang, "default", f"g{i}") for i in range(5)),
    *((Pod, "default", f"pod-{i}") for i in range(4)), (Queue, "", "red"), (Queue, "", "blue"),
    (Pool, "", "default"), (Reservation, "", "kept"), (Namespace, "", "default"),
    (PriorityClass, "", "vip"), (ResourceQuota, "default", "small"),
    (LimitRange, "default", "usual"), (PersistentVolumeClaim, "default", "set"),
)  # fmt: skip


class World:
    """One set of caches through which objects come, change and go."""

    def __init__(self) -> None:
        self.caches = situations.caches_of({})
        self.revision = 10

    def change(self, thing: Thing, dice: random.Random) -> None:
        """A thing becomes another, or goes; the caches are told as a watch would."""
        self.revision += 1
        made = version(thing, dice)
        made["metadata"]["resourceVersion"] = str(self.revision)
        cache = self.caches.cache(thing[0])
        gone = dice.random() < (0.1 if thing[0] in (Node, Pool) else 0.2)
        (cache.remove if gone else cache.upsert)(msgspec.convert(made, thing[0]))


NUMBERED = ("told", "tellings", "kinds", "paths")
"""Numbers by the order in which things were seen; and `finished` is what is new, no memory."""


def kinds(seen: Observed) -> list[object]:
    """The kinds of every gang."""
    return [seen.paths[number] for number in seen.kinds.tolist()]


def told(seen: Observed) -> list[tuple[str, ...]]:
    by_number = {number: codes for codes, number in seen.tellings.items()}
    return [by_number[number] for number in seen.told.tolist()]


def machines(seen: Observed) -> dict[str, Machine]:
    """The machines, whichever write of a node said so."""
    found = {}
    for name, one in seen.machines.items():
        meta = msgspec.structs.replace(one.node.metadata, resource_version="")
        found[name] = one._replace(node=msgspec.structs.replace(one.node, metadata=meta))
    return found


@pytest.mark.parametrize("seed", [*range(LIVES), 209])
def test_an_observer_that_remembers_sees_what_a_new_one_sees(seed: int) -> None:
    dice = random.Random(seed)
    world, old, planner = World(), Observer(), Planner()
    due: Sequence[Thing] = THINGS
    for step in range(12):
        for thing in due:
            world.change(thing, dice)
        seen = old(world.caches, KEY)
        fresh = Observer()
        fresh.past = old.past
        other = fresh(world.caches, KEY)
        assert seen is not None and other is not None
        assert seen.snapshot == other.snapshot
        assert told(seen) == told(other)
        assert kinds(seen) == kinds(other)
        assert machines(seen) == machines(other)
        apart = {"snapshot", *NUMBERED, "finished", "machines"}
        for name in set(Observed.__struct_fields__) - apart:
            assert getattr(seen, name) == getattr(other, name), name
        planner(seen, NOW + step)
        old.past = planner.past
        due = dice.sample(THINGS, dice.randint(0, 3))


@given(worlds.rows(), st.data())
def test_a_builder_that_remembers_builds_what_build_does(rows: r.Rows, data: st.DataObject) -> None:
    builder = Builder()
    asks = {ask: n for n, ask in enumerate(dict.fromkeys(gang.ask for gang in rows.gangs))}
    everyone = {gang.name: gang for gang in rows.gangs}
    there: dict[str, r.GangRow] = {}
    nodes = list(rows.nodes)
    for _ in range(4):
        for name in sorted(data.draw(st.sets(st.sampled_from(sorted(everyone))))):
            if name in there and data.draw(st.booleans()):
                del there[name]
                builder.put(name, None)
                continue
            priority = data.draw(st.integers(0, 2))
            gang = there[name] = everyone[name]._replace(priority=priority)
            builder.put(name, Entry(gang, asks[gang.ask], held(gang, nodes)))
        nodes = [
            node._replace(foreign={"cpu": data.draw(st.sampled_from([0, 1000]))})
            if data.draw(st.booleans()) else node for node in nodes
        ]  # fmt: skip
        known = {n: ask for ask, n in asks.items()}
        now = rows._replace(nodes=nodes, gangs=(), running=())
        made, *_ = builder.snapshot(now, known, None, ())
        gangs = [there[name] for name in sorted(there)]
        running = [row for gang in gangs for row in held(gang, nodes)]
        expected = build(now._replace(gangs=gangs, running=running))
        assert isinstance(made, Snapshot) and made == expected


def held(gang: r.GangRow, nodes: list[r.NodeRow]) -> tuple[r.RunningRow, ...]:
    """Some place for each pod of a gang of priority 2; whether it fits is nobody's business."""
    if gang.priority < 2 or not nodes:
        return ()
    return tuple(
        r.RunningRow(gang.name, i, nodes[rank % len(nodes)].name, rank=rank)
        for i, pod_set in enumerate(gang.ask.pod_sets)
        for rank in range(pod_set.pods)
    )
