"""CEL's functions of lists and sets, and `format`; see cel-go's extensions.

The engine knows no functions in a namespace: `sets.contains(` is compiled as `sets_contains(`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from athanor.local.apiserver.schema.causes import Value

MOST = 100_000
"""Elements that `lists.range` makes at most; Kubernetes' cost limit refuses fewer."""


def _slice(items: list[Value], start: int, end: int) -> list[Value]:
    head = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise ValueError(f"{head}, negative indexes not supported")
    if start > end:
        raise ValueError(f"{head}, start index must be less than or equal to end index")
    if end > len(items):
        raise ValueError(f"{head}, list is length {len(items)}")
    return items[start:end]


def _distinct(items: list[Value]) -> list[Value]:
    return [item for place, item in enumerate(items) if item not in items[:place]]


def _range(count: int) -> list[int]:
    if count > MOST:
        raise ValueError(f"lists.range({count}) is longer than {MOST}")
    return list(range(count))


def _contains(outer: list[Value], inner: list[Value]) -> bool:
    return all(item in outer for item in inner)


def _intersects(a: list[Value], b: list[Value]) -> bool:
    return any(item in b for item in a)


def _equivalent(a: list[Value], b: list[Value]) -> bool:
    return _contains(a, b) and _contains(b, a)


_CLAUSE = re.compile(r"%(?:\.(\d+))?([a-zA-Z%])")


def _format(text: str, args: list[Value]) -> str:
    """The text with `%s`, `%d`, `%f`, `%e`, `%b`, `%o`, `%x` and `%X` filled in."""
    left = iter(args)
    return _CLAUSE.sub(lambda found: _filled(found[2], found[1], left, len(args)), text)


def _filled(clause: str, precision: str | None, left: Iterator[Value], count: int) -> str:
    if clause == "%":
        return "%"
    if clause not in "sdfeboxX":
        raise ValueError(
            f'could not parse formatting clause: unrecognized formatting clause "{clause}"'
        )
    try:
        value = next(left)
    except StopIteration:
        raise ValueError(f"index {count} out of range") from None
    if clause == "s":
        return _shown(value)
    if clause in "fe":
        return f"{float(value):.{precision or 6}{clause}}"
    if clause in "xX" and isinstance(value, str | bytes):
        digits = (value.encode() if isinstance(value, str) else value).hex()
        return digits.upper() if clause == "X" else digits
    return f"{int(value):{clause}}"


def _shown(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case bytes():
            return value.decode(errors="replace")
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case dict():
            pairs = sorted((_shown(key), _shown(inner)) for key, inner in value.items())
            return "{" + ", ".join(f"{key}: {inner}" for key, inner in pairs) + "}"
    return str(value)


LISTS: Mapping[str, Callable[..., Value]] = {
    "slice": _slice,
    "distinct": _distinct,
    "format": _format,
    "lists_range": _range,
    "sets_contains": _contains,
    "sets_intersects": _intersects,
    "sets_equivalent": _equivalent,
}

_NAMESPACED = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])(lists|sets)\.(\w+)(?=\s*\()"""
)


def plain(text: str) -> str:
    """An expression whose namespaced functions have plain names, as long as before."""
    return _NAMESPACED.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    name = f"{found[2]}_{found[3]}"
    return name if not found[1] and name in LISTS else found[0]
