"""CustomResourceDefinitions of our own kinds, generated from their Structs.

One source of truth: types, bounds and docstrings of the Structs become a structural schema; what a
type cannot say (rules between fields, list keys, printer columns) stands in the tables below.
`make crds` writes them to `deploy/crds`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec import inspect as types

from athanor.api import maker_tables, scheduling, templates, training, training_rules
from athanor.api.meta import JSON, Condition
from athanor.api.notes import NOTES
from athanor.api.registry import OURS, Resource

LIST_KEYS: Mapping[type[Struct], str] = {
    Condition: "type",
    scheduling.PodSet: "name",
    scheduling.PodCounts: "podSet",
    scheduling.PoolQuota: "pool",
    scheduling.PoolUse: "pool",
    training.Role: "name",
    **maker_tables.LIST_KEYS,
}
"""Lists of these are maps: the field that tells their items apart."""


def _rule(rule: str, message: str, path: str = "", **more: str) -> JSON:
    said: JSON = {"rule": rule, "message": message}
    return {**said, "fieldPath": path, **more} if path else {**said, **more}


def _at_most(lower: str, upper: str) -> JSON:
    return _rule(
        f"!has(self.{lower}) || !has(self.{upper}) || self.{lower}.all(r, !(r in self.{upper}) || "
        f"quantity(string(self.{lower}[r])).compareTo(quantity(string(self.{upper}[r]))) <= 0)",
        f"{lower} must not exceed {upper} for any resource",
        f".{lower}",
    )


RULES: Mapping[type[Struct], list[JSON]] = {
    scheduling.PodSet: [
        _rule(
            "!has(self.minCount) || self.minCount <= self.count",
            "minCount must not exceed count",
            ".minCount",
        )
    ],
    scheduling.Topology: [
        _rule(
            "!has(self.sliceSize) || has(self.sliceLevel)",
            "sliceSize needs the sliceLevel that each slice shares",
            reason="FieldValueRequired",
        )
    ],
    scheduling.PoolQuota: [
        _at_most("guaranteed", "deserved"),
        _at_most("deserved", "limit"),
        _at_most("guaranteed", "limit"),
    ],
    scheduling.Queue: [
        _rule(
            "!has(self.spec) || !has(self.spec.parent) || self.spec.parent != self.metadata.name",
            "a queue cannot be its own parent",
            ".spec.parent",
        )
    ],
    scheduling.ReservationSpec: [
        _rule(
            "!has(self.start) || !has(self.end) || self.start < self.end",
            "end must be later than start",
            ".end",
        )
    ],
    **training_rules.RULES,
    **maker_tables.RULES,
}
"""CEL rules of a type, with the sentence a person reads when one is broken."""

_AGE = ("Age", "date", ".metadata.creationTimestamp", 0)

COLUMNS: Mapping[str, list[tuple[str, str, str, int]]] = {
    "Gang": [
        ("Phase", "string", ".status.phase", 0),
        ("Queue", "string", ".spec.queue", 0),
        ("Pool", "string", ".status.admission.pool", 0),
        ("Pods", "string", ".status.ready", 0),
        ("Reason", "string", ".status.reasons[0].code", 0),
        ("Message", "string", ".status.reasons[0].message", 1),
        _AGE,
    ],
    "Queue": [
        ("Parent", "string", ".spec.parent", 0),
        ("State", "string", ".spec.state", 0),
        ("Admitted", "integer", ".status.admitted", 0),
        ("Pending", "integer", ".status.pending", 0),
        ("Share", "string", ".status.share", 1),
        _AGE,
    ],
    "Pool": [
        ("Nodes", "integer", ".status.nodes", 0),
        ("Strategy", "string", ".spec.strategy", 0),
        ("Exclusive", "boolean", ".spec.exclusive", 1),
        _AGE,
    ],
    "Reservation": [
        ("Pool", "string", ".spec.pool", 0),
        ("Phase", "string", ".status.phase", 0),
        ("Nodes", "integer", ".status.nodes", 0),
        ("Start", "string", ".spec.start", 0),
        ("End", "string", ".spec.end", 0),
        _AGE,
    ],
    "TrainingJob": [
        ("Framework", "string", ".spec.framework", 0),
        ("Phase", "string", ".status.phase", 0),
        ("Ranks", "string", ".status.ready", 0),
        ("Queue", "string", ".spec.scheduling.queue", 0),
        ("Progress", "integer", ".status.progress.step", 0),
        ("Reason", "string", ".status.reason", 1),
        _AGE,
    ],
    **maker_tables.COLUMNS,
}
"""Printer columns: name, type, JSON path, priority (1: only with -o wide)."""

_LABEL: JSON = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
NAMES: Mapping[str, JSON] = {
    "TrainingJob": _LABEL,
    **dict.fromkeys(maker_tables.MAKERS, {**_LABEL, "maxLength": templates.LONGEST_MAKER}),
}
"""Names of kinds after whose objects others are named, Services and hosts among them: no dots."""

SELECTABLE: Mapping[str, list[str]] = {
    "Gang": [".spec.queue", ".status.phase"],
    "TrainingJob": [".spec.framework", ".status.phase"],
    **maker_tables.SELECTABLE,
}
"""Fields that `--field-selector` may name."""


def manifests() -> list[JSON]:
    """The CustomResourceDefinition of each of our kinds; the caller's own copies."""
    built: list[JSON] = msgspec.json.decode(_encoded())
    return built


@cache
def _encoded() -> bytes:
    """Reading the Structs takes a server's start a noticeable time, so it is done once."""
    return msgspec.json.encode([manifest(resource) for resource in OURS])


def manifest(resource: Resource) -> JSON:
    """The CustomResourceDefinition of one kind. Raises KeyError when it has no Struct."""
    if resource.view is None:
        raise KeyError(f"{resource.kind} has no Struct")
    version: JSON = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema_of(resource.view)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path}
            | ({"priority": priority} if priority else {})
            for name, kind, path, priority in COLUMNS[resource.kind]
        ],
    }
    if paths := SELECTABLE.get(resource.kind):
        version["selectableFields"] = [{"jsonPath": path} for path in paths]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.name},
        "spec": {
            "group": resource.group,
            "names": {
                "plural": resource.plural,
                "singular": resource.singular,
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "shortNames": list(resource.short_names),
                "categories": list(resource.categories),
            },
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


def schema_of(view: type[Struct]) -> JSON:
    """The structural OpenAPI schema of a whole object's Struct."""
    built = _schema(types.type_info(view))
    properties = built["properties"]
    properties["apiVersion"] = {"type": "string"}
    properties["kind"] = {"type": "string"}
    properties["metadata"] = {"type": "object"}
    if name := NAMES.get(view.__name__):
        properties["metadata"]["properties"] = {"name": name}
    if "status" in properties:
        # A status says what was observed: nobody fills it in by default, but for the phase, which
        # is Pending before anybody has looked. Its writers patch it, none applies it: kept as one
        # field, it is spared the book-keeping of who owns which part.
        first = properties["status"].get("properties", {}).get("phase", {}).get("default")
        status = _without_defaults(properties["status"])
        if first is not None:
            status["properties"]["phase"]["default"] = first
            status["default"] = {}
        properties["status"] = {**status, "x-kubernetes-map-type": "atomic"}
    return built


def _schema(info: types.Type) -> JSON:
    if isinstance(info, types.Metadata):
        inner = _schema(info.type)
        more = info.extra_json_schema or {}
        if more.get("x-kubernetes-int-or-string"):
            inner = {}
        return {**inner, **more}
    if isinstance(info, types.StructType):
        return _object(info)
    if isinstance(info, types.UnionType):
        kinds = [t for t in info.types if not isinstance(t, types.NoneType)]
        return _schema(kinds[0])
    if isinstance(info, types.LiteralType):
        return {"type": "string", "enum": list(info.values)}
    if isinstance(info, types.DictType):
        if isinstance(info.value_type, types.AnyType):
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        built: JSON = {"type": "object", "additionalProperties": _schema(info.value_type)}
        return _bounded(built, info, {"min_length": "minProperties", "max_length": "maxProperties"})
    if isinstance(info, types.ListType):
        return _list(info)
    return _scalar(info)


def _scalar(info: types.Type) -> JSON:
    if isinstance(info, types.BoolType):
        return {"type": "boolean"}
    if isinstance(info, types.FloatType):
        return {"type": "number"}
    if isinstance(info, types.IntType):
        return _bounded({"type": "integer"}, info, {"ge": "minimum", "le": "maximum"})
    if isinstance(info, types.StrType):
        names = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
        return _bounded({"type": "string"}, info, names)
    raise TypeError(f"no schema for {info}")


def _list(info: types.ListType) -> JSON:
    built: JSON = {"type": "array", "items": _schema(info.item_type)}
    item = info.item_type
    key = LIST_KEYS.get(item.cls) if isinstance(item, types.StructType) else None
    if key:
        built |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    else:
        built["x-kubernetes-list-type"] = "atomic"
    return _bounded(built, info, {"min_length": "minItems", "max_length": "maxItems"})


def _bounded(built: JSON, info: types.Type, names: Mapping[str, str]) -> JSON:
    found = {ours: getattr(info, theirs) for theirs, ours in names.items()}
    return {**built, **{name: bound for name, bound in found.items() if bound is not None}}


def _object(info: types.StructType) -> JSON:
    properties: JSON = {}
    required = []
    for field in info.fields:
        built = _schema(field.type)
        if note := _note(info.cls, field.encode_name):
            built["description"] = note
        properties[field.encode_name] = built
        if field.required or (_is_made(field) and (built.get("required") or "minItems" in built)):
            required.append(field.encode_name)
        default = _default(field)
        if default is not None:
            built["default"] = default
    described = inspect.cleandoc(info.cls.__doc__ or "")
    made: JSON = {"description": described, "type": "object", "properties": properties}
    if required:
        made["required"] = required
    if rules := RULES.get(info.cls):
        made["x-kubernetes-validations"] = rules
    return made


def _note(view: type, name: str) -> str:
    """What a field means; a Struct inherits the notes of the one it extends."""
    return next(
        (NOTES[c.__name__][name] for c in view.__mro__ if name in NOTES.get(c.__name__, ())), ""
    )


def _is_made(field: types.Field) -> bool:
    return field.default_factory is not NODEFAULT


def _default(field: types.Field) -> Any:
    """What a missing field means, where that is not simply nothing."""
    if field.default in (NODEFAULT, None, "", 0, False):
        return None
    return field.default


def _without_defaults(schema: JSON) -> JSON:
    cleaned = {key: value for key, value in schema.items() if key != "default"}
    if properties := cleaned.get("properties"):
        cleaned["properties"] = {n: _without_defaults(s) for n, s in properties.items()}
    if isinstance(cleaned.get("items"), dict):
        cleaned["items"] = _without_defaults(cleaned["items"])
    return cleaned
