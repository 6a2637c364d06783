"""What `why` answers: a state, its reasons and what would help, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Explanation(Struct, frozen=True, kw_only=True):
    """What is, why, the evidence, and what would help."""

    name: str
    phase: str
    headline: str
    facts: Sequence[str] = ()
    log: Sequence[str] = ()
    hints: Sequence[str] = ()
