"""JSON patch: RFC 6902's rules in the dialect a Kubernetes 1.36 server was seen to speak."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from athanor.wire.patch.json_patch import MAX_OPERATIONS, json_patch
from athanor.wire.status import ApiError

DOC = {"fin": ["a", "b"], "data": {"a": "1", "b": "2", "c/d": "x", "e~f": "y"}}

APPLIED: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([], {}),
    ([{"op": "test", "path": "/data/zz", "value": None}], {}),
    ([{"op": "test", "path": "/data/zz"}], {}),
    ([{"op": "test", "path": "/fin/0", "value": "a"}], {}),
    (
        [{"op": "replace", "path": "/data/zz", "value": "x"}],
        {"data": {**DOC["data"], "zz": "x"}},  # type: ignore[dict-item]
    ),
    ([{"op": "add", "path": "/fin/-1", "value": "m"}], {"fin": ["a", "b", "m"]}),
    ([{"op": "add", "path": "/fin/-", "value": "m"}], {"fin": ["a", "b", "m"]}),
    ([{"op": "add", "path": "/fin/1", "value": "m"}], {"fin": ["a", "m", "b"]}),
    ([{"op": "add", "path": "/fin/01", "value": "m"}], {"fin": ["a", "m", "b"]}),
    ([{"op": "remove", "path": "/fin/-1"}], {"fin": ["a"]}),
    ([{"op": "add", "path": "/data", "value": {"k": 1}, "extra": 1}], {"data": {"k": 1}}),
    ([{"op": "replace", "path": "/data", "value": {"k": 1}}], {"data": {"k": 1}}),
    ([{"op": "add", "path": "/new"}], {"new": None}),
    (
        [
            {"op": "replace", "path": "/data/c~1d", "value": "z"},
            {"op": "replace", "path": "/data/e~0f", "value": "q"},
            {"op": "add", "path": "/data/", "value": "empty"},
        ],
        {"data": {"a": "1", "b": "2", "c/d": "z", "e~f": "q", "": "empty"}},
    ),
    (
        [
            {"op": "copy", "from": "/data/a", "path": "/data/k"},
            {"op": "move", "from": "/data/b", "path": "/data/l"},
            {"op": "remove", "path": "/data/a"},
        ],
        {"data": {"c/d": "x", "e~f": "y", "k": "1", "l": "2"}},
    ),
]


@pytest.mark.parametrize(("patch", "changed"), APPLIED)
def test_applied(patch: list[dict[str, Any]], changed: dict[str, Any]) -> None:
    before = copy.deepcopy(DOC)
    assert json_patch(DOC, patch) == {**DOC, **changed}
    assert before == DOC


REFUSED: list[dict[str, Any]] = [
    {"op": "test", "path": "/data/a", "value": "2"},
    {"op": "test", "path": "/data/zz", "value": "2"},
    {"op": "remove", "path": "/data/zz"},
    {"op": "add", "path": "/data2/zz", "value": "x"},
    {"op": "add", "path": "/fin/9", "value": "x"},
    {"op": "replace", "path": "/fin/-", "value": "x"},
    {"op": "add", "path": "/fin/foo", "value": "x"},
    {"op": "remove", "path": "/fin/5"},
    {"op": "replace", "path": "/fin/5", "value": "x"},
    {"op": "move", "from": "/data/zz", "path": "/data/a"},
    {"op": "copy", "from": "/data/a"},
    {"op": "foo", "path": "/data/a"},
    {"path": "/data/a"},
    {"op": "add"},
    {"op": "add", "path": "/data/a/b", "value": "z"},
    {"op": "move", "from": "/data", "path": "/data/x"},
    {"op": "remove", "path": ""},
    {"op": "test", "path": "", "value": 1},
    {"op": "replace", "path": "", "value": 1},
]


@pytest.mark.parametrize("operation", REFUSED)
def test_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, [operation])
    assert (caught.value.reason, caught.value.code) == ("Invalid", 422)
    assert "JSON patch" in caught.value.message


@pytest.mark.parametrize("patch", [{"op": "add"}, "x", [1], None])
def test_no_patch_at_all(patch: Any) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, patch)
    assert caught.value.reason == "BadRequest"


def test_limits() -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOC, [{"op": "test", "path": "/x"}] * (MAX_OPERATIONS + 1))
    assert caught.value.reason == "RequestEntityTooLarge"
    double = [{"op": "copy", "from": "/data", "path": f"/data/{n}"} for n in range(40)]
    with pytest.raises(ApiError, match="copies add up"):
        json_patch({"data": {"x": "y" * 1000}}, double)


def test_true_is_not_one() -> None:
    with pytest.raises(ApiError, match="test failed"):
        json_patch({"a": True}, [{"op": "test", "path": "/a", "value": 1}])
    assert json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}]) == {"a": 1}
