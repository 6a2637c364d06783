"""What the schema of a CustomResourceDefinition may say: it must be structural.

After Kubernetes' apiextensions (`apiserver/schema`, "Specifying a structural schema").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from athanor.api.meta import JSON
from athanor.kit.patterns import BadPattern, matcher
from athanor.local.apiserver import crd_rules, errors
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.check import compile_check
from athanor.local.apiserver.schema.prune import compile_pruner
from athanor.wire.status import Cause

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_STRUCTURAL = "must be empty to be structural"
_NOT_IN_JUNCTORS = ("type", "default", "nullable", "additionalProperties", "description", "title")
_JUNCTORS = ("allOf", "anyOf", "oneOf")


def check(schema: JSON, field: str) -> Iterator[Cause]:
    """What is wrong with the schema of a whole object."""
    kind = schema.get("type")
    if not kind:
        yield errors.required(f"{field}.type", "must not be empty at the root")
    elif kind != "object":
        yield errors.wrong(f"{field}.type", kind, "must be object at the root")
    metadata = _dict(_dict(schema.get("properties")).get("metadata"))
    if set(_dict(metadata.get("properties"))) - {"name", "generateName"}:
        yield errors.not_allowed(
            f"{field}.properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified",
        )
    for name in ("kind", "apiVersion"):
        sub = _dict(schema.get("properties")).get(name)
        if isinstance(sub, dict) and sub.get("type") != "string":
            at = f"{field}.properties[{name}].type"
            yield errors.wrong(at, sub.get("type") or "", "must be string")
    default = schema.get("default")
    if isinstance(default, dict):
        for name in ("apiVersion", "kind"):
            if not default.get(name):
                yield errors.required(f"{field}.default.{name}")
    yield from _incomplete(schema, field)
    yield from _schema(schema, field)


def _incomplete(schema: JSON, field: str) -> Iterator[Cause]:
    """Properties that only a junctor at the root knows; further inside nobody looks."""
    known = _dict(schema.get("properties"))
    for junctor in (*_JUNCTORS, "not"):
        parts = schema.get(junctor)
        for index, part in enumerate(_list(parts) if junctor != "not" else [parts]):
            at = f"{field}.{junctor}" if junctor == "not" else f"{field}.{junctor}[{index}]"
            for name in _dict(_dict(part).get("properties")):
                if name not in known:
                    detail = f"because it is defined in {at}.properties[{name}]"
                    yield errors.required(f"{field}.properties[{name}]", detail)


_WORDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        (
            "maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties",
        ),
        (int,),
    ),
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), (int, float)),
    **dict.fromkeys(
        ("type", "format", "pattern", "description", "title", "x-kubernetes-list-type",
         "x-kubernetes-map-type"),
        (str,),
    ),
    **dict.fromkeys(
        ("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum",
         "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string",
         "x-kubernetes-embedded-resource"),
        (bool,),
    ),
    **dict.fromkeys(
        ("enum", "required", "x-kubernetes-list-map-keys", "x-kubernetes-validations", "allOf",
         "anyOf", "oneOf"),
        (list,),
    ),
    **dict.fromkeys(("properties", "not"), (dict,)),
    "items": (dict, list),
    "additionalProperties": (dict, bool),
}  # fmt: skip


def _mistyped(schema: JSON, field: str) -> None:
    """Raises BadRequest, as a decoder would, for a word of the schema with a wrong value."""
    for word, types in _WORDS.items():
        value = schema.get(word)
        items = value if word in ("required", "x-kubernetes-list-map-keys") else ()
        wrong_item = isinstance(items, list) and not all(isinstance(i, str) for i in items)
        if value is not None and (type(value) not in types or wrong_item):
            raise errors.bad(
                'CustomResourceDefinition in version "v1" cannot be handled as a '
                f"CustomResourceDefinition: {field}.{word}: cannot be {errors.shown(value)}"
            )
    subs = schema.get("properties") or {}
    if bad := next((name for name, sub in subs.items() if not isinstance(sub, dict)), ""):
        raise errors.bad(
            'CustomResourceDefinition in version "v1" cannot be handled as a '
            f"CustomResourceDefinition: {field}.properties[{bad}]: must be an object"
        )


def _schema(schema: JSON, field: str) -> Iterator[Cause]:
    _mistyped(schema, field)
    yield from _kind(schema, field)
    yield from _forbidden(schema, field)
    yield from _lists(schema, field)
    yield from _values(schema, field)
    yield from crd_rules.check(schema, field)
    for junctor in _JUNCTORS:
        for index, part in enumerate(_list(schema.get(junctor))):
            yield from _junctor(_dict(part), f"{field}.{junctor}[{index}]", schema)
    if isinstance(schema.get("not"), dict):
        yield from _junctor(schema["not"], f"{field}.not", schema)
    for name, sub in _dict(schema.get("properties")).items():
        where = f"{field}.properties[{name}]"
        if isinstance(sub, dict):
            yield from _typed(sub, where, "must not be empty for specified object fields")
            yield from _schema(sub, where)
    items, others = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        yield from _typed(items, f"{field}.items", "must not be empty for specified array items")
        yield from _schema(items, f"{field}.items")
    if isinstance(others, dict):
        where = f"{field}.additionalProperties"
        yield from _typed(others, where, "must not be empty for specified object fields")
        yield from _schema(others, where)


def _typed(schema: JSON, field: str, detail: str) -> Iterator[Cause]:
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if not schema.get("type") and not free:
        yield errors.required(f"{field}.type", detail)


def _kind(schema: JSON, field: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if kind and kind not in TYPES:
        yield errors.unsupported(f"{field}.type", kind, TYPES)
    if schema.get("x-kubernetes-embedded-resource"):
        if not schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("properties"):
            detail = "must not be empty if x-kubernetes-embedded-resource is true without "
            at = f"{field}.properties"
            yield errors.required(at, f"{detail}x-kubernetes-preserve-unknown-fields")
        if kind != "object":
            detail = "must be object if x-kubernetes-embedded-resource is true"
            yield errors.wrong(f"{field}.type", kind or "", detail)
    if kind == "array" and not schema.get("items"):
        yield errors.required(f"{field}.items", "must be specified")


def _forbidden(schema: JSON, field: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        word = f"{field}.x-kubernetes-preserve-unknown-fields"
        yield errors.wrong(word, False, "must be true or undefined")
    mapped = schema.get("x-kubernetes-map-type")
    if mapped is not None and schema.get("type") != "object":
        detail = "must be object if x-kubernetes-map-type is specified"
        yield errors.wrong(f"{field}.type", schema.get("type", ""), detail)
    if mapped not in (None, "granular", "atomic"):
        word = f"{field}.x-kubernetes-map-type"
        yield errors.unsupported(word, mapped, ["atomic", "granular"])
    if schema.get("$ref"):
        yield errors.not_allowed(f"{field}.$ref", "$ref is not supported")
    if schema.get("uniqueItems") is True:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield errors.not_allowed(f"{field}.uniqueItems", detail)
    if schema.get("additionalProperties") and schema.get("properties"):
        detail = "additionalProperties and properties are mutual exclusive"
        yield errors.not_allowed(f"{field}.additionalProperties", detail)
    if isinstance(schema.get("items"), list):
        detail = "items must be a schema object and not an array"
        yield errors.not_allowed(f"{field}.items", detail)
    for word in ("definitions", "dependencies", "patternProperties", "additionalItems"):
        if schema.get(word):
            yield errors.not_allowed(f"{field}.{word}", f"{word} is not supported")


def _junctor(part: JSON, field: str, outer: JSON) -> Iterator[Cause]:
    own = outer.get("x-kubernetes-int-or-string") and set(part) == {"type"}
    for word in () if own else _NOT_IN_JUNCTORS:
        if part.get(word):
            yield errors.not_allowed(f"{field}.{word}", _STRUCTURAL)
    yield from _pattern(part, field)
    known = _dict(outer.get("properties"))
    for name, sub in _dict(part.get("properties")).items():
        where = f"{field}.properties[{name}]"
        if isinstance(sub, dict):
            yield from _junctor(sub, where, _dict(known.get(name)))
    for junctor in _JUNCTORS:
        for index, deeper in enumerate(_list(part.get(junctor))):
            yield from _junctor(_dict(deeper), f"{field}.{junctor}[{index}]", outer)


def _lists(schema: JSON, field: str) -> Iterator[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    at = f"{field}.x-kubernetes-list-type"
    detail = "must be map if x-kubernetes-list-map-keys is non-empty"
    if schema.get("x-kubernetes-list-map-keys") and kind != "map":
        yield errors.wrong(at, kind, detail) if kind else errors.required(at, detail)
    if kind is None:
        return
    if kind not in ("atomic", "set", "map"):
        yield errors.unsupported(at, kind, ["atomic", "set", "map"])
    if schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        yield errors.wrong(f"{field}.type", schema.get("type", ""), detail)
    items = _dict(schema.get("items"))
    keys = _list(schema.get("x-kubernetes-list-map-keys"))
    if kind == "map":
        if not keys:
            at, detail = "x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type"
            yield errors.required(f"{field}.{at}", f"{detail} is map")
        if not items:
            detail = "must have a schema if x-kubernetes-list-type is map"
            yield errors.required(f"{field}.items", detail)
        yield from _keys(items, keys, f"{field}.items")
    if kind == "set" and items.get("type") in ("object", "array"):
        word = "map" if items["type"] == "object" else "list"
        if items.get(f"x-kubernetes-{word}-type") != "atomic":
            at = f"{field}.items.x-kubernetes-{word}-type"
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            yield errors.wrong(at, items.get(f"x-kubernetes-{word}-type"), detail)


def _keys(items: JSON, keys: Sequence[Value], field: str) -> Iterator[Cause]:
    properties, needed = _dict(items.get("properties")), _list(items.get("required"))
    at, seen = field.removesuffix(".items") + ".x-kubernetes-list-map-keys", set[Value]()
    for key in keys:
        sub = _dict(properties.get(key))
        if key in seen:
            yield errors.wrong(at, keys, "must not contain duplicate entries")
        seen.add(key)
        if sub.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield errors.wrong(f"{field}.properties[{key}].type", items.get("type"), detail)
        if key not in properties:
            yield errors.wrong(at, keys, "entries must all be names of item properties")
        elif "default" not in sub and key not in needed:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be "
                "a required property"
            )
            yield errors.required(f"{field}.properties[{key}].default", detail)


def _pattern(schema: JSON, field: str) -> Iterator[Cause]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern:
        try:
            matcher(pattern)
        except BadPattern as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield errors.wrong(f"{field}.pattern", pattern, detail)


def _values(schema: JSON, field: str) -> Iterator[Cause]:
    bad = list(_pattern(schema, field))
    yield from bad
    default = schema.get("default")
    if default is None or bad:
        return
    try:
        run = compile_check(schema)
    except (ValueError, TypeError, AttributeError, KeyError):
        return  # the schema itself is wrong, and somebody else says so
    pruner = compile_pruner(schema)
    if pruner is not None and pruner(default, False):
        yield errors.wrong(f"{field}.default", default, "must not have unknown fields")
    found: list[Cause] = []
    if run is not None:
        run(default, "", "", found)
    for cause in found:
        at = f"{field}.default.{cause.field}" if cause.field else f"{field}.default"
        yield Cause(reason=cause.reason, message=cause.message, field=at)


def _dict(value: Value) -> JSON:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
