"""Conditions: what holds, what does not, what is no condition."""

from __future__ import annotations

import pytest

from athanor.kit.condition import BadCondition, check, holds

KNOWN = {
    "steps.a.phase": "Succeeded", "steps.a.metrics.loss": 0.25, "parameters.env": "prod",
    "parameters.dry": False, "steps.b.metrics.none": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('steps.a.phase == "Succeeded" && steps.a.metrics.loss < 0.5', True),
        ("parameters.env in ['prod', 'test'] || parameters.dry", True),
        ("!(parameters.dry || false) && true", True),
        ("parameters.env != 'prod'", False),
        ("'abc' < 'abd' && 2 >= 2 && -1.5e0 <= 0", True),
        ("steps.b.metrics.none == null", True),
        ("3 in [1, 2]", False),
        ("!true || !false && 1 > 2", False),
    ],
)
def test_what_holds(text: str, value: bool) -> None:
    assert holds(text, KNOWN.__getitem__) is value


def test_the_names_of_a_condition() -> None:
    assert check("a.b == 1 && (c.d < 2 || !e.f)") == ["a.b", "c.d", "e.f"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the end is unexpected"),
        ("a.b ==", "the end is unexpected"),
        ("a.b === 1", "unexpected"),
        ("__import__('os')", "'\\(' is unexpected"),
        ("a.b; c.d", "';.*' is unexpected"),
        ("(a.b", "the end is unexpected"),
        ("x" * 2000, "longer than"),
    ],
)
def test_what_is_no_condition(text: str, said: str) -> None:
    with pytest.raises(BadCondition, match=said):
        check(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters.env", "not true or false"),
        ("parameters.env < 3", "makes no sense"),
        ("1 in 2", "comes a list"),
        ("parameters.env && true", "is not true or false"),
    ],
)
def test_what_cannot_be_told(text: str, said: str) -> None:
    with pytest.raises(BadCondition, match=said):
        holds(text, KNOWN.__getitem__)
