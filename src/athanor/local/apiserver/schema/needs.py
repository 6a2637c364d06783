"""What an expression can see of `self` and `oldSelf`: only that is handed to the engine.

Handing a value over converts all of it, and rules at the top of an object look at a few fields of
it. An access that is not plainly `self.a.b` (an index, the value as a whole) needs everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Union

from athanor.local.apiserver.schema.causes import Value

Needs = Mapping[str, Union["Needs", None]]
"""Field → what is needed of it; None: all of it."""

_ACCESS = re.compile(r"\b(self|oldSelf)\b((?:\.[A-Za-z_]\w*)*)(\s*\()?")


def needs_of(text: str) -> dict[str, Needs | None]:
    """Variable → what the expression may see of it; a variable that it never names is not here."""
    found: dict[str, Needs | None] = {}
    for name, dotted, called in _ACCESS.findall(text):
        path = dotted.split(".")[1:]
        if called:
            path = path[:-1]  # a method's name
        found[name] = _with(found.get(name, {}), path)
    return found


def _with(needs: Needs | None, path: list[str]) -> Needs | None:
    if needs is None or not path:
        return None
    return {**needs, path[0]: _with(needs.get(path[0], {}), path[1:])}


def trim(value: Value, needs: Needs | None) -> Value:
    """The needed part of a value."""
    if needs is None or type(value) is not dict:
        return value
    return {name: trim(value[name], more) for name, more in needs.items() if name in value}
