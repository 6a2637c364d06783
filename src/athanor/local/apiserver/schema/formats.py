"""String formats that a schema can ask for; unknown formats are ignored, as Kubernetes does.

The list is that of the CRD documentation: k8s.io/docs, "Specifying a structural schema".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from athanor.kit.patterns import matcher
from athanor.kit.quantity import QuantityError, parse
from athanor.kit.times import parse_rfc3339

_HEX = "[0-9a-fA-F]"
_DNS_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_PATTERNS = {
    "bsonobjectid": f"^{_HEX}{{24}}$",
    "uuid": f"^{_HEX}{{8}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{12}}$",
    "uuid3": f"^{_HEX}{{8}}-?{_HEX}{{4}}-?3{_HEX}{{3}}-?{_HEX}{{4}}-?{_HEX}{{12}}$",
    "uuid4": f"^{_HEX}{{8}}-?{_HEX}{{4}}-?4{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}$",
    "uuid5": f"^{_HEX}{{8}}-?{_HEX}{{4}}-?5{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}$",
    "email": r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)*$",
    "hostname": r"^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
    r"(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?$",
    "mac": f"^({_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}$",
    "hexcolor": f"^#?({_HEX}{{3}}|{_HEX}{{6}})$",
    "rgbcolor": r"^rgb\(\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})\s*\)$",
    "ssn": r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$",
    "creditcard": r"^[0-9]{13,16}$",
    "isbn": r"^([0-9][- ]?){9}[0-9X]$|^([0-9][- ]?){12}[0-9]$",
    "isbn10": r"^([0-9][- ]?){9}[0-9X]$",
    "isbn13": r"^([0-9][- ]?){12}[0-9]$",
    "duration": r"^[-+]?(0|([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h|d|w))+)$",
    "uri": r"^([a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+|/[^\s]*)$",
    "k8s-short-name": f"^{_DNS_LABEL}$",
    "k8s-long-name": rf"^{_DNS_LABEL}(\.{_DNS_LABEL})*$",
}


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _date_time(text: str) -> float:
    if len(text) < 20 or text[10] not in "Tt ":
        raise ValueError(text)
    return parse_rfc3339(text)


def _cidr(text: str) -> object:
    if "/" not in text:
        raise ValueError(text)
    return ipaddress.ip_network(text, strict=False)


@lru_cache(maxsize=4096)
def _is_quantity(text: str) -> bool:
    try:
        parse(text)
    except QuantityError:
        return False
    return True


QUANTITY, MICRO_TIME = "athanor.dev/quantity", "athanor.dev/micro-time"
"""Formats of built-in kinds' fields that must be decoded; no definition can name them."""
QUANTITY_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,9})?\Z"
"""A quantity as a regular expression: what `athanor.kit.quantity` parses."""
NO_QUANTITY = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
DECODED = {QUANTITY: NO_QUANTITY, MICRO_TIME: "must be a time with six digits after the second"}
"""What is said of a text that does not have one of these formats."""
FORMATS: dict[str, Callable[[str], bool]] = {
    **{name: matcher(pattern) for name, pattern in _PATTERNS.items()},
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(_cidr),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "date": _parses(date.fromisoformat),
    "date-time": _parses(_date_time),
    "datetime": _parses(_date_time),
    QUANTITY: _is_quantity,
    MICRO_TIME: matcher(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d\.\d{6}([Zz]|[-+]\d\d:\d\d)$"),
}
"""Format name → whether a text has it."""
