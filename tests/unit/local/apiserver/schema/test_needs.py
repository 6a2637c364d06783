"""Expressions get what they can see, and never less."""

from __future__ import annotations

import pytest

from athanor.local.apiserver.schema.cel import Expression
from athanor.local.apiserver.schema.needs import needs_of, trim

VALUE = {"a": {"b": 1, "c": [1, 2]}, "d": "x", "e": {"f": 2}}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("self.a.b == 1", {"a": {"b": 1}}),
        ("has(self.a.z) || self.d == 'x'", {"a": {}, "d": "x"}),
        ("self.a.c.all(n, n > 0)", {"a": {"c": [1, 2]}}),
        ("self.a == self.a && self.a.b == 1", {"a": VALUE["a"]}),
        ("self['d'] == 'x'", VALUE),
        ("size(self) == 3", VALUE),
        ("self.size() == 3", VALUE),
        ("self.exists(k, self.d == k)", VALUE),
    ],
)
def test_what_is_seen(text: str, seen: object) -> None:
    assert trim(VALUE, needs_of(text)["self"]) == seen


def test_both_values_have_needs_of_their_own() -> None:
    found = needs_of("self.d == oldSelf.e.f")
    assert trim(VALUE, found["self"]) == {"d": "x"}
    assert trim(VALUE, found["oldSelf"]) == {"e": {"f": 2}}


def test_the_answer_is_the_whole_values() -> None:
    for text, answer in (
        ("self.size() == 3 && 'd' in self", True),
        ("has(self.a) && !has(self.a.nothing)", True),
        ("self.a.c.map(n, n * 2)[1] == 4", True),
    ):
        assert Expression(text).evaluate({"self": VALUE}) is answer
