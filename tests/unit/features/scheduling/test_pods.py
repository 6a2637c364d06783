"""What one pod needs, as Kubernetes counts it, and where it may go."""

import msgspec
import pytest

from athanor.api import processes
from athanor.api.core import Node, NodeSpec, NodeStatus, Pod, Taint
from athanor.api.meta import JSON, Condition, ObjectMeta
from athanor.api.scheduling import Gpu, PodSet
from athanor.features.scheduling import nodes, pods
from athanor.features.scheduling.core.snapshot import Cause
from athanor.features.scheduling.foreign import use_of

GPU = "nvidia.com/gpu"


def container(more: str = "", **requests: str) -> JSON:
    made: JSON = {"name": "c", "resources": {"requests": requests}}
    return {**made, "restartPolicy": more} if more else made


def need(spec: JSON, gpu: Gpu | None = None) -> pods.PodNeed:
    return pods.need(PodSet(name="w", template={"spec": spec}, gpu=gpu), {GPU})


def test_containers_add_up_and_init_containers_count_at_their_largest() -> None:
    spec = {
        "initContainers": [container("Always", cpu="1"), container(cpu="5")],
        "containers": [container(cpu="1"), container(cpu="500m", memory="1Gi")],
        "overhead": {"cpu": "250m"},
    }
    assert dict(need(spec).shape.request) == {"cpu": 6250, "memory": 2**30, "pods": 1}


def test_what_a_pod_asks_for_as_a_whole_counts_in_place_of_what_its_containers_do() -> None:
    spec = {
        "containers": [container(cpu="1"), container(memory="1Gi")],
        "resources": {"requests": {"cpu": "3"}, "limits": {"memory": "4Gi"}},
    }
    asked = {"cpu": 3000, "memory": 2**30, "pods": 1}
    assert dict(need(spec).shape.request) == asked
    assert use_of(msgspec.convert({"metadata": {"name": "p"}, "spec": spec}, Pod)) == asked


def test_limits_stand_in_for_requests() -> None:
    spec = {"containers": [{"name": "c", "resources": {"limits": {"cpu": "2", GPU: 2}}}]}
    shape = need(spec).shape
    assert (dict(shape.request), shape.kind, shape.devices) == ({"cpu": 2000, "pods": 1}, GPU, 2)


def test_a_share_of_a_device() -> None:
    spec = {"containers": [container(cpu="1")]}
    shape = need(spec, Gpu(resource=GPU, milli=300, memory="8Gi", models=["A100"])).shape
    assert (shape.devices, shape.milli, shape.mib, shape.models) == (1, 300, 8192, ("A100",))


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"containers": [container(cpu="lots")]}, "lots"),
        (
            {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}},
            "podAffinity",
        ),
        ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "topologySpreadConstraints"),
        ({"resourceClaims": [{"name": "gpu"}]}, "spec.resourceClaims"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(spec: JSON, word: str) -> None:
    with pytest.raises(pods.RequestError, match=word):
        need(spec)


def test_classes_of_nodes_answer_with_causes() -> None:
    tainted = [Taint(key="gpu", value="only")]
    all_nodes = [
        Node(metadata=ObjectMeta(name="plain", labels={"zone": "a"})),
        Node(metadata=ObjectMeta(name="tainted"), spec=NodeSpec(taints=tainted)),
        Node(metadata=ObjectMeta(name="cordoned"), spec=NodeSpec(unschedulable=True)),
        Node(
            metadata=ObjectMeta(name="silent"),
            status=NodeStatus(conditions=[Condition(type="Ready", status="Unknown")]),
        ),
    ]
    classes = [nodes.class_of(node, ["zone"]) for node in all_nodes]
    anywhere = need({"containers": [container(cpu="1")]}).where
    assert pods.barred(anywhere, classes) == (
        Cause.NONE, Cause.TAINT, Cause.UNSCHEDULABLE, Cause.NOT_READY,
    )  # fmt: skip
    tolerant = need({"tolerations": [{"key": "gpu", "operator": "Exists"}]}).where
    assert pods.barred(tolerant, classes)[1] == Cause.NONE
    picky = need({"nodeSelector": {"zone": "b"}}).where
    assert pods.barred(picky, classes)[0] == Cause.SELECTOR
    terms = [{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}]
    node_affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    far = need({"affinity": {"nodeAffinity": node_affinity}}).where
    assert pods.barred(far, classes)[0] == Cause.AFFINITY


def test_what_only_nodes_of_processes_can_run_tolerates_their_taint() -> None:
    node = Node(metadata=ObjectMeta(name="n"), spec=NodeSpec(taints=[Taint(**processes.TAINT)]))
    classes = [nodes.class_of(node, [])]

    def cause(*images: str) -> int:
        made = [{**container(cpu="1"), "image": image} for image in images]
        return pods.barred(need({"containers": made}).where, classes)[0]

    assert cause("host") == cause("venv:///srv/env") == cause("host", "python:3.12") == Cause.NONE
    assert cause("python:3.12") == cause("host", "nginx:1.29") == cause("nginx:1.29") == Cause.TAINT
    asked = {"tolerations": [processes.TOLERATION], "containers": [container(cpu="1")]}
    assert pods.barred(need(asked).where, classes) == (Cause.NONE,), "who says so goes there, too"
