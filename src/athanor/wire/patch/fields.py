"""Sets of fields as managedFields have them (FieldsV1), and paths as messages write them.

A path is a tuple of FieldsV1 keys: `f:name` a member, `k:{…}` a list element by its keys,
`v:…` a set's element, `i:n` by index. A set of fields is a frozenset of paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from athanor.api.meta import JSON
from athanor.wire.patch.values import Value

Path: TypeAlias = tuple[str, ...]
Fields: TypeAlias = frozenset[Path]
Tree: TypeAlias = dict[str, Any]
"""FieldsV1 as JSON: nested objects; "." says that the path itself belongs to the set."""

NONE: Fields = frozenset()
_RANK = {"f": 0, "k": 1, "v": 2, "i": 3}


def decode(tree: Mapping[str, Any]) -> Fields:
    """The set that a FieldsV1 object stands for. Raises ValueError for what is none."""
    found: set[Path] = set()
    _collect(tree, (), found)
    return frozenset(found)


def _collect(tree: Mapping[str, Any], path: Path, found: set[Path]) -> None:
    for key, inner in tree.items():
        if not isinstance(inner, dict):
            raise ValueError(f"fieldsV1: {key!r} holds no object")
        if key == ".":
            found.add(path)
            continue
        if key[:2] not in ("f:", "k:", "v:", "i:"):
            raise ValueError(f"fieldsV1: {key!r} is no path element")
        below = (*path, key)
        if inner:
            _collect(inner, below, found)
        else:
            found.add(below)


def encode(fields: Iterable[Path]) -> Tree:
    """The FieldsV1 object of a set, in Kubernetes' order."""
    root: Tree = {}
    for path in sorted(fields, key=_order):
        at = root
        for element in path:
            at = at.setdefault(element, {})
        at["."] = {}
    return _slim(root)


def ordered(fields: Iterable[Path]) -> list[Path]:
    """The paths of a set in Kubernetes' order: what is a member itself before what is below."""
    return sorted(fields, key=_by_depth)


def _slim(tree: Tree) -> Tree:
    """Leaves lose their "."; it says something only where there is more below."""
    return {
        key: {} if inner == {".": {}} else _slim(inner) if key != "." else inner
        for key, inner in tree.items()
    }


def _order(path: Path) -> list[tuple[int, str]]:
    return [(_RANK[element[0]], element) for element in path]


def _by_depth(path: Path) -> list[tuple[bool, int, str]]:
    last = len(path) - 1
    return [(i < last, _RANK[element[0]], element) for i, element in enumerate(path)]


def tree_of(fields: Iterable[Path]) -> Tree:
    """The set as a tree with "." at every member, for walking next to a value."""
    root: Tree = {}
    for path in fields:
        at = root
        for element in path:
            at = at.setdefault(element, {})
        at["."] = True
    return root


def member(name: str) -> str:
    """The path element of an object's member."""
    return f"f:{name}"


def element_by_keys(keys: Mapping[str, Value]) -> str:
    """The path element of a list's element that is known by some of its members."""
    ordered = {name: keys[name] for name in sorted(keys)}
    return "k:" + msgspec.json.encode(ordered).decode()


def element_by_value(value: Value) -> str:
    """The path element of a set's element."""
    return "v:" + msgspec.json.encode(value).decode()


def text(path: Path) -> str:
    """A path as messages write it: `.spec.containers[name="a"].image`."""
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    sort, rest = element[0], element[2:]
    match sort:
        case "f":
            return f".{rest}"
        case "k":
            keys: JSON = msgspec.json.decode(rest)
            said = (f"{key}={msgspec.json.encode(keys[key]).decode()}" for key in keys)
            return f"[{','.join(said)}]"
        case "v":
            return f"[={rest}]"
    return f"[{rest}]"


def within(path: Path, prefix: Path) -> bool:
    """Whether the path is the prefix or below it."""
    return path[: len(prefix)] == prefix
