"""The OpenAPI documents hold together, and every built-in type is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from athanor.api.registry import BUILT_IN, Resource
from athanor.wire import openapi

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
GROUPS = sorted({(r.group, r.version) for r in BUILT_IN})


def _document(group: str, version: str) -> dict[str, Any]:
    return openapi.document(
        group,
        version,
        [
            openapi.Documented(
                resource=r,
                verbs=VERBS,
                subresources={"status": (("get", "patch", "update"), (group, version, r.kind))},
            )
            for r in BUILT_IN
            if (r.group, r.version) == (group, version)
        ],
    )


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


@pytest.mark.parametrize(("group", "version"), GROUPS)
def test_documents_are_closed(group: str, version: str) -> None:
    built = _document(group, version)
    names = {f"#/components/schemas/{name}" for name in built["components"]["schemas"]}
    assert set(_refs(built)) <= names
    assert all(built["components"]["schemas"].values()), "an empty schema breaks kubectl explain"
    assert msgspec.json.decode(openapi.encode(built)) == built


def test_patch_tells_what_it_takes() -> None:
    path = _document("", "v1")["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    assert path["patch"]["x-kubernetes-group-version-kind"] == {
        "group": "", "version": "v1", "kind": "Pod",
    }  # fmt: skip
    assert {"fieldValidation", "fieldManager", "dryRun", "force"} == {
        p["name"] for p in path["patch"]["parameters"]
    }


def test_custom_kinds_bring_their_schema() -> None:
    resource = Resource(
        group="athanor.dev", version="v1alpha1", kind="Gang", plural="gangs", namespaced=True
    )
    whole = {"type": "object", "x-kubernetes-embedded-resource": True}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"inner": whole}}},
    }
    built = openapi.document(
        "athanor.dev", "v1alpha1",
        [openapi.Documented(resource=resource, verbs=VERBS, schema=schema)],
    )  # fmt: skip
    gang = built["components"]["schemas"]["dev.athanor.v1alpha1.Gang"]
    assert set(gang["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    inner = gang["properties"]["spec"]["properties"]["inner"]
    assert set(inner["properties"]) == {"apiVersion", "kind", "metadata"}
    assert "dev.athanor.v1alpha1.GangList" in built["components"]["schemas"]
    patch = built["paths"]["/apis/athanor.dev/v1alpha1/namespaces/{namespace}/gangs/{name}"]
    assert (
        "application/strategic-merge-patch+json" not in (patch["patch"]["requestBody"]["content"])
    )


def test_index_changes_with_the_document() -> None:
    one = openapi.index([("", "v1", b"a"), ("apps", "v1", b"b")])["paths"]
    two = openapi.index([("", "v1", b"c")])["paths"]
    assert set(one) == {"api/v1", "apis/apps/v1"}
    assert one["api/v1"] != two["api/v1"]


def test_documents_say_what_is_required() -> None:
    shown = _document("", "v1")["components"]["schemas"]["io.k8s.api.core.v1.NodeSystemInfo"]
    assert "kubeletVersion" in shown["required"]
