"""Where pods go because of other pods, ports, volumes and devices: objects in, admissions out."""

import pytest

from athanor.api.claims import SELECTED_NODE
from athanor.api.core import Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from athanor.api.labels import GIVES_DEVICES
from athanor.api.meta import JSON, Object
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.scheduling.matters import KEY
from athanor.features.scheduling.nodes import COST
from athanor.features.scheduling.observe import Observer
from athanor.features.scheduling.plan import Planner
from athanor.runtime.plan import Patch, Replace
from athanor.testing.world import Objects
from tests.properties.situations import NOW, caches_of

GPU = "nvidia.com/gpu"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
WEB: JSON = {"matchLabels": {"app": "web"}}
MINE: JSON = {"matchLabels": {"app": "mine"}}


class World:
    """Four nodes in two zones, of 4 cores each; what is put in; and where a gang goes."""

    def __init__(self, **node: JSON) -> None:
        self.objects: Objects = {}
        self.put(Pool, "default", spec={})
        self.put(Queue, "q", spec={"pools": [{"pool": "default"}]})
        for i in range(4):
            name = f"n{i}"
            labels = {
                "zone": "ab"[i // 2],
                "kubernetes.io/hostname": name,
                **node.get("labels", {}),
            }
            size = {"cpu": "4", "memory": "8Gi", "pods": "20", **node.get("more", {})}
            self.put(Node, name, labels=labels, status={"allocatable": size}, spec={})

    def put(self, view: type[Object], name: str, namespace: str = "", **more: JSON) -> None:
        meta: JSON = {"name": name, "uid": name, "resourceVersion": "5", "generation": 1}
        meta |= {"namespace": namespace} if namespace else {}
        meta |= {key: more.pop(key) for key in ("labels", "annotations") if key in more}
        resource = of(view)
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        self.objects[resource.name, namespace, name] = {**head, "metadata": meta, **more}

    def pod(self, name: str, node: str, spec: JSON | None = None, app: str = "web") -> None:
        self.put(
            Pod, name, "default", labels={"app": app}, status={"phase": "Running"},
            spec={"nodeName": node, "containers": [], **(spec or {})},
        )  # fmt: skip

    def gang(self, count: int, spec: JSON, gpu: JSON | None = None, **more: object) -> list[str]:
        """The nodes of its ranks, sorted; or the first reason."""
        container = {"name": "main", "resources": {"requests": {"cpu": "1"}}, **more}
        template = {
            "metadata": {"labels": {"app": "mine"}}, "spec": {"containers": [container], **spec}
        }  # fmt: skip
        one: JSON = {"name": "w", "count": count, "template": template}
        one |= {"gpu": gpu} if gpu else {}
        gang = {"podSets": [one], "queue": "q"}
        self.put(Gang, "g", "default", spec=gang, status={"phase": "Pending"})
        return self.decide()

    def decide(self) -> list[str]:
        seen = Observer()(caches_of(self.objects), KEY)
        assert seen is not None
        for action in Planner()(seen, NOW).actions:
            if isinstance(action, Patch | Replace) and action.resource == of(Gang):
                status = action.status if isinstance(action, Replace) else action.body["status"]
                if status.get("reasons"):
                    return [status["reasons"][0]["code"], status["reasons"][0]["message"]]
                self.admission: JSON = status["admission"]
                found: list[str] = []
                for placement in self.admission["placements"]:
                    for r in placement["nodes"]:
                        last = r.get("last", 0)
                        names = [f"{r['prefix']}{i}" for i in range(r.get("first", 0), last + 1)]
                        found += [name for name in names for _ in range(r.get("each", 1))]
                return sorted(found)
        return []


def affinity(kind: str, selector: JSON, key: str) -> JSON:
    return {"affinity": {kind: {REQUIRED: [{"labelSelector": selector, "topologyKey": key}]}}}


def test_beside_and_apart_from_running_pods() -> None:
    world = World()
    world.pod("web", "n2")
    assert set(world.gang(3, affinity("podAffinity", WEB, "zone"))) <= {"n2", "n3"}
    assert world.gang(1, affinity("podAffinity", WEB, "kubernetes.io/hostname")) == ["n2"]
    assert set(world.gang(3, affinity("podAntiAffinity", WEB, "zone"))) <= {"n0", "n1"}
    code, said = world.gang(1, affinity("podAffinity", {"matchLabels": {"app": "no"}}, "zone"))
    assert code == "NodesExcluded" and "4 excluded by pod (anti-)affinity" in said


def heads_and_workers(
    world: World, heads: int, workers: int, guard: JSON, back: JSON | None = None
) -> list[str]:
    """Where they go, heads first, each half a node; `guard` is what heads ask, `back` workers."""

    def one(name: str, count: int, spec: JSON) -> JSON:
        box = {"name": "main", "resources": {"requests": {"cpu": "2"}}}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [box], **spec}}
        return {"name": name, "count": count, "template": template}

    sets = [one("head", heads, guard), one("web", workers, back or {})]
    spec = {"podSets": sets, "queue": "q"}
    world.put(Gang, "g", "default", spec=spec, status={"phase": "Pending"})
    return world.decide()


def test_sets_of_one_gang_keep_apart() -> None:
    guard = affinity("podAntiAffinity", WEB, "kubernetes.io/hostname")
    found = heads_and_workers(World(), 1, 6, guard)
    assert len(found) == 7 and len(set(found)) == 4, "the head has a node of its own"
    assert sorted(found.count(f"n{i}") for i in range(4)) == [1, 2, 2, 2]
    code, said = heads_and_workers(World(), 1, 7, guard)
    assert code == "NeverFits" and "each pod set fits alone, but not all 8 pods" in said
    assert len(set(heads_and_workers(World(), 2, 2, guard))) >= 3
    both = affinity("podAntiAffinity", {"matchLabels": {"app": "head"}}, "kubernetes.io/hostname")
    assert len(set(heads_and_workers(World(), 2, 2, guard, both))) == 3, "one set shares a node"
    away = affinity("podAntiAffinity", WEB, "zone")
    code, said = heads_and_workers(World(), 1, 1, away)
    assert code == "InvalidRequest"
    assert "to keep pod set web out of a domain of zone is not supported" in said


def test_what_pods_ask_of_their_own_gang_becomes_topology() -> None:
    world = World()
    assert set(world.gang(8, affinity("podAffinity", MINE, "zone"))) == {"n0", "n1"}
    one_each = affinity("podAntiAffinity", MINE, "kubernetes.io/hostname")
    assert world.gang(4, one_each) == ["n0", "n1", "n2", "n3"]
    zones = world.gang(2, affinity("podAntiAffinity", MINE, "zone"))
    assert [node in ("n0", "n1") for node in zones] == [True, False]
    assert world.gang(3, affinity("podAntiAffinity", MINE, "zone"))[0] in ("Topology", "NeverFits")


def test_running_pods_keep_others_away() -> None:
    world = World()
    world.pod("shy", "n0", affinity("podAntiAffinity", MINE, "zone"), app="shy")
    assert set(world.gang(4, {})) <= {"n2", "n3"}


def test_spread_over_domains() -> None:
    def spread(when: str) -> JSON:
        one = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": when,
               "labelSelector": MINE}  # fmt: skip
        return {"topologySpreadConstraints": [one]}

    world = World()
    nodes = world.gang(6, spread("DoNotSchedule"))
    assert sum(node in ("n0", "n1") for node in nodes) == 3
    for i in range(3):
        world.pod(f"old-{i}", "n0", app="mine")
    nodes = world.gang(5, spread("DoNotSchedule"))
    assert sum(node in ("n0", "n1") for node in nodes) == 1
    asks: JSON = {"requests": {"cpu": "3"}}
    world.pod("full-2", "n2", {"containers": [{"name": "c", "resources": asks}]})
    world.pod("full-3", "n3", {"containers": [{"name": "c", "resources": asks}]})
    assert world.gang(8, spread("DoNotSchedule"))[0] == "Topology"
    assert len(world.gang(8, spread("ScheduleAnyway"))) == 8


def rule(key: str, skew: int, selector: JSON = MINE) -> JSON:
    return {"topologyKey": key, "maxSkew": skew, "labelSelector": selector}


def test_several_rules_of_spreading_hold_together() -> None:
    world = World()
    host = "kubernetes.io/hostname"
    world.pod("old-0", "n0", app="mine")
    nodes = world.gang(4, {"topologySpreadConstraints": [rule("zone", 1), rule(host, 1)]})
    there = [["n0", *nodes].count(f"n{i}") for i in range(4)]
    assert sorted(there) == [1, 1, 1, 2]
    alone = affinity("podAntiAffinity", MINE, "zone")
    both = {**alone, "topologySpreadConstraints": [rule(host, 1)]}
    assert world.gang(1, both) in (["n2"], ["n3"])
    others = {"topologySpreadConstraints": [rule("zone", 1, WEB), rule(host, 9)]}
    world.pod("web-0", "n0")
    world.pod("web-1", "n0")
    assert set(world.gang(8, others)) == {"n2", "n3"}


def test_pods_wait_for_enough_domains_and_are_told_apart_by_their_own_labels() -> None:
    world = World()
    many = rule("zone", 2) | {"minDomains": 3}
    assert len(world.gang(4, {"topologySpreadConstraints": [many]})) == 4
    assert world.gang(5, {"topologySpreadConstraints": [many]})[0] in ("Topology", "NeverFits")
    for i in range(3):
        world.pod(f"web-{i}", "n0")
    all_pods: JSON = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    spread = rule("zone", 1, all_pods)
    assert world.gang(1, {"topologySpreadConstraints": [spread]}) in (["n2"], ["n3"])
    own = spread | {"matchLabelKeys": ["app", "not-there"]}
    nodes = world.gang(4, {"topologySpreadConstraints": [own]})
    assert sum(node in ("n0", "n1") for node in nodes) == 2
    apart = affinity("podAntiAffinity", all_pods, "zone")
    term = apart["affinity"]["podAntiAffinity"][REQUIRED][0]
    assert set(world.gang(1, apart)) <= {"n2", "n3"}
    term["matchLabelKeys"] = ["app"]
    assert len(world.gang(2, apart)) == 2


def test_only_domains_that_a_pod_is_meant_for_count_in_spreading() -> None:
    world = World(labels={"kind": "own"})
    size = {"cpu": "4", "memory": "8Gi", "pods": "20"}
    cloud = {"zone": "c", "kubernetes.io/hostname": "c0", "kind": "cloud"}
    world.put(Node, "c0", labels=cloud, status={"allocatable": size}, spec={})
    spread = {"topologySpreadConstraints": [rule("zone", 1)]}
    assert len(world.gang(4, {**spread, "nodeSelector": {"zone": "a"}})) == 4
    world.put(Pool, "default", spec={"nodeSelector": {"kind": "own"}})
    world.put(Pool, "cloud", spec={"nodeSelector": {"kind": "cloud"}})
    assert len(world.gang(8, spread)) == 8


def test_preferred_nodes_come_first() -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    spec = {"affinity": {"nodeAffinity": {PREFERRED: [{"weight": 5, "preference": term}]}}}
    world = World()
    assert set(world.gang(8, spec)) == {"n2", "n3"}
    assert world.gang(9, spec).count("n2") == 4
    liked = {"labelSelector": WEB, "topologyKey": "kubernetes.io/hostname"}
    world.pod("web", "n1")
    prefer = {"affinity": {"podAffinity": {PREFERRED: [{"weight": 9, "podAffinityTerm": liked}]}}}
    assert world.gang(2, prefer) == ["n1", "n1"]


def test_nodes_with_the_data_come_first_and_then_the_cheap_ones() -> None:
    world, size = World(), {"cpu": "4", "memory": "8Gi", "pods": "20"}
    told = {"n1": {"data.athanor.dev/default.data": "yes"}, "n2": {COST: "2.5"}, "n3": {COST: "9"},
            "n0": {COST: "3", "fluid.io/s-default-data": "true"}}  # fmt: skip
    for name, labels in told.items():
        world.put(Node, name, labels=labels, status={"allocatable": size}, spec={})
    world.put(PersistentVolumeClaim, "data", "default", spec={})
    mount = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
    assert world.gang(9, mount) == ["n0"] * 4 + ["n1"] * 4 + ["n2"]
    assert set(world.gang(4, {})) == {"n1"}
    assert set(world.gang(8, {})) == {"n1", "n2"}


def test_nodes_with_more_of_the_data_come_first_whoever_says_so() -> None:
    world, size = World(), {"cpu": "4", "memory": "8Gi", "pods": "20"}
    ours, fluids = "data.athanor.dev/default.", "fluid.io/s-default-"
    told = {"n0": {f"{ours}images": "", f"{fluids}images": "true"}, "n1": {COST: "dear"},
            "n3": {f"{fluids}images": "true", f"{ours}words": ""}}  # fmt: skip
    for name, labels in told.items():
        world.put(Node, name, labels=labels, status={"allocatable": size}, spec={})
    names = ("images", "words", "none")
    for name in names:
        world.put(PersistentVolumeClaim, name, "default", spec={})
    mounts = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names]
    assert world.gang(6, {"volumes": mounts}) == ["n0"] * 2 + ["n3"] * 4
    assert world.gang(13, {}).count("n1") == 1


def test_volumes_hold_pods_where_they_are() -> None:
    world = World()
    here = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    tied = {"nodeAffinity": {"required": {"nodeSelectorTerms": [here]}}}
    world.put(PersistentVolume, "disk", spec=tied)
    world.put(PersistentVolumeClaim, "data", "default", spec={"volumeName": "disk"})
    mount = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
    assert set(world.gang(3, mount)) <= {"n2", "n3"}
    code, said = world.gang(9, mount)
    assert "2 out of reach of a volume" in said


@pytest.mark.parametrize("provisioner, told, nodes", [
    ("disks.example", {}, {"n2", "n3"}),
    ("disks.example", {SELECTED_NODE: "n1"}, {"n1"}),
])  # fmt: skip
def test_volumes_that_wait_for_their_consumer_are_made_where_their_class_may(
    provisioner: str, told: JSON, nodes: set[str]
) -> None:
    world = World()
    zones = [{"matchLabelExpressions": [{"key": "zone", "values": ["b"]}]}]
    world.put(StorageClass, "disks", provisioner=provisioner, allowedTopologies=zones,
              volumeBindingMode="WaitForFirstConsumer")  # fmt: skip
    world.put(PersistentVolumeClaim, "data", "default", spec={"storageClassName": "disks"},
              annotations=told)  # fmt: skip
    mount = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
    assert set(world.gang(3, mount)) <= nodes


def test_attached_volumes_are_limited() -> None:
    limit = "attachable-volumes-csi-disks.example"
    world = World(more={limit: "1"})
    for name in ("x", "y"):
        world.put(PersistentVolume, name, spec={"csi": {"driver": "disks.example"}})
        world.put(PersistentVolumeClaim, name, "default", spec={"volumeName": name})
    mounts = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in ("x", "y")]
    assert world.gang(3, {"volumes": mounts[:1]}) == ["n0", "n1", "n2"]
    assert world.gang(1, {"volumes": mounts})[0] == "NeverFits"


def test_a_port_of_a_node_is_there_once() -> None:
    world = World()
    ports = [{"containerPort": 80, "hostPort": 8080}]
    world.pod("old", "n1", {"containers": [{"name": "c", "ports": ports}]})
    assert world.gang(3, {}, ports=ports) == ["n0", "n2", "n3"]
    assert world.gang(4, {}, ports=ports)[0] in ("NoCapacity", "Fragmented")
    side = {"name": "s", "ports": ports, "restartPolicy": "Always"}
    world.pod("older", "n2", {"initContainers": [side, {"name": "i", "ports": ports}]})
    assert world.gang(2, {}, ports=ports) == ["n0", "n3"]
    assert world.gang(3, {}, ports=ports)[0] in ("NoCapacity", "Fragmented")


def gpus(**labels: str) -> World:
    """Nodes of our own agents."""
    more, agent = {GPU: "2"}, {GIVES_DEVICES: "true", "nvidia.com/gpu.product": "A100"}
    return World(more=more, labels={**agent, **labels})


def test_devices_by_id_model_slice_and_isolation() -> None:
    world = gpus()
    node = world.objects["nodes", "", "n3"]
    node["metadata"]["annotations"] = {"athanor.dev/device-ids": "GPU-a,GPU-b"}
    assert world.gang(1, {}, {"uuids": ["GPU-b"]}) == ["n3"]
    assert world.admission["placements"][0]["devices"] == ["1"]
    assert world.admission["placements"][0]["isolation"] == "Hardware"
    assert len(world.gang(8, {}, {"models": ["A100"]})) == 8
    assert world.gang(1, {}, {"models": ["H100"]})[0] == "NeverFits"
    assert world.gang(1, {}, {"milli": 500}) != []
    assert world.admission["placements"][0]["isolation"] == "None"
    assert world.gang(1, {}, {"milli": 500, "isolation": "Memory"})[0] == "NodesExcluded"
    world = gpus(**{"athanor.dev/gpu.isolation": "Memory"})
    world.gang(1, {}, {"milli": 500, "isolation": "Memory"})
    assert world.admission["placements"][0]["isolation"] == "Memory"


@pytest.mark.parametrize("gpu", [
    {"milli": 500}, {"memory": "8Gi"}, {"sliceProfile": "3g.40gb"}, {"uuids": ["GPU-a"]},
])  # fmt: skip
def test_what_is_chosen_of_devices_needs_an_agent_that_gives_it(gpu: JSON) -> None:
    """A kubelet's device plugin chooses itself, and counts whole devices."""
    told = {"athanor.dev/gpu.slices": "8", "nvidia.com/gpu.memory": "81920"}
    world = World(more={GPU: "2"}, labels=told)
    code, said = world.gang(1, {}, gpu)
    assert code == "NeverFits"
    assert "(4 cannot give a chosen device or a share of one)" in said
    assert "ask for whole devices, or for what a device plugin reports" in said
    meta = world.objects["nodes", "", "n2"]["metadata"]
    meta["labels"] |= {GIVES_DEVICES: "true"}
    meta["annotations"] = {"athanor.dev/device-ids": "GPU-a,GPU-b"}
    assert world.gang(1, {}, gpu) == ["n2"]
    tainted = {"key": "k", "effect": "NoSchedule"}
    world.objects["nodes", "", "n2"]["spec"] = {"taints": [tainted]}
    code, said = world.gang(1, {}, gpu)
    assert code == "NodesExcluded" and "1 tainted" in said and "ask for whole devices" in said


def test_whole_devices_go_anywhere() -> None:
    world = World(more={GPU: "2"}, labels={"nvidia.com/gpu.product": "A100"})
    asks: list[JSON] = [{}, {"milli": 1000}, {"models": ["A100"]}]
    for gpu in asks:
        assert len(world.gang(8, {}, {"resource": GPU, **gpu})) == 8


def test_shares_spread_over_the_nodes_that_give_them() -> None:
    world = World(more={GPU: "2"})
    for name in ("n0", "n1"):
        world.objects["nodes", "", name]["metadata"]["labels"][GIVES_DEVICES] = "true"
    spread = {"labelSelector": MINE, "topologyKey": "kubernetes.io/hostname", "maxSkew": 1,
              "whenUnsatisfiable": "DoNotSchedule"}  # fmt: skip
    shares = {"topologySpreadConstraints": [spread]}
    assert world.gang(4, shares, {"milli": 500}) == ["n0", "n0", "n1", "n1"]


@pytest.mark.parametrize("name, have, asks, nodes", [
    ("nvidia.com/mig-1g.10gb", 7, 4, ["n0", "n1"]),  # MIG with the strategy "mixed"
    ("nvidia.com/gpu.shared", 40, 30, ["n0", "n1"]),  # time-slicing, renamed
    ("nvidia.com/gpu", 80, 30, ["n0", "n0"]),  # replicas of time-slicing, or HAMi's
    ("amd.com/gpu", 8, 8, ["n0", "n1"]),
])  # fmt: skip
def test_whatever_device_plugins_report_is_counted(
    name: str, have: int, asks: int, nodes: list[str]
) -> None:
    world = World(more={name: str(have)})
    assert world.gang(2, {}, resources={"limits": {name: str(asks)}}) == nodes


def test_what_no_node_reports_is_told_by_its_name() -> None:
    """HAMi's amounts are known to HAMi's own scheduler alone."""
    world = World(more={GPU: "10"})
    code, said = world.gang(2, {}, resources={"limits": {GPU: "1", "nvidia.com/gpumem": "3000"}})
    assert code == "NeverFits" and "4 lack nvidia.com/gpumem" in said


def test_slices_of_a_device() -> None:
    world = gpus(**{"athanor.dev/gpu.slices": "8"})
    nodes = world.gang(16, {}, {"sliceProfile": "3g.40gb"})
    assert len(nodes) == 16
    assert world.admission["placements"][0]["slots"][:2] == [0, 4]
    assert world.gang(17, {}, {"sliceProfile": "3g.40gb"})[0] == "NeverFits"
    world = World(more={"nvidia.com/mig-1g.10gb": "3"})
    assert len(world.gang(12, {}, {"sliceProfile": "1g.10gb"})) == 12


def test_what_nobody_honours_is_refused_by_name() -> None:
    world = World()
    for policy in ({"nodeTaintsPolicy": "Honor"}, {"nodeAffinityPolicy": "Ignore"}):
        code, said = world.gang(1, {"topologySpreadConstraints": [rule("zone", 1) | policy]})
        assert (code, next(iter(policy)) in said) == ("InvalidRequest", True)
    fine = rule("zone", 1) | {"nodeTaintsPolicy": "Ignore", "nodeAffinityPolicy": "Honor"}
    assert world.gang(1, {"topologySpreadConstraints": [fine]}) in (["n0"], ["n1"])
    code, said = world.gang(1, {}, {"isolation": "Magic"})
    assert (code, "gpu.isolation" in said) == ("InvalidRequest", True)
