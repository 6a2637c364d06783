"""Where our server's answers differ from a real Kubernetes', as data: declared, or a failure.

`differences.yaml` has one entry a step of a scenario: what must be seen of our answer (as `see` of
a scenario) where it differs, and nowhere else may it; and why: the `what` of an entry in
`athanor.local.apiserver.refusals`, which the docs list. Anything else fails.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, convert

FILE = Path(__file__).parent / "differences.yaml"


class Difference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer that differs: of which scenario, in which step (from 1), how, and why."""

    scenario: str
    step: int
    ours: Any
    why: str


@cache
def declared() -> tuple[Difference, ...]:
    """All of them."""
    found = yaml.load(FILE.read_text(), Loader=yaml.CSafeLoader) if FILE.exists() else []
    return tuple(convert(entry, Difference) for entry in found)
