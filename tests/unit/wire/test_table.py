"""Tables: 130 objects of every kind, printed as a Kubernetes 1.36 server printed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from athanor.wire import table
from athanor.wire.printing.duration import human, since
from athanor.wire.printing.jsonpath import compile_path
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
    listed = msgspec.json.decode(table.partial_list([body, body], {"resourceVersion": "3"}))
    assert (listed["kind"], len(listed["items"])) == ("PartialObjectMetadataList", 2)


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
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-0.5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (252, "4m12s"),
        (600, "10m"), (10799, "179m"), (10800, "3h"), (12000, "3h20m"), (28800, "8h"),
        (86400, "24h"), (172800, "2d"), (176400, "2d1h"), (691200, "8d"), (63071999, "729d"),
        (63072000, "2y"), (66096000, "2y35d"), (252288000, "8y"), (400000000, "12y"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert human(seconds) == text


def test_times_that_are_none() -> None:
    assert since(None, 0) == "<unknown>"
    assert since("yesterday", 0) == "<invalid>"


DOC: dict[str, Any] = {
    "a": {"b": [1, 2, 3]},
    "m": [{"n": 1, "v": "one"}, {"n": 2, "v": "two", "t": True}, {"n": 3}],
    "x.y/z": {"w": "q"},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b[0]", [1]), (".a.b[-1]", [3]), (".a.b[*]", [1, 2, 3]), (".a.b[1:]", [2, 3]),
        (".a.b[-2:]", [2, 3]), (".a.b[9]", []), (".a.c.d", []), ("{.a.b[0]}", [1]), ("a.b[0]", [1]),
        ("$.a.b[0]", [1]), (".m[?(@.n==2)].v", ["two"]), (".m[?(@.n>=2)].n", [2, 3]),
        (".m[?(@.v!='one')].v", ["two"]), (".m[?(@.v)].n", [1, 2]), (".m[?(@.t==true)].n", [2]),
        (".m[*].v", ["one", "two"]), ("..v", ["one", "two"]), (".x\\.y/z.w", ["q"]),
        ("['x.y/z'].w", ["q"]), (".a.*", [[1, 2, 3]]), (".", [DOC]), (".m[?(@.v < 3)].n", []),
    ],
)  # fmt: skip
def test_json_path(path: str, found: list[Any]) -> None:
    assert compile_path(path)(DOC) == found


@pytest.mark.parametrize("path", [".a[", ".a[?(b)]", ".a[?(@.x == nope)]", ".a[']"])
def test_what_is_no_json_path(path: str) -> None:
    with pytest.raises(ValueError, match=r"JSONPath|filter|string"):
        compile_path(path)


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
