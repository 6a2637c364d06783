"""Templates are free JSON on a cluster: what one of them says stops nobody else's work."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from athanor.api.core import LimitRange, Node
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import controller as gangs
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.scenario import Objects, observed
from athanor.runtime.plan import Replace
from athanor.testing.lab import cluster
from athanor.testing.virtual import run

ONE = {"containers": [{"name": "main", "image": "host"}]}
REQUIRED, PREFERRED = (
    f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred")
)


def spread(**said: object) -> JSON:
    one = {"topologyKey": "zone", "labelSelector": {}, **said}
    return {"spec": {**ONE, "topologySpreadConstraints": [one]}}


def node_affinity(required: JSON, weight: object) -> JSON:
    terms = {
        REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [required]}]},
        PREFERRED: [{"weight": weight, "preference": {"matchExpressions": [required]}}],
    }
    return {"spec": {**ONE, "affinity": {"nodeAffinity": terms}}}


GARBAGE: dict[str, JSON] = {
    "spec": {"spec": [1]},
    "container": {"spec": {"containers": [None]}},
    "containers": {"spec": {"containers": "main"}},
    "resources": {"spec": {"containers": [{"name": "main", "resources": "1"}]}},
    "requests": {"spec": {"containers": [{"name": "main", "resources": {"requests": [1]}}]}},
    "cpu": {"spec": {"containers": [{"resources": {"requests": {"cpu": "9" * 25}}}]}},
    "devices": {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 10**11}}}]}},
    "ports": {"spec": {"containers": [{"name": "main", "ports": "80"}]}},
    "nodeSelector": {"spec": {**ONE, "nodeSelector": "gpu"}},
    "nodeSelector value": {"spec": {**ONE, "nodeSelector": {"gpu": [1]}}},
    "tolerations": {"spec": {**ONE, "tolerations": "gpu"}},
    "toleration": {"spec": {**ONE, "tolerations": [{"key": {"a": 1}}]}},
    "key": node_affinity({"operator": "In", "values": ["a"]}, 1),
    "key that is a number": node_affinity({"key": 5, "operator": "In", "values": [7]}, 1),
    "weight": node_affinity({"key": "a", "operator": "Exists"}, "much"),
    "operator": spread(labelSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}),
    "labels": spread(labelSelector={"matchLabels": [1]}),
    "skew": spread(maxSkew=10**30),
}


def gang(name: str, template: JSON) -> JSON:
    sets = [{"name": "worker", "count": 1, "template": template}]
    meta = {"name": name, "namespace": "default", "uid": name}
    return {"metadata": meta, "spec": {"podSets": sets}}


@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize("what", GARBAGE)
def test_one_template_stops_nobody_else(what: str, ranged: bool) -> None:
    limits = [{"type": "Container", "defaultRequest": {"cpu": "100m"}, "default": {"cpu": "1"}}]
    meta, pools = {"name": "default"}, [{"pool": "default"}]
    free = {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "9", "nvidia.com/gpu": "8"}}
    objects: Objects = {
        Gang: [msgspec.convert(gang("bad", GARBAGE[what]), Gang),
               msgspec.convert(gang("good", {"spec": ONE}), Gang)],
        Queue: [msgspec.convert({"metadata": meta, "spec": {"pools": pools}}, Queue)],
        Pool: [msgspec.convert({"metadata": meta, "spec": {}}, Pool)],
        Node: [msgspec.convert({"metadata": {"name": "node-0"}, "status": free}, Node)],
        LimitRange: [msgspec.convert(
            {"metadata": meta | {"namespace": "default"}, "spec": {"limits": limits}}, LimitRange
        )] if ranged else [],
    }  # fmt: skip
    seen = observed(objects)
    made = Planner()(seen, 1_800_000_000.0).actions
    admitted = [one.name for one in made if isinstance(one, Replace)
                and one.status.get("admission")]  # fmt: skip
    assert admitted == ["good"]
    assert seen.refused["default/bad"].message.startswith("pod set worker: ")


@pytest.mark.parametrize("volumes", ["data", ["data"], [{"persistentVolumeClaim": "data"}]])
def test_volumes_that_are_none_stop_nobody_else(volumes: object) -> None:
    async def main() -> None:
        async with cluster([gangs(), scheduling()], nodes=1) as lab:
            await lab.create({"metadata": {"name": "default"}, "spec": {"exclusive": False}}, Pool)
            usual: JSON = {"pools": [{"pool": "default"}]}
            await lab.create({"metadata": {"name": "default"}, "spec": usual}, Queue)
            await lab.create(gang("bad", {"spec": {**ONE, "volumes": volumes}}), Gang)
            await asyncio.sleep(5)
            await lab.create(gang("good", {"spec": ONE}), Gang)
            await lab.until(Gang, "good", lambda it: it.status.phase == "Running", within=60)

    run(main)
