"""CRDs say what the Structs say, and their schemas accept what the Structs encode."""

from __future__ import annotations

import pytest

from athanor.api import crd
from athanor.api.meta import JSON
from athanor.api.registry import OURS, Resource
from athanor.api.scheduling import Gang, GangSpec, PodSet
from athanor.local.apiserver.schema.schema import Schema


def _schema(resource: Resource) -> JSON:
    schema: JSON = crd.manifest(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("resource", OURS, ids=lambda r: r.kind)
def test_every_kind_of_ours_has_a_crd(resource: Resource) -> None:
    made = crd.manifest(resource)
    assert made["metadata"]["name"] == resource.name
    assert made["spec"]["scope"] == ("Namespaced" if resource.namespaced else "Cluster")
    assert _schema(resource)["properties"]["metadata"]["type"] == "object"
    assert "status" in made["spec"]["versions"][0]["subresources"]


def test_bounds_enums_and_list_keys_come_from_the_types() -> None:
    spec = _schema(OURS[0])["properties"]["spec"]["properties"]
    sets = spec["podSets"]
    assert (sets["minItems"], sets["maxItems"]) == (1, 64)
    assert sets["x-kubernetes-list-map-keys"] == ["name"]
    assert sets["items"]["required"] == ["name"]
    assert sets["items"]["properties"]["count"]["default"] == 1
    assert sets["items"]["properties"]["template"]["x-kubernetes-preserve-unknown-fields"]
    assert spec["restart"]["enum"] == ["Gang", "Rank"]


def test_what_needs_something_inside_is_required_itself() -> None:
    gang, queue = _schema(OURS[0]), _schema(OURS[1])
    assert gang["required"] == ["spec"]
    assert "required" not in queue


def test_a_status_has_no_defaults_but_for_its_phase() -> None:
    for resource in OURS:
        status = _schema(resource)["properties"]["status"]
        if "default" in status:
            assert status.pop("default") == {}
            assert status["properties"]["phase"].pop("default") == "Pending"
        assert "'default':" not in str(status)


@pytest.mark.parametrize("kind", ["Gang", "TrainingJob", "Cron", "Sweep", "Workflow", "Workspace"])
def test_what_nobody_has_looked_at_yet_is_pending(kind: str) -> None:
    schema = next(_schema(resource) for resource in OURS if resource.kind == kind)
    assert Schema(schema).default({})["status"] == {"phase": "Pending"}


def test_quantities_may_be_numbers_or_text() -> None:
    pools = _schema(OURS[1])["properties"]["spec"]["properties"]["pools"]["items"]["properties"]
    assert pools["limit"]["additionalProperties"]["x-kubernetes-int-or-string"]


def test_a_struct_knows_nothing_that_its_crd_does_not() -> None:
    assert set(_schema(OURS[0])["properties"]["spec"]["properties"]) >= {"podSets", "queue"}
    assert Gang(spec=GangSpec(pod_sets=[PodSet(name="a")])).spec.pod_sets[0].count == 1
