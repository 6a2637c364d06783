"""CEL's accessors of times, as the language's specification counts."""

from __future__ import annotations

import pytest

from athanor.local.apiserver.schema.cel import EvaluationError, Expression

AT = "timestamp('2026-01-04T23:30:15.250Z')"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"{AT}.getHours()", 23),
        (f"{AT}.getHours('Europe/Berlin')", 0),
        (f"{AT}.getHours('-08:30')", 15),
        (f"{AT}.getDayOfWeek()", 0),
        (f"{AT}.getDayOfWeek('Europe/Berlin')", 1),
        (f"{AT}.getMonth()", 0),
        (f"{AT}.getDate()", 4),
        (f"{AT}.getDayOfMonth()", 3),
        (f"{AT}.getDayOfYear()", 3),
        (f"{AT}.getFullYear()", 2026),
        (f"{AT}.getMinutes()", 30),
        (f"{AT}.getSeconds()", 15),
        (f"{AT}.getMilliseconds()", 250),
        ("duration('90m').getHours()", 1),
        ("duration('90m').getMinutes()", 90),
    ],
)
def test_parts_of_times(expression: str, value: int) -> None:
    assert Expression(expression).evaluate({}) == value


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(EvaluationError, match="unknown time zone Europe/Berln"):
        Expression(f"{AT}.getHours('Europe/Berln')").evaluate({})
