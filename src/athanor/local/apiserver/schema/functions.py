"""Functions that Kubernetes adds to CEL, as Python callables; see "CEL in Kubernetes".

A URL, a quantity, an address or a network travels through the engine as a map with one key of its
own, which expressions have no use for except through these functions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qs, urlsplit

from athanor.kit import quantity as quantities
from athanor.kit.patterns import find_all
from athanor.local.apiserver.schema import versions
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.formats import NO_QUANTITY
from athanor.local.apiserver.schema.lists import LISTS
from athanor.local.apiserver.schema.moments import MOMENTS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


# --- lists and strings ------------------------------------------------------------------------


def _is_sorted(items: list[Value]) -> bool:
    return all(not b < a for a, b in zip(items, items[1:], strict=False))


def _index_of(where: Value, what: Value, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return where.index(what) if what in where else -1


def _last_index_of(where: Value, what: Value, end: int | None = None) -> int:
    if isinstance(where, str):
        return where.rfind(what, 0, None if end is None else end + len(what))
    return len(where) - 1 - where[::-1].index(what) if what in where else -1


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        return list(text)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise ValueError(f"index out of range: {start}")
    return text[start:last]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError(f"index out of range: {index}")
    return text[index : index + 1]


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


def _find(text: str, pattern: str) -> str:
    found = find_all(pattern, text, 1)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    return find_all(pattern, text, limit)


# --- quantities -------------------------------------------------------------------------------


def _quantity(text: str) -> Value:
    try:
        return {"quantity": str(quantities.parse(text).nano)}
    except quantities.QuantityError:
        raise ValueError(NO_QUANTITY) from None


def _is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except quantities.QuantityError:
        return False
    return True


def _nano(value: Value) -> int:
    return int(value["quantity"])


def _compare(a: Value, b: Value) -> int:
    if "semver" in a:
        return versions.compare(a, b)
    if "quantity" not in a:
        raise TypeError("no such overload")
    return (_nano(a) > _nano(b)) - (_nano(a) < _nano(b))


def _add(a: Value, b: Value) -> Value:
    return {"quantity": str(_nano(a) + (b * quantities.NANO if isinstance(b, int) else _nano(b)))}


def _sub(a: Value, b: Value) -> Value:
    return {"quantity": str(_nano(a) - (b * quantities.NANO if isinstance(b, int) else _nano(b)))}


def _is_integer(a: Value) -> bool:
    return _nano(a) % quantities.NANO == 0


def _as_integer(a: Value) -> int:
    if not _is_integer(a):
        raise ValueError("cannot convert value to integer")
    return _nano(a) // quantities.NANO


# --- URLs, addresses, networks ----------------------------------------------------------------


def _parsed_url(text: str) -> SplitResult:
    parts = urlsplit(text)
    if not (parts.scheme and (parts.netloc or parts.path)) and not text.startswith("/"):
        raise ValueError(f"URL parse error during conversion from string: {text!r}")
    return parts


def _is(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _url(text: str) -> Value:
    _parsed_url(text)
    return {"url": text}


def _of_url(read: Callable[[SplitResult], Value]) -> Callable[[Value], Value]:
    def get(value: Value) -> Value:
        return read(urlsplit(value["url"]))

    return get


def _ip(text: str) -> Value:
    return {"ip": str(ipaddress.ip_address(text))}


def _address(value: Value) -> Address:
    return ipaddress.ip_address(value["ip"] if isinstance(value, dict) else value)


def _parsed_network(text: str) -> Network:
    if "/" not in text:
        raise ValueError(f"network address parse error during conversion from string: {text!r}")
    return ipaddress.ip_network(text, strict=False)


def _cidr(text: str) -> Value:
    _parsed_network(text)
    return {"cidr": text}


def _network(value: Value) -> Network:
    return _parsed_network(value["cidr"] if isinstance(value, dict) else value)


def _contains_ip(network: Value, address: Value) -> bool:
    return _address(address) in _network(network)


def _contains_cidr(outer: Value, inner: Value) -> bool:
    a, b = _network(outer), _network(inner)
    if isinstance(a, ipaddress.IPv4Network):
        return isinstance(b, ipaddress.IPv4Network) and b.subnet_of(a)
    return isinstance(b, ipaddress.IPv6Network) and b.subnet_of(a)


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "isSorted": _is_sorted,
    "sum": sum,
    "min": min,
    "max": max,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "charAt": _char_at,
    "trim": str.strip,
    "join": _join,
    "reverse": lambda text: text[::-1],
    "find": _find,
    "findAll": _find_all,
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "sign": lambda a: (_nano(a) > 0) - (_nano(a) < 0),
    "isInteger": _is_integer,
    "asInteger": _as_integer,
    "asApproximateFloat": lambda a: _nano(a) / quantities.NANO,
    "compareTo": _compare,
    "isGreaterThan": lambda a, b: _compare(a, b) > 0,
    "isLessThan": lambda a, b: _compare(a, b) < 0,
    "add": _add,
    "sub": _sub,
    "url": _url,
    "isURL": _is(_parsed_url),
    "getScheme": _of_url(lambda u: u.scheme),
    "getHost": _of_url(lambda u: u.netloc.rpartition("@")[2]),
    "getHostname": _of_url(lambda u: u.hostname or ""),
    "getPort": _of_url(lambda u: str(u.port) if u.port else ""),
    "getEscapedPath": _of_url(lambda u: u.path),
    "getQuery": _of_url(lambda u: parse_qs(u.query, keep_blank_values=True)),
    "ip": _ip,
    "isIP": _is(ipaddress.ip_address),
    "family": lambda a: _address(a).version,
    "isLoopback": lambda a: _address(a).is_loopback,
    "isUnspecified": lambda a: _address(a).is_unspecified,
    "isLinkLocalUnicast": lambda a: _address(a).is_link_local,
    "isGlobalUnicast": lambda a: (
        not (_address(a).is_loopback or _address(a).is_multicast or _address(a).is_unspecified)
    ),
    "cidr": _cidr,
    "isCIDR": _is(_parsed_network),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda c: _network(c).prefixlen,
    "masked": lambda c: {"cidr": str(_network(c))},
    **MOMENTS,
    **LISTS,
    **versions.VERSIONS,
}
"""Name → function; a method's receiver is its first argument."""
