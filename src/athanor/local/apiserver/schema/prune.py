"""Fields that a schema does not know: find them, or drop them.

Compiled once per schema into functions `run(value, drop)` that answer with the paths of unknown
fields, relative to the value (".foo", "[0].bar"), or None, which is nearly always.
"""

from __future__ import annotations

from collections.abc import Callable

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.causes import Value

Pruner = Callable[[Value, bool], list[str] | None]

_STRING = {"type": "string"}
_STRINGS = {"type": "object", "additionalProperties": _STRING}
_ANY = {"x-kubernetes-preserve-unknown-fields": True}

OBJECT_META: JSON = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"), _STRING
        ),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), {"type": "integer"}),
        **dict.fromkeys(
            ("creationTimestamp", "deletionTimestamp"), {"type": "string", "format": "date-time"}
        ),
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {"type": "array", "items": _STRING},
        "ownerReferences": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **dict.fromkeys(("apiVersion", "kind", "name", "uid"), _STRING),
                    **dict.fromkeys(("controller", "blockOwnerDeletion"), {"type": "boolean"}),
                },
            },
        },
        "managedFields": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": dict.fromkeys(
                    (
                        "manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1",
                        "subresource",
                    ),
                    _ANY,
                ),
            },
        },
    },
}  # fmt: skip
"""The fields of metav1.ObjectMeta, for finding unknown and mistyped ones."""

IMPLICIT: JSON = {"apiVersion": _ANY, "kind": _ANY, "metadata": OBJECT_META}
"""What every object has although its schema need not say so."""


def compile_pruner(schema: JSON, *, is_object: bool = False) -> Pruner | None:
    """The pruner of a schema, or None when nothing in it can be unknown.

    `is_object`: the value has apiVersion, kind and metadata, whatever the schema says.
    """
    properties: JSON = schema.get("properties") or {}
    is_object = is_object or bool(schema.get("x-kubernetes-embedded-resource"))
    if is_object:
        named = properties.get("metadata") or {}
        properties = {**IMPLICIT, **properties}
        if not named.get("properties") or len(named["properties"]) < 5:
            properties["metadata"] = OBJECT_META
    if items := schema.get("items"):
        return _of_items(compile_pruner(items))
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict) and not properties:
        return _of_values(compile_pruner(additional))
    if schema.get("x-kubernetes-preserve-unknown-fields") or additional:
        return _of_properties(properties, keep=True)
    if properties or schema.get("type") == "object":
        return _of_properties(properties, keep=False)
    return None


def _of_items(item: Pruner | None) -> Pruner | None:
    if item is None:
        return None

    def run(value: Value, drop: bool) -> list[str] | None:
        found: list[str] | None = None
        if type(value) is list:
            for index, one in enumerate(value):
                if below := item(one, drop):
                    found = (found or []) + [f"[{index}]{path}" for path in below]
        return found

    return run


def _of_values(item: Pruner | None) -> Pruner | None:
    if item is None:
        return None

    def run(value: Value, drop: bool) -> list[str] | None:
        found: list[str] | None = None
        if type(value) is dict:
            for key, one in value.items():
                if below := item(one, drop):
                    found = (found or []) + [f".{key}{path}" for path in below]
        return found

    return run


def _of_properties(properties: JSON, *, keep: bool) -> Pruner | None:
    compiled = {name: compile_pruner(sub) for name, sub in properties.items()}
    deep = [(name, pruner) for name, pruner in compiled.items() if pruner is not None]
    if keep and not deep:
        return None
    known = compiled.keys()

    def run(value: Value, drop: bool) -> list[str] | None:
        if type(value) is not dict:
            return None
        found: list[str] | None = None
        if not keep and not value.keys() <= known:
            strange = [key for key in value if key not in known]
            found = [f".{key}" for key in strange]
            if drop:
                for key in strange:
                    del value[key]
        for name, pruner in deep:
            if name in value and (below := pruner(value[name], drop)):
                found = (found or []) + [f".{name}{path}" for path in below]
        return found

    return run
