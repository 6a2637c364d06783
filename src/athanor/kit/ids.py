"""Names and identities from dice, as an argument: whoever needs them takes an `Ids`."""

from __future__ import annotations

import random
import uuid
from typing import Protocol

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' alphabet: no vowels, no lookalikes
_PAIRS = [one + other for one in _SUFFIX for other in _SUFFIX]
_SQUARE = len(_PAIRS)

_UUID_FIXED = 0xF000_C000_0000_0000_0000
"""The bits of a UUID that say its version and variant."""
_UUID_MARKS = 0x4000_8000_0000_0000_0000


class Ids(Protocol):
    """Where uids and name suffixes come from."""

    def uid(self) -> str:
        """A new object's identity, a UUID."""

    def suffix(self) -> str:
        """Five characters for `generateName`."""


class RandomIds:
    """Dice seeded from the operating system's randomness: names are unique, not secret."""

    def __init__(self) -> None:
        self._dice = random.Random(random.SystemRandom().getrandbits(256))

    def uid(self) -> str:
        """A random UUID (version 4), written by hand: thousands are made a second."""
        bits = self._dice.getrandbits(128)
        text = f"{bits & ~_UUID_FIXED | _UUID_MARKS:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def suffix(self) -> str:
        """Five random characters."""
        number, first = divmod(self._dice.getrandbits(40), _SQUARE)
        number, second = divmod(number, _SQUARE)
        return _PAIRS[first] + _PAIRS[second] + _SUFFIX[number % len(_SUFFIX)]


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
