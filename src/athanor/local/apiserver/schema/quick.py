"""The quick yes: most objects are right, and msgspec can say so in C.

A schema becomes a msgspec type for what such a type can say (shapes, types, bounds, enums, required
and unknown fields), and a remainder schema for the rest (patterns, formats, unique keys, junctors).
A value that passes both is valid; any other goes the slow way, which finds the words. The type is
never laxer than the slow way, so nothing wrong can pass here.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from functools import reduce
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.check import compile_check
from athanor.local.apiserver.schema.formats import FORMATS, QUANTITY, QUANTITY_PATTERN
from athanor.wire.status import Cause
from athanor.wire.types.catalog import OMITTED

Quick = Callable[[JSON], bool]

_INT32, _INT64 = 2**31, 2**63
_OPEN = (
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)  # fmt: skip
_EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")


def compile_quick(schema: JSON) -> Quick:
    """A function that says True for valid whole objects; False means: look closely."""
    wanted, rest = _Types().whole(schema)
    check = compile_check(rest, is_object=True) if rest else None
    convert, wrong = msgspec.convert, msgspec.ValidationError

    def holds(obj: JSON) -> bool:
        try:
            convert(obj, wanted)
        except wrong:
            return False
        if check is None:
            return True
        causes: list[Cause] = []
        check(obj, "", "", causes)
        return not causes

    return holds


class _Types:
    """Types of the schemas seen so far; the same sub-schema is often met many times."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[JSON, tuple[Any, JSON]]] = {}

    def whole(self, schema: JSON) -> tuple[Any, JSON]:
        """Type and remainder of a whole object, whose apiVersion and kind are checked elsewhere."""
        properties: JSON = dict(schema.get("properties") or {})
        properties |= {"apiVersion": {}, "kind": {}}
        properties.setdefault("metadata", {})
        return self.of({**schema, "type": "object", "properties": properties})

    def of(self, schema: JSON) -> tuple[Any, JSON]:
        """Type and remainder ({} when the type says all) of a schema."""
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = (schema, self._of(schema))
        return known[1]

    def _of(self, schema: JSON) -> tuple[Any, JSON]:
        named = schema.get("type")
        simple = _simple(schema)
        if simple is not None:
            return simple
        if any(schema.get(key) for key in _OPEN):
            return Any, schema
        if named == "string":
            wanted, rest = _string(schema)
        elif named in ("integer", "number"):
            wanted, rest = _number(schema, whole=named == "integer")
        elif named == "boolean":
            wanted, rest = bool, _left(schema, "enum")
        elif named == "array" and schema.get("items"):
            wanted, rest = self._array(schema)
        elif named == "object":
            wanted, rest = self._object(schema)
        else:
            return Any, schema
        rest |= _left(schema, *_JUNCTORS)
        if schema.get("nullable"):
            wanted = wanted | None
            if rest:
                rest["nullable"] = True
        return wanted, rest

    def _array(self, schema: JSON) -> tuple[Any, JSON]:
        item, below = self.of(schema["items"])
        rest = _left(
            schema, "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "uniqueItems", "enum"
        )
        if rest.get("x-kubernetes-list-type") == "atomic":
            del rest["x-kubernetes-list-type"]
        if below:
            rest["items"] = below
        return _sized(types.GenericAlias(list, (item,)), schema, "Items"), rest

    def _object(self, schema: JSON) -> tuple[Any, JSON]:
        properties: JSON = schema.get("properties") or {}
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict) and not properties and not schema.get("required"):
            value, below = self.of(additional)
            value = _not_null(value, additional)
            rest = _left(schema, "enum")
            if below:
                rest["additionalProperties"] = below
            return _sized(types.GenericAlias(dict, (str, value)), schema, "Properties"), rest
        if additional or not properties:
            return Any, schema
        needed = set(schema.get("required") or ())
        rest = _left(schema, "enum", "minProperties", "maxProperties")
        fields: list[tuple[str, Any, Any]] = []
        deeper: JSON = {}
        for number, (name, sub) in enumerate(properties.items()):
            wanted, below = self.of(sub)
            if sub.get(OMITTED):
                wanted, below = _saying(wanted, below, sub)
            if below:
                deeper[name] = below
            place = msgspec.field(name=name)
            wanted = _not_null(wanted, sub)
            if name not in needed:
                wanted = wanted if wanted is Any else wanted | UnsetType
                place = msgspec.field(name=name, default=UNSET)
            fields.append((f"f{number}", wanted, place))
        if deeper:
            rest["properties"] = deeper
        if strange := [name for name in needed if name not in properties]:
            rest["required"] = strange
        made = msgspec.defstruct(
            "Known", fields, kw_only=True, forbid_unknown_fields=True, gc=False
        )
        return made, rest


def _saying(wanted: Any, rest: JSON, schema: JSON) -> tuple[Any, JSON]:
    """Type and remainder of a field that says something: what says nothing is left out."""
    if schema.get("type") == "boolean":
        return wanted, {**rest, "enum": [True]}
    if schema.get("type") in ("integer", "number"):
        return _number({**schema, "minimum": 1}, whole=schema["type"] == "integer")
    words = [word for word in schema.get("enum") or () if word]
    if words:
        return reduce(operator.or_, [Literal[word] for word in words]), rest
    return Annotated[wanted, Meta(min_length=1)], rest


_ANYTHING = bool | int | float | str | list[object] | dict[str, object]


def _not_null(wanted: object, schema: JSON) -> object:
    """The type for a field: a null where none may be is dropped, which is not for here."""
    return _ANYTHING if wanted is Any and not schema.get("nullable") else wanted


_SIMPLE = {"string": str, "number": float, "boolean": bool, "integer": int}
_IGNORED = frozenset(("description", "default", "format", "title"))


def _simple(schema: JSON) -> tuple[Any, JSON] | None:
    """Either of two plain types: an int-or-string, a quantity."""
    said = {key: value for key, value in schema.items() if key not in _IGNORED}
    if said.pop("x-kubernetes-int-or-string", False):
        for key in ("anyOf", "type"):
            said.pop(key, None)
        if said:
            return None
        return (int | str, {}) if schema.get("format") not in FORMATS else None
    choices = said.pop("oneOf", None)
    if said or not choices or any(list(choice) != ["type"] for choice in choices):
        return None
    names = [choice["type"] for choice in choices]
    if sorted(names) != ["number", "string"]:
        return None
    if schema.get("format") == QUANTITY:
        return Annotated[str, Meta(pattern=QUANTITY_PATTERN)] | float, {}
    return str | float, _left(schema, "format") if schema.get("format") in FORMATS else {}


def _left(schema: JSON, *keys: str) -> JSON:
    return {key: schema[key] for key in keys if schema.get(key) is not None}


def _sized(wanted: Any, schema: JSON, what: str) -> Any:
    fewest, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if not fewest and most is None:
        return wanted
    return Annotated[wanted, Meta(min_length=fewest or 0, max_length=most)]


def _string(schema: JSON) -> tuple[Any, JSON]:
    rest = _left(schema, "pattern")
    if schema.get("format") in FORMATS:
        rest["format"] = schema["format"]
    allowed = schema.get("enum")
    if allowed and all(type(value) is str for value in allowed):
        rest |= _left(schema, "minLength", "maxLength")
        return reduce(operator.or_, [Literal[value] for value in allowed]), rest
    rest |= _left(schema, "enum")
    return _sized(str, schema, "Length"), rest


def _number(schema: JSON, *, whole: bool) -> tuple[Any, JSON]:
    rest = _left(schema, "multipleOf", "enum")
    if not whole:
        return float, rest | _left(schema, "minimum", "maximum", *_EXCLUSIVE)
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = (bool(schema.get(key)) for key in _EXCLUSIVE)
    bound = _INT32 if schema.get("format") == "int32" else _INT64
    least = -bound if low is None else int(max(-bound, low + 1 if above else low))
    most = bound - 1 if high is None else int(min(bound - 1, high - 1 if below else high))
    if any(limit is not None and limit % 1 for limit in (low, high)):
        return Any, schema
    return Annotated[int, Meta(ge=least, le=most)], rest
