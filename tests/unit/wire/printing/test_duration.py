"""Ages are as short as kubectl prints them."""

from __future__ import annotations

import pytest

from athanor.wire.printing.duration import human, since


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
