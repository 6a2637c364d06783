"""Fields that a kind does not have: what kubectl calls strict validation, without a server.

A mistyped field is dropped by every API server that is not asked to be strict, and what it should
have said is then silently left at its default.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import inspect

from athanor.api import registry
from athanor.api.meta import API_VERSION
from athanor.api.templates import ObjectTemplate


def unknown(manifest: Mapping[str, object]) -> Iterator[str]:
    """Each field of the spec of an object of ours that its kind does not have, as a sentence.

    Within the templates of objects, too; pods' specs and other free forms are not looked at. Of
    kinds that are not ours nothing is said.
    """
    yield from _spec(str(manifest.get("kind", "")), manifest.get("spec"), "spec")


def _spec(kind: str, spec: object, path: str) -> Iterator[str]:
    resource = registry.by_kind(API_VERSION, kind)
    if resource is None or resource.view is None:
        return
    for field in msgspec.structs.fields(resource.view):
        if field.name == "spec":
            yield from _in(inspect.type_info(field.type), spec, path)


def _in(info: inspect.Type, value: object, path: str) -> Iterator[str]:
    if isinstance(info, inspect.UnionType):
        for member in info.types:
            yield from _in(member, value, path)
    elif isinstance(info, inspect.Metadata):
        yield from _in(info.type, value, path)
    elif isinstance(info, inspect.ListType) and isinstance(value, Sequence):
        for i, item in enumerate(value):
            yield from _in(info.item_type, item, f"{path}[{i}]")
    elif isinstance(info, inspect.DictType) and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _in(info.value_type, item, f"{path}.{key}")
    elif isinstance(info, inspect.StructType) and isinstance(value, Mapping):
        known = {field.encode_name: field.type for field in info.fields}
        for key, item in value.items():
            if key in known:
                yield from _in(known[key], item, f"{path}.{key}")
            else:
                yield f"{path}.{key}: there is no such field; {_way(str(key), known)}"
        if info.cls is ObjectTemplate:
            kind = str(value.get("kind", "TrainingJob"))
            yield from _spec(kind, value.get("spec"), f"{path}.spec")


def _way(key: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
