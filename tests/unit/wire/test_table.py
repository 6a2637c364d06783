"""Tables: 130 objects of every kind, printed as a Kubernetes 1.36 server printed them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from athanor.wire import table
from athanor.wire.status import ApiError

KNOWN = json.loads((Path(__file__).parent / "tables.json").read_text())
NOW = KNOWN["now"]


def _layout(resource: str) -> table.Layout:
    return table.layout(resource, KNOWN["columns"] if resource == "cols.wire.test" else None)


@pytest.mark.parametrize("resource", list(KNOWN["tables"]))
def test_cells(resource: str) -> None:
    rows = KNOWN["tables"][resource]
    bodies = [msgspec.json.encode(row["object"]) for row in rows]
    shown = msgspec.json.decode(table.table(_layout(resource), bodies, NOW))
    assert [r["cells"] for r in shown["rows"]] == [r["cells"] for r in rows]
    width = len(shown["columnDefinitions"])
    assert all(len(r["cells"]) == width for r in shown["rows"])


def test_what_a_row_carries() -> None:
    row = KNOWN["tables"]["pods"][6]
    body = msgspec.json.encode(row["object"])
    whole = msgspec.json.decode(
        table.table(_layout("pods"), [body], NOW, include="Object", meta={"resourceVersion": "7"})
    )
    assert whole["rows"][0]["object"] == row["object"]
    assert whole["metadata"] == {"resourceVersion": "7"}
    assert whole["rows"][0]["conditions"][0]["reason"] == "Succeeded"
    part = msgspec.json.decode(table.table(_layout("pods"), [body], NOW))["rows"][0]["object"]
    assert part["kind"] == "PartialObjectMetadata"
    assert part["metadata"] == row["object"]["metadata"]
    none = msgspec.json.decode(
        table.table(_layout("pods"), [body], NOW, include="None", headed=False)
    )
    assert none["rows"][0]["object"] is None
    assert none["columnDefinitions"] is None


def test_metadata_alone() -> None:
    body = b'{"kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"q":[1,2]}}'
    assert msgspec.json.decode(table.partial(body)) == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "a", "labels": {"x": "y"}},
    }


def test_custom_kinds_without_columns_show_their_age() -> None:
    shown = msgspec.json.decode(
        table.table(
            table.layout("blobs.wire.test", []),
            [b'{"metadata":{"name":"a","creationTimestamp":"2026-11-23T21:00:00Z"}}'],
            1795467600 + 100,
        )
    )
    assert [c["name"] for c in shown["columnDefinitions"]] == ["Name", "Age"]
    assert shown["rows"][0]["cells"][0] == "a"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "JSON"), ("*/*", "JSON"), ("application/json", "JSON"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json", "JSON"),
        ("application/vnd.kubernetes.protobuf,application/json", "JSON"),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
         "PartialObjectMetadataList"),
        ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "PartialObjectMetadata"),
    ],
)  # fmt: skip
def test_accept(accept: str | None, form: str) -> None:
    assert table.shown_as(accept) == form


def test_nothing_acceptable() -> None:
    with pytest.raises(ApiError) as caught:
        table.shown_as("application/vnd.kubernetes.protobuf")
    assert caught.value.code == 406


def test_a_pod_of_odd_types_still_prints() -> None:
    odd = b'{"metadata":{"name":"odd"},"status":{"phase":7}}'
    shown = msgspec.json.decode(table.table(_layout("pods"), [odd], NOW))
    assert shown["rows"][0]["cells"][:3] == ["odd", "0/0", ""]
