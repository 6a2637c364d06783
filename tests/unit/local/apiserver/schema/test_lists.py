"""Functions of lists, sets, texts and versions, as cel-go's extensions have them."""

from __future__ import annotations

import pytest

from athanor.local.apiserver.schema.cel import BadExpression, EvaluationError, Expression

HOLDS = [
    "sets.contains(self.l, ['a']) && !sets.contains(['a'], self.l)",
    "sets.intersects(self.l, ['b', 'z']) && sets.equivalent(self.l, ['b', 'a', 'a'])",
    "lists.range(3) == [0, 1, 2]",
    "self.l.slice(1, 2) == ['b'] && ['a', 'b', 'a'].distinct() == self.l",
    "'%s has %d, %.2f of %s and %x%%'.format([self.s, 3, 1.5, self.l, 255]) "
    "== 'x has 3, 1.50 of [a, b] and ff%'",
    "isSemver('1.2.3-rc.1+b') && !isSemver('v1.2') && isSemver('v1.2', true)",
    "semver('1.10.0').isGreaterThan(semver('1.9.9')) && semver('v2', true).major() == 2",
    "semver('1.0.0-alpha.1').isLessThan(semver('1.0.0-alpha.beta'))",
    "semver('1.0.0-rc.11').compareTo(semver('1.0.0')) == -1",
    "self.s == 'x' && 'sets.contains(' != 'sets_contains('",
]


@pytest.mark.parametrize("text", HOLDS)
def test_what_holds(text: str) -> None:
    assert Expression(text).evaluate({"self": {"l": ["a", "b"], "s": "x"}}) is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("self.l.slice(0, 3)", "cannot slice(0, 3), list is length 2"),
        ("'%s'.format([])", "index 0 out of range"),
        ("semver('01.2.3').major()", "no semantic version"),
    ],
)
def test_what_does_not(text: str, said: str) -> None:
    with pytest.raises(EvaluationError, match=said.replace("(", r"\(").replace(")", r"\)")):
        Expression(text).evaluate({"self": {"l": ["a", "b"]}})


def test_what_does_not_compile_is_told_as_it_was_written() -> None:
    with pytest.raises(BadExpression, match=r"sets\.contains\(self\.l >"):
        Expression("sets.contains(self.l >")
