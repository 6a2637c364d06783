"""The JSONPath of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from athanor.wire.printing.jsonpath import compile_path

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
