"""Names and identities from dice, as an argument: whoever needs them takes an `Ids`."""

from __future__ import annotations

import random
import uuid
from typing import Protocol

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' alphabet: no vowels, no lookalikes


class Ids(Protocol):
    """Where uids and name suffixes come from."""

    def uid(self) -> str:
        """A new object's identity, a UUID."""

    def suffix(self) -> str:
        """Five characters for `generateName`."""


class RandomIds:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._dice = random.SystemRandom()

    def uid(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())

    def suffix(self) -> str:
        """Five random characters."""
        return "".join(self._dice.choices(_SUFFIX, k=5))


class SeededIds:
    """The same ids for the same seed, for simulations and golden scripts."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)

    def uid(self) -> str:
        """The next UUID of the seed."""
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def suffix(self) -> str:
        """The next five characters of the seed."""
        return "".join(self._dice.choices(_SUFFIX, k=5))
