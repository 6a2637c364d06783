"""`${a.b}` in a document of JSON: names with dots stand for values; shells have no such names.

A string that is one name becomes the value itself (a number stays a number), except below the keys
of `TEXTS`, where Kubernetes wants text; within a longer string its text is put in. An item of a
list that names something `Absent` disappears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+)\}")

TEXTS = frozenset(("command", "args", "env"))

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


class Absent(Exception):
    """The name is known and stands for nothing now."""


class Unknown(Exception):
    """There is no such name; `args[0]` is the name."""


Lookup = Callable[[str], Json]
"""Takes a name without `${}`. Raises Absent or Unknown."""


def fill(value: Json, lookup: Lookup) -> Json:
    """The document with all names replaced. Raises Unknown."""
    try:
        return _fill(value, lookup, typed=True)
    except Absent:
        return ""


def names(value: Json) -> Iterator[str]:
    """All names in a document, in order."""
    if isinstance(value, str):
        yield from _NAME.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from names(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from names(inner)


def text(value: Json) -> str:
    """A value within a longer string: as it is for text, else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _fill(value: Json, lookup: Lookup, *, typed: bool) -> Json:
    if isinstance(value, str):
        whole = _NAME.fullmatch(value)
        if whole is not None and typed:
            return lookup(whole[1])
        return _NAME.sub(lambda found: text(lookup(found[1])), value) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: _inner(key, inner, lookup, typed) for key, inner in value.items()}
    if isinstance(value, Sequence):
        filled = []
        for inner in value:
            try:
                filled.append(_fill(inner, lookup, typed=typed))
            except Absent:
                continue
        return filled
    return value


def _inner(key: str, value: Json, lookup: Lookup, typed: bool) -> Json:
    try:
        return _fill(value, lookup, typed=typed and key not in TEXTS)
    except Absent:
        return ""
