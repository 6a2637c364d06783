"""Volumes that people made (local ones): gangs go where their claims find some, each its own."""

import msgspec
import pytest

from athanor.api.core import PersistentVolume, PersistentVolumeClaim, StorageClass
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.observe import Observer
from athanor.features.scheduling.plan import Planner
from athanor.runtime.plan import Patch, Replace
from tests.properties.situations import NOW, caches_of
from tests.unit.features.scheduling.test_near import World

RWO = ["ReadWriteOnce"]


class Disks(World):
    """The world of `test_near`, with a class whose volumes people make."""

    def __init__(self) -> None:
        super().__init__()
        self.put(StorageClass, "local", provisioner="kubernetes.io/no-provisioner",
                 volumeBindingMode="WaitForFirstConsumer")  # fmt: skip

    def volume(
        self, name: str, *nodes: str, key: str = "kubernetes.io/hostname", size: str = "10Gi",
        phase: str = "Available", labels: JSON | None = None, **spec: JSON,
    ) -> None:  # fmt: skip
        here = [{"matchExpressions": [{"key": key, "operator": "In", "values": list(nodes)}]}]
        usual: JSON = {
            "capacity": {"storage": size}, "accessModes": RWO, "storageClassName": "local",
            "nodeAffinity": {"required": {"nodeSelectorTerms": here}},
        }  # fmt: skip
        self.put(PersistentVolume, name, spec={**usual, **spec}, status={"phase": phase},
                 labels=labels or {})  # fmt: skip

    def claim(self, name: str, size: str = "5Gi", **spec: JSON) -> JSON:
        """Make a claim; the volume of a pod that mounts it."""
        usual: JSON = {"storageClassName": "local", "accessModes": RWO,
                       "resources": {"requests": {"storage": size}}}  # fmt: skip
        self.put(PersistentVolumeClaim, name, "default", spec={**usual, **spec})
        return {"name": name, "persistentVolumeClaim": {"claimName": name}}

    def gang_of(self, name: str, count: int, *sets: JSON, **spec: JSON) -> None:
        """A gang with a pod set for each pod spec."""
        box = {"name": "main", "resources": {"requests": {"cpu": "1"}}}
        made = [
            {"name": f"s{i}", "count": count, "template": {"spec": {"containers": [box], **one}}}
            for i, one in enumerate(sets)
        ]
        self.put(Gang, name, "default", spec={"podSets": made, "queue": "q", **spec},
                 status={"phase": "Pending"})  # fmt: skip

    def look(self) -> dict[str, JSON]:
        """What the scheduler writes into the statuses of gangs."""
        seen = Observer()(caches_of(self.objects), KEY)
        assert seen is not None
        return {
            action.name: action.status if isinstance(action, Replace) else action.body["status"]
            for action in Planner()(seen, NOW).actions
            if isinstance(action, Patch | Replace) and action.resource == of(Gang)
        }  # fmt: skip


def test_a_gang_goes_where_its_claim_finds_a_volume() -> None:
    world = Disks()
    data = {"volumes": [world.claim("data")]}
    code, said = world.gang(1, data)
    assert code == "NodesExcluded" and "4 out of reach of a volume" in said
    world.volume("disk", "n2")
    assert world.gang(1, data) == ["n2"]


@pytest.mark.parametrize("more", [
    {"size": "4Gi"}, {"accessModes": ["ReadOnlyMany"]}, {"storageClassName": "other"},
    {"volumeMode": "Block"}, {"phase": "Released"}, {"labels": {"kind": "slow"}},
    {"claimRef": {"namespace": "default", "name": "other"}},
    {"claimRef": {"namespace": "default", "name": "data", "uid": "of-before"}},
], ids=lambda more: next(iter(more)))  # fmt: skip
def test_only_volumes_that_fit_count(more: JSON) -> None:
    world = Disks()
    selector: JSON = {
        "matchExpressions": [{"key": "kind", "operator": "NotIn", "values": ["slow"]}]
    }
    data = {"volumes": [world.claim("data", selector=selector)]}
    world.volume("wrong", "n0", **more)
    assert world.gang(1, data)[0] == "NodesExcluded"
    world.volume("right", "n3")
    assert world.gang(1, data) == ["n3"]


def test_a_volume_that_names_the_claim_is_its_own() -> None:
    world = Disks()
    data = {"volumes": [world.claim("data")]}
    world.volume("large", "n1", size="1Ti", claimRef={"namespace": "default", "name": "data"})
    world.volume("small", "n1")
    assert world.gang(1, data) == ["n1"]


def test_ranks_that_share_a_claim_are_where_all_reach_one_volume() -> None:
    world = Disks()
    data = {"volumes": [world.claim("data")]}
    for i in range(3):
        world.volume(f"disk-{i}", f"n{i}")
    world.pod(
        "busy", "n0", {"containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]}
    )
    nodes = world.gang(4, data)
    assert len(set(nodes)) == 1 and nodes[0] in ("n1", "n2")
    code, said = world.gang(5, data)
    assert code in ("NeverFits", "Topology")
    assert "no place in reach of volumes for default/data of pool default" in said
    world.volume("shelf", "b", key="zone")
    assert set(world.gang(5, data)) <= {"n2", "n3"}


def test_what_else_has_to_be_in_one_place_holds_too() -> None:
    world = Disks()
    data = {"volumes": [world.claim("data")]}
    world.volume("everywhere", "n0", "n1", "n2", "n3")
    assert len(set(world.gang(8, data))) == 2
    template = {"spec": {"containers": [{"name": "c"}], **data}}
    one: JSON = {"name": "w", "count": 8, "template": template, "topology": {"required": "zone"}}
    one["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    world.put(Gang, "g", "default", spec={"podSets": [one], "queue": "q"},
              status={"phase": "Pending"})  # fmt: skip
    assert set(world.decide()) in ({"n0", "n1"}, {"n2", "n3"})
    one["count"] = 9
    assert world.decide()[0] in ("NeverFits", "Topology")


def test_pod_sets_that_share_a_claim_are_in_one_place() -> None:
    world = Disks()
    data = {"volumes": [world.claim("data")]}
    world.volume("disk-0", "n0")
    world.volume("disk-3", "n3")
    world.gang_of("g", 2, data, data)
    placed = world.look()["g"]["admission"]["placements"]
    assert placed[0]["nodes"] == placed[1]["nodes"]
    world.gang_of("g", 3, data, data)
    assert world.look()["g"]["reasons"][0]["code"] in ("NeverFits", "Topology")


def test_each_claim_has_a_volume_of_its_own() -> None:
    world = Disks()
    both = {"volumes": [world.claim("small"), world.claim("large", "20Gi")]}
    world.volume("a", "n0", size="50Gi")
    assert world.gang(1, both)[0] == "NodesExcluded"
    world.volume("b", "n0", size="30Gi")
    assert world.gang(1, both) == ["n0"]


def test_two_gangs_never_take_one_volume() -> None:
    world = Disks()
    world.volume("only", "n1")
    for name in ("x", "y"):
        world.gang_of(name, 1, {"volumes": [world.claim(name)]})
    first = world.look()
    admitted = [name for name, status in first.items() if status.get("admission")]
    assert admitted == ["x"]
    (gang,) = (one for key, one in world.objects.items() if key[-1] == "x" and "gangs" in key[0])
    gang["status"] = {**gang["status"], **first["x"]}
    reasons = world.look()["y"]["reasons"]
    assert reasons[0]["code"] == "NodesExcluded", "x is to have it, whoever writes that down"
    world.volume("more", "n2")
    assert "admission" in world.look()["y"]


def test_what_the_cluster_is_like_is_read_anew_as_volumes_come_and_go() -> None:
    """What is kept from look to look changes nothing."""
    world, observer = Disks(), Observer()
    caches = caches_of(world.objects)
    seen = [observer(caches, KEY)]
    data = {"volumes": [world.claim("data")]}
    world.gang_of("g", 2, data, data)
    for node in ("n0", "n1"):
        world.volume(f"disk-{node}", node)
        for view in (StorageClass, PersistentVolume, PersistentVolumeClaim, Gang):
            kind = of(view).name
            found = [msgspec.convert(o, view) for k, o in world.objects.items() if k[0] == kind]
            for i, one in enumerate(found):
                meta = msgspec.structs.replace(one.metadata, resource_version=str(6 + i))
                caches.cache(view).upsert(msgspec.structs.replace(one, metadata=meta))
        seen.append(observer(caches, KEY))
        fresh = Observer()(caches, KEY)
        assert fresh is not None and seen[-1] is not None
        assert fresh.snapshot.levels == seen[-1].snapshot.levels
        assert (fresh.snapshot.nodes.domains == seen[-1].snapshot.nodes.domains).all()
        assert (fresh.snapshot.gangs.within == seen[-1].snapshot.gangs.within).all()
