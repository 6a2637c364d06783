"""What all patches need to know about JSON values: equality without Python's surprises."""

from __future__ import annotations

from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A decoded JSON value: None, bool, int, float, str, list, dict."""


def same(left: Value, right: Value) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true does not equal 1."""
    if left is right:
        return True
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same(value, right[key]) for key, value in left.items())
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return bool(left == right)


def without_nulls(value: Value) -> Value:
    """A copy of the value whose objects, at any depth, have no null members."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def type_name(value: Value) -> str:
    """The JSON type, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
