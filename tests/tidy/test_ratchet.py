"""What may only fall: escapes from the type checker and the linter.

When a number falls, lower it here; raising one needs a reason in the commit.
"""

from __future__ import annotations

import re

from tests.tidy.sources import sources

LIMITS = {
    r"\bAny\b": 370,
    r"# type: ignore": 5,
    r"# noqa": 13,
}


def test_escapes_do_not_grow() -> None:
    counts = {
        pattern: sum(len(re.findall(pattern, s.text)) for s in sources("src/"))
        for pattern in LIMITS
    }
    assert {p: n for p, n in counts.items() if n > LIMITS[p]} == {}
