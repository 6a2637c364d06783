"""Kubernetes quantities, exactly: "500m", "1.5Gi", "1e3" to integers and back.

A quantity is kept as whole nano-units (Kubernetes rounds anything finer up) and the form it was
written in, which decides the suffix it is written with. Rules: the Kubernetes API reference,
"Quantity"; converting to coarser units always rounds up, as Kubernetes does.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Form = Literal["decimal", "binary", "exponent"]

NANO = 10**9
_MAX = (2**63 - 1) * NANO
_FAST_DIGITS = 18  # numbers this short are not capped when written with a decimal suffix

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY_NAMES = {power // 10: name for name, power in _BINARY.items()}

_PATTERN = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,9}))?"
)


class QuantityError(ValueError):
    """The text is no Kubernetes quantity."""


class Quantity(NamedTuple):
    """An amount in nano-units, and the form it is written in."""

    nano: int
    form: Form = "decimal"

    def milli(self) -> int:
        """Whole thousandths, rounded up (away from zero)."""
        return _up(self.nano, 10**6)

    def whole(self) -> int:
        """Whole units, rounded up (away from zero)."""
        return _up(self.nano, NANO)

    def __str__(self) -> str:
        """The canonical text: no fraction, the largest suffix that loses nothing."""
        nano, form = self
        if nano == 0:
            return "0"
        if form == "binary" and abs(nano) >= 1024 * NANO and nano % NANO == 0:
            number, power = nano // NANO, 0
            while number % 1024 == 0 and power < 6:
                number, power = number // 1024, power + 1
            return f"{number}{_BINARY_NAMES.get(power, '')}"
        number, exponent = nano, -9
        while number % 1000 == 0 and (form == "exponent" or exponent < 18):
            number, exponent = number // 1000, exponent + 3
        if form == "exponent":
            return f"{number}e{exponent}" if exponent else str(number)
        return f"{number}{_DECIMAL_NAMES[exponent]}"


def parse(text: str | int) -> Quantity:
    """The quantity that `text`, or a plain number, says.

    Raises QuantityError, whose message quotes the text.
    """
    text = str(text)
    found = _PATTERN.fullmatch(text)
    if found is None or not (found["whole"] or found["part"]):
        raise QuantityError(
            f"{text!r} is no quantity: a number with an optional suffix such as m, k, Mi, Gi or e3"
        )
    digits = (found["whole"] or "") + (found["part"] or "")
    places = len(found["part"] or "")
    suffix, written = found["suffix"], found["exponent"]
    form: Form = "binary" if suffix in _BINARY else "exponent" if written else "decimal"
    exponent = int(written) if written else _DECIMAL.get(suffix or "", 0)
    if exponent > 40 or exponent < -40 - len(digits):
        exponent = 40 if exponent > 0 else -40 - len(digits)  # beyond every cap either way
    factor = 2 ** _BINARY[suffix] if form == "binary" else 1
    power = exponent - places + 9
    number = int(digits) * factor
    nano = number * 10**power if power >= 0 else _up(number, 10**-power)
    short = form != "binary" and len(digits) <= _FAST_DIGITS and power >= 0
    if nano > _MAX and not short:
        nano = _MAX
    if form == "binary" and nano < NANO:
        form = "decimal"
    return Quantity(-nano if found["sign"] == "-" else nano, form)


def milli(text: str | int) -> int:
    """Thousandths of a unit, rounded up: `milli("0.5") == 500`. Raises QuantityError."""
    return parse(text).milli()


def whole(text: str | int) -> int:
    """Whole units (bytes, devices), rounded up: `whole("1Ki") == 1024`. Raises QuantityError."""
    return parse(text).whole()


def canonical(text: str | int) -> str:
    """The text as Kubernetes itself would write it. Raises QuantityError."""
    return str(parse(text))


def from_milli(amount: int) -> str:
    """`from_milli(1500) == "1500m"`: an amount of thousandths as text."""
    return str(Quantity(amount * 10**6))


def from_whole(amount: int, *, binary: bool = False) -> str:
    """An amount of whole units as text; `binary` writes Ki, Mi, Gi where nothing is lost."""
    return str(Quantity(amount * NANO, "binary" if binary else "decimal"))


def _up(number: int, unit: int) -> int:
    return -(-number // unit) if number >= 0 else number // unit
