"""Every kind of ours survives JSON and back, with the names the API documents."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api import registry, scheduling, training
from athanor.api.meta import Object, ObjectMeta, to_manifest

GANG = scheduling.Gang(
    api_version="athanor.dev/v1alpha1",
    kind="Gang",
    metadata=ObjectMeta(name="g", namespace="team", labels={"a": "b"}),
    spec=scheduling.GangSpec(
        queue="team",
        pod_sets=[
            scheduling.PodSet(
                name="worker",
                count=4,
                min_count=2,
                template={"spec": {"containers": [{"name": "main", "unknownField": 1}]}},
                topology=scheduling.Topology(required="rack", slice_size=2, slice_level="host"),
                gpu=scheduling.Gpu(milli=500, min_memory="16Gi"),
            )
        ],
        max_runtime_seconds=3600,
        checkpoint=scheduling.CheckpointPolicy(enabled=True),
    ),
    status=scheduling.GangStatus(
        phase="Running",
        admission=scheduling.Admission(
            queue="team",
            pool="default",
            placements=[
                scheduling.Placement(
                    pod_set="worker",
                    count=4,
                    nodes=[scheduling.NodeRange(prefix="n", first=0, last=1, each=2)],
                )
            ],
        ),
        reasons=[scheduling.Reason(code="QuotaExceeded", message="8 of 8 used")],
    ),
)
JOB = training.TrainingJob(
    metadata=ObjectMeta(name="j"),
    spec=training.TrainingJobSpec(
        framework="jax",
        roles=[training.Role(name="worker", replicas=2, template={"spec": {}})],
        success_rules=[training.RanksRule(ranks={"worker": [0]})],
        elastic=training.Elastic(min=1, max=4),
        checkpoints=training.Checkpoints(directory="/c", enabled=True),
        scheduling=training.Scheduling(queue="team"),
    ),
)


@pytest.mark.parametrize("value", [GANG, JOB], ids=["gang", "job"])
def test_json_and_back(value: Object) -> None:
    encoded = msgspec.json.encode(value)
    assert msgspec.json.decode(encoded, type=type(value)) == value


def test_names_on_the_wire() -> None:
    manifest = to_manifest(GANG)
    pod_set = manifest["spec"]["podSets"][0]
    assert pod_set["minCount"] == 2
    assert pod_set["template"]["spec"]["containers"][0]["unknownField"] == 1
    assert manifest["spec"]["maxRuntimeSeconds"] == 3600
    assert manifest["status"]["admission"]["placements"][0]["podSet"] == "worker"
    job = to_manifest(JOB)
    assert job["spec"]["runPolicy"] == {} or "runPolicy" not in job["spec"]
    assert job["spec"]["successRules"] == [{"ranks": {"worker": [0]}}]


@pytest.mark.parametrize("resource", registry.OURS, ids=lambda r: str(r.kind))
def test_every_kind_of_ours_has_a_view_and_is_found_by_its_names(
    resource: registry.Resource,
) -> None:
    assert resource.view is not None
    assert registry.of(resource.view) is resource
    for word in (resource.kind, resource.plural, resource.name, *resource.short_names):
        assert registry.find(word) is resource


def test_paths() -> None:
    gangs = registry.of(scheduling.Gang)
    assert gangs.path("team", "g", "status") == (
        "/apis/athanor.dev/v1alpha1/namespaces/team/gangs/g/status"
    )
    assert registry.of(scheduling.Queue).path(None, "q") == "/apis/athanor.dev/v1alpha1/queues/q"
