"""JSON patch (RFC 6902) with the dialect of a Kubernetes API server.

The dialect: `replace` also adds a missing member, a missing `value` is null, so is what is copied
and not there, negative list indices count from the end, and what stands before a path's first slash
is passed over. What the RFC and the server both refuse is refused here with a message
that names the operation.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from athanor.api.meta import JSON
from athanor.wire.patch.values import Value, same, type_name
from athanor.wire.status import ApiError

MAX_OPERATIONS = 10_000
MAX_COPIED = 3 << 20
"""Bytes that `copy` operations of one patch may add up to."""


def json_patch(doc: JSON, operations: Value) -> JSON:
    """The document after the operations, in order; none is applied when one fails.

    Raises BadRequest for what is no list of operations, Invalid for one that cannot be applied.
    """
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise ApiError(
            "BadRequest",
            "error decoding patch: a JSON patch is a list of operations, each an object, not "
            + (type_name(operations) if not isinstance(operations, list) else "a list of others"),
        )
    if len(operations) > MAX_OPERATIONS:
        raise ApiError(
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got "
            f"{len(operations)}",
        )
    run = _Run(doc)
    for number, operation in enumerate(operations):
        try:
            run.apply(operation)
        except _Wrong as wrong:
            said = f"{operation.get('op')} {operation.get('path')}"
            raise ApiError("Invalid", f"JSON patch operation {number} ({said}): {wrong}") from None
    if not isinstance(run.doc, dict):
        raise ApiError("Invalid", f"the JSON patch turns the object into {type_name(run.doc)}")
    return run.doc


class _Wrong(Exception):
    """The operation cannot be applied; the message says why."""


class _Run:
    """The document so far. Every operation makes new containers along its path only."""

    def __init__(self, doc: JSON) -> None:
        self.doc: Value = doc
        self._copied = 0

    def apply(self, operation: JSON) -> None:
        """Apply one operation. Raises _Wrong."""
        path = _pointer(operation, "path")
        value = operation.get("value")
        match operation.get("op"):
            case "add":
                self.doc = _change(self.doc, path, lambda box, key: _add(box, key, value))
            case "replace":
                self.doc = _change(self.doc, path, lambda box, key: _replace(box, key, value))
            case "remove":
                self._remove(path)
            case "test":
                self._test(path, value)
            case "move":
                source = _pointer(operation, "from")
                if path[: len(source)] == source and len(path) > len(source):
                    raise _Wrong("a value cannot be moved into itself")
                moved = _read(self.doc, source)
                self._remove(source)
                self.doc = _change(self.doc, path, lambda box, key: _add(box, key, moved))
            case "copy":
                copied = self._found(_pointer(operation, "from"))
                self._count(copied)
                self.doc = _change(self.doc, path, lambda box, key: _add(box, key, copied))
            case other:
                raise _Wrong(
                    f"unknown operation {other!r}: use add, remove, replace, move, copy or test"
                )

    def _found(self, path: list[str]) -> Value:
        """What is copied; null where nothing is."""
        box = _read(self.doc, path[:-1])
        if isinstance(box, dict) and path and path[-1] not in box:
            return None
        return _read(self.doc, path)

    def _remove(self, path: list[str]) -> None:
        if not path:
            raise _Wrong("the whole object cannot be removed")
        self.doc = _change(self.doc, path, _drop)

    def _test(self, path: list[str], value: Value) -> None:
        try:
            found = _read(self.doc, path)
        except _Wrong:
            if value is not None:
                raise
            box = _read(self.doc, path[:-1])  # nothing may be at the end of a path, not on the way
            if not isinstance(box, dict | list):
                raise
            return
        if not same(found, value):
            raise _Wrong("the value is another one: test failed")

    def _count(self, value: Value) -> None:
        self._copied += len(msgspec.json.encode(value))
        if self._copied > MAX_COPIED:
            raise _Wrong(f"copies add up to more than {MAX_COPIED} bytes")


def _pointer(operation: JSON, member: str) -> list[str]:
    text = operation.get(member)
    if not isinstance(text, str):
        raise _Wrong(f"{member!r} is missing or no string")
    if text == "":
        return []
    _, slash, rest = text.partition("/")
    if not slash:
        raise _Wrong(f"{member!r} {text!r} does not start with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in rest.split("/")]


def _index(box: list[Value], key: str, last: int) -> int:
    """The place `key` names in a list, at most `last`; negative counts from the end."""
    try:
        at = int(key)
    except ValueError:
        raise _Wrong(f"{key!r} is no index of a list") from None
    if at < 0:
        at += last + 1
    if not 0 <= at <= last:
        raise _Wrong(f"index {key} is out of the list's range of {len(box)}")
    return at


def _read(value: Value, path: list[str]) -> Value:
    for key in path:
        if isinstance(value, dict):
            if key not in value:
                raise _Wrong(f"there is no {key!r}")
            value = value[key]
        elif isinstance(value, list):
            value = value[_index(value, key, len(value) - 1)]
        else:
            raise _Wrong(f"{key!r} is looked for in {type_name(value)}")
    return value


_Leaf = Callable[[Value, str], None]


def _change(value: Value, path: list[str], leaf: _Leaf) -> Value:
    """A copy of `value` in which `leaf` changed the last container of the path."""
    if not path:
        box: dict[str, Value] = {"": value}
        leaf(box, "")
        return box[""]
    key, *rest = path
    if isinstance(value, dict):
        if rest and key not in value:
            raise _Wrong(f"there is no {key!r}")
        copied: Value = dict(value)
    elif isinstance(value, list):
        copied = list(value)
    else:
        raise _Wrong(f"{key!r} is looked for in {type_name(value)}")
    if not rest:
        leaf(copied, key)
    elif isinstance(copied, dict):
        copied[key] = _change(copied[key], rest, leaf)
    else:
        at = _index(copied, key, len(copied) - 1)
        copied[at] = _change(copied[at], rest, leaf)
    return copied


def _add(box: Value, key: str, value: Value) -> None:
    if isinstance(box, dict):
        box[key] = value
    elif key == "-":
        box.append(value)
    else:
        box.insert(_index(box, key, len(box)), value)


def _replace(box: Value, key: str, value: Value) -> None:
    if isinstance(box, dict):
        box[key] = value
    else:
        box[_index(box, key, len(box) - 1)] = value


def _drop(box: Value, key: str) -> None:
    if isinstance(box, list):
        del box[_index(box, key, len(box) - 1)]
    elif key in box:
        del box[key]
    else:
        raise _Wrong(f"there is no {key!r}")
