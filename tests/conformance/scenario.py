"""Scenarios as data: requests, and what must be seen of the answers, in any world.

Texts may contain {ns} (the scenario's own namespace) and {name}s saved from earlier answers. In
what must be seen, a dict names the fields that must match (others are free), a list must match item
by item, and these texts are patterns: "<any>", "<uid>", "<time>", "<version>", "<absent>", and
"~regex".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

MEDIA = {
    "json": "application/json",
    "merge": "application/merge-patch+json",
    "patch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
    "yaml": "application/yaml",
}
_PATTERNS = {
    "<uid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "<version>": r"\d+",
}


class Step(Struct, frozen=True, kw_only=True):
    """One request. `within`: seconds in which the answer may still become what it must be.

    `frames` of a watch must be all there are, or with `more` the first ones. `omit`: keys that are
    left out of answers that are compared as a whole, since controllers write them when they like.
    """

    method: str
    path: str
    body: Any = None
    media: str = "json"
    code: int | tuple[int, ...] = 200
    see: Any = None
    message: str = ""
    frames: Sequence[tuple[str, Any]] | None = None
    more: bool = False
    save: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""
    within: float = 0.0
    omit: Sequence[str] = ()


def get(path: str, **more: Any) -> Step:
    """GET."""
    return Step(method="GET", path=path, **more)


def post(path: str, body: Any, **more: Any) -> Step:
    """POST; a creation answers 201."""
    return Step(method="POST", path=path, body=body, **{"code": 201, **more})


def put(path: str, body: Any, **more: Any) -> Step:
    """PUT."""
    return Step(method="PUT", path=path, body=body, **more)


def patch(path: str, body: Any, **more: Any) -> Step:
    """PATCH; a merge patch unless `media` says another."""
    return Step(method="PATCH", path=path, body=body, **{"media": "merge", **more})


def delete(path: str, body: Any = None, **more: Any) -> Step:
    """DELETE."""
    return Step(method="DELETE", path=path, body=body, **more)


def fill(value: Any, known: Mapping[str, str]) -> Any:
    """The value with {names} replaced."""
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, Mapping):
        return {fill(k, known): fill(v, known) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(v, known) for v in value]
    return value


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where what was found is not what must be seen; [] when it matches."""
    if isinstance(wanted, str) and wanted == "<absent>":
        return [] if found is None else [f"{path}: should be absent, is {found!r}"]
    if isinstance(wanted, str) and wanted == "<any>":
        return [] if found is not None else [f"{path}: is absent"]
    if isinstance(wanted, str) and (wanted in _PATTERNS or wanted.startswith("~")):
        pattern = _PATTERNS.get(wanted) or wanted[1:]
        matched = isinstance(found, str) and re.fullmatch(pattern, found, re.DOTALL)
        return [] if matched else [f"{path}: {found!r} does not match {wanted}"]
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return [f"{path}: {found!r} is no object"]
        return [
            d for key, value in wanted.items() for d in differences(value, found.get(key),
                                                                   f"{path}.{key}")
        ]  # fmt: skip
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return [f"{path}: {found!r} instead of {wanted!r}"]
        return [
            d
            for i, (w, f) in enumerate(zip(wanted, found, strict=True))
            for d in differences(w, f, f"{path}[{i}]")
        ]
    return [] if wanted == found else [f"{path}: {found!r} instead of {wanted!r}"]


Scenarios = Mapping[str, Sequence[Step]]


def at(found: Any, path: str) -> Any:
    """The value at a dotted path."""
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found
