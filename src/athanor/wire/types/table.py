"""The compact notation of the type tables, and the schemas it stands for.

One definition a line (continued by indented lines), as facts of the Kubernetes 1.36 API:

    Name: field:TYPE field!:TYPE …      ! required; Name@ is replaced as a whole (atomic map)

    s string  i int32  l int64  n number  b bool  y bytes  t time  q quantity  x int-or-string
    o any object  j any JSON   s(A|B) enum   Name / group.Name another definition
    [T] list: [T]a atomic, [T]u set, [T]{k,l} map by keys; [T]+key strategic merge by key,
        [T]+ merge of scalars      <T> map: <T>a atomic      TYPE* retainKeys
    Name~ a reference whose fields merge although the type is atomic     TYPE=X default
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from athanor.api.meta import JSON

_SCALARS: Mapping[str, JSON] = {
    "s": {"type": "string"},
    "i": {"type": "integer", "format": "int32"},
    "l": {"type": "integer", "format": "int64"},
    "n": {"type": "number", "format": "double"},
    "b": {"type": "boolean"},
    "y": {"type": "string", "format": "byte"},
    "t": {"type": "string", "format": "date-time"},
    "q": {"format": "quantity", "oneOf": [{"type": "string"}, {"type": "number"}]},
    "x": {"format": "int-or-string", "x-kubernetes-int-or-string": True},
    "o": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "j": {"x-kubernetes-preserve-unknown-fields": True},
}

_FIELD = re.compile(r"([^:!]+)(!?):(.+)")
_ENUM = re.compile(r"s\(([^)]*)\)")
_AFTER_LIST = re.compile(r"(a|u|\{[^}]*\})?(\+([A-Za-z]*))?(\*)?")


def lines(text: str) -> dict[str, str]:
    """The definitions of a table, still unparsed, by name (with its @)."""
    joined = text.replace("\n ", " ")
    return dict(line.split(": ", 1) for line in joined.splitlines() if ": " in line)


def definition(name: str, body: str, group: str) -> JSON:
    """The schema of one definition; other definitions are {"$ref": "group.Name"}."""
    schema: JSON = {"type": "object"}
    properties: JSON = {}
    required = []
    for field in body.split():
        found = _FIELD.fullmatch(field)
        if found is None:
            raise ValueError(f"type table: {name}: {field!r} is no field")
        key, must, spelled = found.groups()
        spelled, _, default = spelled.partition("=")
        properties[key] = _type(spelled, group)
        if default:
            properties[key]["default"] = default
        if must:
            required.append(key)
    if properties:
        schema["properties"] = properties
    if required:
        schema["required"] = required
    if name.endswith("@"):
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _type(spelled: str, group: str) -> JSON:
    if spelled[0] == "[":
        return _list(spelled, group)
    if spelled[0] == "<":
        inner, after = spelled[1:].rsplit(">", 1)
        schema: JSON = {"type": "object", "additionalProperties": _type(inner, group)}
        if after == "a":
            schema["x-kubernetes-map-type"] = "atomic"
        return schema
    if spelled in _SCALARS:
        return dict(_SCALARS[spelled])
    if (enum := _ENUM.fullmatch(spelled)) is not None:
        return {"type": "string", "enum": enum[1].split("|")}
    bare = spelled.rstrip("*~")
    schema = {"$ref": bare if "." in bare else f"{group}.{bare}"}
    if spelled.endswith("*"):
        schema["x-kubernetes-patch-strategy"] = "retainKeys"
    if spelled.endswith("~"):
        schema["x-kubernetes-map-type"] = "granular"
    return schema


def _list(spelled: str, group: str) -> JSON:
    inner, after = spelled[1:].rsplit("]", 1)
    found = _AFTER_LIST.fullmatch(after)
    if found is None:
        raise ValueError(f"type table: {spelled!r} is no list")
    sort, merge, key, retain = found.groups()
    schema: JSON = {"type": "array", "items": _type(inner, group)}
    match sort:
        case None:
            pass
        case "a":
            schema["x-kubernetes-list-type"] = "atomic"
        case "u":
            schema["x-kubernetes-list-type"] = "set"
        case keys:
            schema["x-kubernetes-list-type"] = "map"
            schema["x-kubernetes-list-map-keys"] = keys[1:-1].split(",")
    if merge:
        schema["x-kubernetes-patch-strategy"] = "merge,retainKeys" if retain else "merge"
        if key:
            schema["x-kubernetes-patch-merge-key"] = key
    return schema
