"""Values next to their schema: which fields they have, how two differ, merging, removing.

Source: the rules of Kubernetes' structured merge and diff (KEP-555). Lists without a list type and
maps marked atomic are one field as a whole; lists of type map and set are sets of elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.wire.patch import fields as fieldset
from athanor.wire.patch.fields import Fields, Path, Tree
from athanor.wire.patch.values import Value, same
from athanor.wire.types.catalog import definition_schema


class Wrong(Exception):
    """A value does not fit its schema; the message starts with its path."""


class _Absent:
    """Where there is no value; null is one."""


ABSENT: Final = _Absent()


SHARED: Final[JSON] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": definition_schema("meta.ObjectMeta"),
}
"""What every object has, whatever its schema says."""


def child(schema: JSON, key: str) -> tuple[JSON, bool]:
    """The schema of an object's member, and whether the schema names that member."""
    known = (schema.get("properties") or {}).get(key)
    if known is None and schema.get("x-kubernetes-embedded-resource"):
        known = SHARED.get(key)
    if known is not None:
        return known, True
    other = schema.get("additionalProperties")
    return (other if isinstance(other, dict) else {}), False


def granular(value: Value, schema: JSON) -> bool:
    """Whether the value is a container whose parts are fields of their own."""
    if isinstance(value, dict):
        return schema.get("x-kubernetes-map-type") != "atomic"
    if isinstance(value, list):
        return schema.get("x-kubernetes-list-type") in ("map", "set")
    return False


def element(item: Value, schema: JSON) -> str:
    """The path element of an element of a list of type map or set. Raises Wrong."""
    if schema["x-kubernetes-list-type"] == "set":
        return fieldset.element_by_value(item)
    names = schema.get("x-kubernetes-list-map-keys") or []
    if not isinstance(item, dict):
        raise Wrong("associative list with keys may not have non-map elements")
    known = (schema.get("items") or {}).get("properties") or {}
    keys = {}
    for name in names:
        if name in item:
            keys[name] = item[name]
        elif "default" in (known.get(name) or {}):
            keys[name] = known[name]["default"]
        elif "x-kubernetes-patch-merge-key" in schema:
            # built-in kinds: a missing key is Go's zero value, and the kind's checks name it
            keys[name] = 0 if known[name].get("type") == "integer" else ""
    if not keys:
        spelled = " ".join(f'"{name}"' for name in names)
        raise Wrong(
            f"associative list with keys has an element that omits all key fields [{spelled}] "
            "(and doesn't have default values for any key fields)"
        )
    return fieldset.element_by_keys(keys)


def _elements(items: list[Value], schema: JSON) -> dict[str, Value]:
    """Elements by path element; of duplicates, which only stored lists may have, the first."""
    found: dict[str, Value] = {}
    for item in items:
        found.setdefault(element(item, schema), item)
    return found


# --- the fields of a value --------------------------------------------------------------------


def fields_of(value: Value, schema: JSON) -> Fields:
    """All fields of a value: its leaves, and every element and map entry itself."""
    found: set[Path] = set()
    _fields(value, schema, (), found)
    return frozenset(found)


def _fields(value: Value, schema: JSON, path: Path, found: set[Path]) -> None:
    if not granular(value, schema):
        found.add(path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            below = (*path, fieldset.member(key))
            inner_schema, named = child(schema, key)
            _fields(inner, inner_schema, below, found)
            if inner is None or inner == {} or not named:
                found.add(below)
    else:
        items = schema.get("items") or {}
        for key, item in _elements(value, schema).items():
            below = (*path, key)
            _fields(item, items, below, found)
            found.add(below)


# --- the difference of two values -------------------------------------------------------------


class Difference(Struct, frozen=True):
    """How a value changed, as sets of fields."""

    added: Fields
    modified: Fields
    removed: Fields

    @property
    def written(self) -> Fields:
        """What the writer of the new value set."""
        return self.added | self.modified

    def where(self, counts: Callable[[Path], bool]) -> Difference:
        """The part of the difference in fields that count."""
        return Difference(
            frozenset(filter(counts, self.added)),
            frozenset(filter(counts, self.modified)),
            frozenset(filter(counts, self.removed)),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.modified or self.removed)


def compare(old: Value, new: Value, schema: JSON) -> Difference:
    """What changed from old to new."""
    sets: tuple[set[Path], set[Path], set[Path]] = (set(), set(), set())
    _compare(old, new, schema, (), sets)
    added, modified, removed = sets
    return Difference(frozenset(added), frozenset(modified), frozenset(removed))


def _compare(
    old: Any, new: Any, schema: JSON, path: Path, sets: tuple[set[Path], set[Path], set[Path]]
) -> None:
    if old is new or (old == new and same(old, new)):
        return  # most of two versions of an object is equal: that is told at once
    added, modified, removed = sets
    if _changed_sort(old, new) and (granular(old, schema) or granular(new, schema)):
        _compare(old, ABSENT, schema, path, sets)
        _compare(ABSENT, new, schema, path, sets)
        return
    parts = _pairs(old, new, schema)
    if parts is None:
        if old is ABSENT:
            added.add(path)
        elif new is ABSENT:
            removed.add(path)
        else:
            modified.add(path)
        return
    for key, left, right, inner in parts:
        _compare(left, right, inner, (*path, key), sets)
    if old is ABSENT:
        added.add(path)
    elif new is ABSENT:
        removed.add(path)


def _changed_sort(old: Any, new: Any) -> bool:
    """Whether one is an object and the other a list or a scalar, and so on."""
    sorts = [
        dict if isinstance(v, dict) else list if isinstance(v, list) else None for v in (old, new)
    ]
    return not (old is ABSENT or new is ABSENT or old is None or new is None) and (
        sorts[0] is not sorts[1]
    )


def _pairs(old: Any, new: Any, schema: JSON) -> Iterator[tuple[str, Any, Any, JSON]] | None:
    """The parts of two values side by side; None when they are compared as a whole."""
    whole = [value for value in (old, new) if value is not ABSENT and value is not None]
    if not any(whole) or not all(granular(value, schema) for value in whole):
        return None
    if all(isinstance(value, dict) for value in whole):
        return _members(old or {}, new or {}, schema)
    if all(isinstance(value, list) for value in whole):
        return _items(old or [], new or [], schema)
    return None


def _members(old: Any, new: Any, schema: JSON) -> Iterator[tuple[str, Any, Any, JSON]]:
    old, new = ({} if value is ABSENT else value for value in (old, new))
    for key in {**old, **new}:
        yield (
            fieldset.member(key), old.get(key, ABSENT), new.get(key, ABSENT),
            child(schema, key)[0],
        )  # fmt: skip


def _items(old: Any, new: Any, schema: JSON) -> Iterator[tuple[str, Any, Any, JSON]]:
    left, right = (_elements([] if v is ABSENT else v, schema) for v in (old, new))
    items = schema.get("items") or {}
    for key in {**left, **right}:
        yield key, left.get(key, ABSENT), right.get(key, ABSENT), items


# --- merging ----------------------------------------------------------------------------------


def merge(old: Any, new: Any, schema: JSON) -> Value:
    """The old value with all that the new one says."""
    parts = None if new is ABSENT or old is ABSENT else _pairs(old, new, schema)
    if parts is None:
        return old if new is ABSENT else new
    if isinstance(old or new, dict):
        merged = dict(old or {})
        for key, left, right, inner in parts:
            merged[key[2:]] = merge(left, right, inner)
        return merged
    return _merge_lists(old or [], new or [], schema)


def _merge_lists(old: list[Value], new: list[Value], schema: JSON) -> list[Value]:
    """Elements of the new list in its order, woven into the others, which keep theirs.

    Duplicates, which only stored lists may have (two variables of one name), stay when the new
    list does not speak of them.
    """
    mine = [(element(item, schema), item) for item in old]
    left, right = _elements(old, schema), _elements(new, schema)
    items = schema.get("items") or {}
    merged: list[Value] = []
    theirs = list(right)
    shared = [key for key in theirs if key in left]
    i = j = at = 0
    while i < len(mine) or j < len(theirs):
        if i < len(mine) and mine[i][0] not in right:
            merged.append(mine[i][1])
            i += 1
            continue
        if i < len(mine) and (j == len(theirs) or at == len(shared) or shared[at] != mine[i][0]):
            i += 1  # it comes (or came) where the new list has it
            continue
        key = theirs[j]
        merged.append(merge(left[key], right[key], items) if key in left else right[key])
        j += 1
        if at < len(shared) and shared[at] == key:
            at += 1
            if i < len(mine) and mine[i][0] == key:
                i += 1
    return merged


# --- removing ---------------------------------------------------------------------------------


def remove(value: Value, gone: Fields, schema: JSON, kept: Fields = fieldset.NONE) -> Value:
    """The value without the fields `gone`. Containers that lose their last part go too,

    unless they are in `kept`: then they stay, empty.
    """
    left = _remove(value, fieldset.tree_of(gone), schema, (), kept)
    return {} if left is ABSENT else left


def _remove(value: Any, tree: Tree, schema: JSON, path: Path, kept: Fields) -> Any:
    if not granular(value, schema) or not value:
        return value
    left: Any
    if isinstance(value, dict):
        left = {}
        for key, inner in value.items():
            name = fieldset.member(key)
            inner = _step(inner, tree.get(name), child(schema, key)[0], (*path, name), kept)
            if inner is not ABSENT:
                left[key] = inner
    else:
        left = []
        items = schema.get("items") or {}
        for item in value:
            name = element(item, schema)
            item = _step(item, tree.get(name), items, (*path, name), kept)
            if item is not ABSENT:
                left.append(item)
    return left if left or path in kept else ABSENT


def _step(value: Any, tree: Tree | None, schema: JSON, path: Path, kept: Fields) -> Any:
    if tree is None:
        return value
    if "." in tree:
        return ABSENT
    return _remove(value, tree, schema, path, kept)


# --- helpers of ownership ---------------------------------------------------------------------


def with_parents(found: Fields, schema: JSON) -> Fields:
    """The set with every member that the schema names on the way to its fields."""
    out = set(found)
    seen: set[Path] = set()
    for path in found:
        at = schema
        for depth, key in enumerate(path[:-1], start=1):
            prefix = path[:depth]
            at, named = child(at, key[2:]) if key[0] == "f" else (at.get("items") or {}, False)
            if prefix not in seen:
                seen.add(prefix)
                if named:
                    out.add(prefix)
    return frozenset(out)


def check(value: Value, schema: JSON, path: Path = ()) -> None:
    """Raises Wrong when an applied value does not fit: unknown fields, duplicates, types."""
    if value is None:
        return
    wanted = _EXPECTED.get(str(schema.get("type")))
    if wanted is not None and not _fits(value, wanted[0]):
        raise Wrong(f"{fieldset.text(path)}: expected {wanted[1]}, got {_described(value)}")
    if isinstance(value, dict):
        closed = _closed(schema)
        for key, inner in value.items():
            inner_schema, named = child(schema, key)
            below = (*path, fieldset.member(key))
            if closed and not named:
                raise Wrong(f"{fieldset.text(below)}: field not declared in schema")
            check(inner, inner_schema, below)
    elif granular(value, schema):
        _check_items(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_item(item, schema, (*path, f"i:{index}"))


def _check_items(value: list[Value], schema: JSON, path: Path) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            key = element(item, schema)
        except Wrong as wrong:
            raise Wrong(f"{fieldset.text(path)}: element {index}: {wrong}") from None
        if key in seen:
            raise Wrong(f"{fieldset.text(path)}: duplicate entries for key {fieldset.text((key,))}")
        seen.add(key)
        _check_item(item, schema, (*path, key))


def _check_item(item: Value, schema: JSON, path: Path) -> None:
    items = schema.get("items") or {}
    wanted = _EXPECTED.get(str(items.get("type")))
    if item is None and wanted is not None and not items.get("nullable"):
        raise Wrong(f"{fieldset.text(path)}: expected {wanted[1]}, got null")
    check(item, items, path)


def _closed(schema: JSON) -> bool:
    """Whether an object may have named members only."""
    return (
        "properties" in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
        and not schema.get("x-kubernetes-embedded-resource")
        and not schema.get("additionalProperties")
    )


_EXPECTED: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "string"),
    "integer": ((int, float), "numeric (int or float)"),
    "number": ((int, float), "numeric (int or float)"),
    "boolean": ((bool,), "boolean"),
    "object": ((dict,), "map"),
    "array": ((list,), "list"),
}


def _fits(value: Value, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not (isinstance(value, bool) and bool not in types)


def _described(value: Value) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "list"
    return "map"
