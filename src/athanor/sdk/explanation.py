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

    def __str__(self) -> str:
        """All of it, line by line."""
        return "\n".join([f"{self.name} is {self.phase}: {self.headline}", *self.more()])

    def more(self) -> list[str]:
        """The lines below the first."""
        said = [f"  {fact}" for fact in self.facts]
        said += ["  last lines:", *(f"    {line}" for line in self.log)] if self.log else []
        return said + [f"  try: {hint}" for hint in self.hints]
