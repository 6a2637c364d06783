"""Defaults of a schema, and nulls where none may be: filled in and dropped, in place.

A null for a field that is not nullable counts as absent: it takes the default or goes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.causes import Value
from athanor.wire.types.catalog import OMITTED

NULL = "x-athanor-null"
"""In a schema of ours: what stands for null in a map or list, as Go decodes built-in kinds."""

Defaulter = Callable[[Value], None]


def compile_defaulter(schema: JSON) -> Defaulter | None:
    """The function that completes a value of this schema, or None when there is nothing to do."""
    if items := schema.get("items"):
        return _of_items(
            compile_defaulter(items), whole=items.get("type") == "integer", instead=items.get(NULL)
        )
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict) and not schema.get("properties"):
        return _of_values(
            compile_defaulter(additional), nullable=bool(additional.get("nullable")),
            instead=additional.get(NULL),
        )  # fmt: skip
    properties: JSON = schema.get("properties") or {}
    return _of_properties(properties) if properties else None


def compile_filler(schema: JSON) -> Defaulter | None:
    """As `compile_defaulter`, for values known to be valid: only what has defaults is visited."""
    if items := schema.get("items"):
        return _fill_each(compile_filler(items))
    additional = schema.get("additionalProperties")
    properties: JSON = schema.get("properties") or {}
    if isinstance(additional, dict) and not properties:
        return _fill_values(compile_filler(additional))
    defaults = [(n, s["default"]) for n, s in properties.items() if s.get("default") is not None]
    deep = [(n, run) for n, s in properties.items() if (run := compile_filler(s)) is not None]
    return _fill_properties(defaults, deep) if defaults or deep else None


def _fill_each(item: Defaulter | None) -> Defaulter | None:
    if item is None:
        return None

    def run(value: Value) -> None:
        if type(value) is list:
            for one in value:
                item(one)

    return run


def _fill_values(item: Defaulter | None) -> Defaulter | None:
    if item is None:
        return None

    def run(value: Value) -> None:
        if type(value) is dict:
            for one in value.values():
                item(one)

    return run


def _fill_properties(
    defaults: list[tuple[str, Value]], deep: list[tuple[str, Defaulter]]
) -> Defaulter:
    def run(value: Value) -> None:
        if type(value) is not dict:
            return
        for name, default in defaults:
            if name not in value:
                value[name] = (
                    copy.deepcopy(default) if isinstance(default, dict | list) else default
                )
        for name, below in deep:
            if name in value:
                below(value[name])

    return run


def _of_items(item: Defaulter | None, *, whole: bool, instead: Value) -> Defaulter | None:
    if item is None and not whole and instead is None:
        return None

    def run(value: Value) -> None:
        if type(value) is list:
            if instead is not None and None in value:
                value[:] = [copy.copy(instead) if one is None else one for one in value]
            for index, one in enumerate(value):
                if item is not None:
                    item(one)
                elif type(one) is float and one.is_integer():
                    value[index] = int(one)

    return run


def _of_values(item: Defaulter | None, *, nullable: bool, instead: Value) -> Defaulter:
    def run(value: Value) -> None:
        if type(value) is not dict:
            return
        if not nullable and None in value.values():
            for key in [key for key, one in value.items() if one is None]:
                if instead is None:
                    del value[key]
                else:
                    value[key] = instead
        if item is not None:
            for one in value.values():
                item(one)

    return run


def _of_properties(properties: JSON) -> Defaulter:
    defaults = [(n, s["default"]) for n, s in properties.items() if s.get("default") is not None]
    nullable = frozenset(n for n, s in properties.items() if s.get("nullable"))
    strict = properties.keys() - nullable
    omitted = frozenset(n for n, s in properties.items() if s.get(OMITTED))
    integers = frozenset(n for n, s in properties.items() if s.get("type") == "integer")
    compiled = {name: compile_defaulter(sub) for name, sub in properties.items()}
    deep = [(name, run) for name, run in compiled.items() if run is not None]

    def run(value: Value) -> None:
        if type(value) is not dict:
            return
        if None in value.values():
            for key in [k for k, one in value.items() if one is None and k in strict]:
                del value[key]
        for name in omitted & value.keys():
            if not value[name]:
                del value[name]
        for name, default in defaults:
            if name not in value:
                value[name] = (
                    copy.deepcopy(default) if isinstance(default, dict | list) else default
                )
        for name in integers & value.keys():
            one = value[name]
            if type(one) is float and one.is_integer():
                value[name] = int(one)
        for name, below in deep:
            if name in value:
                below(value[name])

    return run
