"""A foreign object that is read by taking fields out of it: what is left was lost.

So no field can be forgotten: a reader that does not know one leaves it, and it is listed. A field
that is taken and does not reach our object is spoken of in a note that begins with its path.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from athanor.api.meta import JSON

_TYPES: Mapping[type, str] = {
    dict: "an object with fields", list: "a list", str: "a text", int: "a whole number",
    bool: "true or false",
}  # fmt: skip


class Given:
    """One object, or a part of it at `path`. `take` removes a field; `left` lists the rest."""

    def __init__(self, value: JSON, path: str = "", notes: list[str] | None = None) -> None:
        self._rest: JSON = copy.deepcopy(value)
        self._path = path
        self.notes: list[str] = [] if notes is None else notes
        self._parts: list[Given] = []

    def take(self, path: str, default: Any = None) -> Any:
        """The field at a dotted path, removed; `default` when it is not there, or null.

        Raises ValueError when the field is not of the default's type.
        """
        *heads, last = path.split(".")
        at: Any = self._rest
        for head in heads:
            at = at.get(head) if isinstance(at, dict) else None
        found = at.pop(last, None) if isinstance(at, dict) else None
        if found is None:
            return default
        if default is not None and type(found) is not type(default):
            raise ValueError(f"{self.at(path)}: {found!r:.40} is not {_TYPES[type(default)]}")
        return found

    def number(self, path: str) -> int | None:
        """The whole number at a path, removed. Raises ValueError for anything else."""
        found = self.take(path)
        if found is not None and type(found) is not int:
            raise ValueError(f"{self.at(path)}: {found!r:.40} is not {_TYPES[int]}")
        return found

    def part(self, path: str) -> Given:
        """The object at a path, to be read in the same way. Raises ValueError for anything else."""
        return self._within(self.take(path, {}), path)

    def inner(self, value: JSON, path: str) -> Given:
        """An object that was taken before, to be read in the same way."""
        return self._within(value, path)

    def parts(self, path: str) -> list[Given]:
        """The objects of the list at a path. Raises ValueError when it is none."""
        found = self.take(path, [])
        return [self._within(one, f"{path}[{number}]") for number, one in enumerate(found)]

    def named(self, path: str) -> list[tuple[str, Given]]:
        """The objects of the mapping at a path, with their names."""
        found: JSON = self.take(path, {})
        return [(name, self._within(one, f"{path}.{name}")) for name, one in found.items()]

    def at(self, path: str) -> str:
        """The whole path of a field of this part."""
        return f"{self._path}.{path}" if self._path else path

    def note(self, path: str, text: str) -> None:
        """A field was taken over differently, or not: say how."""
        self.notes.append(f"{self.at(path)}: {text}")

    def needless(self, path: str, why: str) -> None:
        """A field that nothing here needs: taken, and said when it was there."""
        found = self.take(path)
        if found not in (None, "", [], {}):
            self.note(path, f"not needed: {why}")

    def left(self) -> list[str]:
        """The paths of all fields that nobody took, with their values."""
        found = [f"{path}: {str(value)[:80]}" for path, value in leaves(self._rest, self._path)]
        return found + [line for part in self._parts for line in part.left()]

    def _within(self, value: object, path: str) -> Given:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise ValueError(f"{self.at(path)}: {value!r:.40} is not an object with fields")
        inner = Given(value, self.at(path), self.notes)
        self._parts.append(inner)
        return inner


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """All that an object says: path and value. Lists without objects in them are one value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    elif value not in (None, "", []):
        yield path, value
