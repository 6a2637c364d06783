"""Names in documents: typed values, text in text, what is absent, what is unknown."""

from __future__ import annotations

import pytest

from athanor.kit import fill

KNOWN = {"p.n": 3, "p.lr": 0.01, "p.name": "adam", "p.list": [1, 2], "p.none": None}


def lookup(name: str) -> fill.Json:
    if name == "p.absent":
        raise fill.Absent(name)
    if name not in KNOWN:
        raise fill.Unknown(name)
    found: fill.Json = KNOWN[name]
    return found


def test_values_keep_their_type_and_texts_take_them_in() -> None:
    given = {
        "replicas": "${p.n}",
        "args": ["--lr=${p.lr}", "${p.name}-${p.n}", "${HOME}", "$(A)", "${p.n}"],
    }
    assert fill.fill(given, lookup) == {
        "replicas": 3, "args": ["--lr=0.01", "adam-3", "${HOME}", "$(A)", "3"],
    }  # fmt: skip
    assert fill.fill("x ${p.list}", lookup) == "x [1, 2]"
    assert fill.fill(["${p.none}"], lookup) == [None]


def test_items_that_name_something_absent_disappear() -> None:
    assert fill.fill({"args": ["a", "--m=${p.absent}"], "env": "${p.absent}"}, lookup) == {
        "args": ["a"], "env": "",
    }  # fmt: skip


def test_unknown_names_are_told() -> None:
    with pytest.raises(fill.Unknown, match="p.what"):
        fill.fill(["${p.what}"], lookup)
    assert list(fill.names({"a": ["${p.b} ${c.d.e}"], "f": 1})) == ["p.b", "c.d.e"]
