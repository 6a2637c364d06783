"""The built-in types: facts of the Kubernetes API, whole and described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from athanor.wire.types import catalog, words


def test_every_kind_has_a_schema() -> None:
    for (group, version), (_, kinds) in catalog.KINDS.items():
        for kind in kinds:
            schema = catalog.schema_of(group, version, kind)
            assert schema is not None, (group, version, kind)
            assert "metadata" in schema["properties"], kind
    assert catalog.schema_of("", "v1", "Nothing") is None
    assert catalog.schema_of("", "v1", "DeleteOptions") is not None


def test_facts_of_a_pod() -> None:
    schema = catalog.schema_of("", "v1", "Pod") or {}
    container = schema["properties"]["spec"]["properties"]["containers"]
    assert container["x-kubernetes-list-map-keys"] == ["name"]
    ports = container["items"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    assert ports["items"]["properties"]["protocol"]["default"] == "TCP"
    assert container["items"]["required"] == ["name"]
    volumes = schema["properties"]["spec"]["properties"]["volumes"]
    assert volumes["x-kubernetes-patch-strategy"] == "merge,retainKeys"


def test_nothing_in_a_status_is_required() -> None:
    def required(schema: Any) -> Iterator[Any]:
        if isinstance(schema, dict):
            if isinstance(schema.get("required"), list):
                yield schema
            for inner in schema.values():
                yield from required(inner)

    node = catalog.schema_of("", "v1", "Node") or {}
    assert not list(required(node["properties"]["status"]))
    assert list(required(node["properties"]["spec"]))
    assert "nodeInfo" in node["properties"]["status"]["properties"]


def test_every_kind_is_described_and_words_name_what_exists() -> None:
    for (group, version), (_, kinds) in catalog.KINDS.items():
        for kind in kinds:
            reference = catalog.reference_of(group, version, kind) or ""
            assert catalog.definition(reference).get("description"), reference
    for path in words.words():
        group, name, *field = path.split(".")
        known = catalog.definition(f"{group}.{name}")
        assert not field or field[0] in known["properties"], path
