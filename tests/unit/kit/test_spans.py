"""Lengths of time, read and shown."""

from __future__ import annotations

import pytest

from athanor.kit.spans import parse_span, show_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h30m", 9000), ("1d", 86400), ("1D2H", 93600)],
)
def test_spans_are_read(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5h", "5w", "m", "h2"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        parse_span(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0s"), (45.9, "45s"), (119, "119s"), (312, "5m12s"), (300, "5m"), (3599, "59m"),
        (12000, "3h20m"), (30000, "8h"), (187200, "2d4h"), (2592000, "30d"),
    ],
)  # fmt: skip
def test_spans_are_shown_as_kubectl_shows_ages(seconds: float, shown: str) -> None:
    assert show_span(seconds) == shown
