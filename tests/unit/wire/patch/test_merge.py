"""JSON merge patch: RFC 7386's appendix, and what a Kubernetes 1.36 server does with nulls."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from athanor.wire.patch.merge import merge_patch
from athanor.wire.status import ApiError

VECTORS: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"l": [{"a": 1}]}, {"l": [{"a": None}, None, 1]}, {"l": [{}, None, 1]}),
    ({"old": {"a": 1}}, {"old": [{"a": None}]}, {"old": [{"a": None}]}),
    ({"l": [1]}, {"l": {"a": None, "b": 1}}, {"l": {"b": 1}}),
]


@pytest.mark.parametrize(("doc", "patch", "expected"), VECTORS)
def test_merge(doc: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert merge_patch(doc, patch) == expected
    assert before == (doc, patch)


@pytest.mark.parametrize("patch", [[], 1, "x", None])
def test_no_object(patch: Any) -> None:
    with pytest.raises(ApiError, match="error decoding patch") as caught:
        merge_patch({}, patch)
    assert caught.value.reason == "BadRequest"
