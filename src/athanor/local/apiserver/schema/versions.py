"""Semantic versions in CEL: `semver('1.2.3-rc.1')`; see semver.org, version 2.

A version travels through the engine as a map with one key of its own, as quantities do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from athanor.local.apiserver.schema.causes import Value

_NUMBER = r"(0|[1-9]\d*)"
_WORDS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_WORDS}))?(?:\+{_WORDS})?")
_LOOSE = re.compile(rf"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:-{_WORDS})?(?:\+{_WORDS})?)")


def _parsed(text: str, normalize: bool = False) -> re.Match[str] | None:
    if normalize and (loose := _LOOSE.fullmatch(text)):
        text = ".".join(str(int(part or 0)) for part in loose.group(1, 2, 3)) + loose[4]
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    numbers = [word for word in (found[4] or "").split(".") if word.isdecimal()]
    return None if any(len(word) > 1 and word[0] == "0" for word in numbers) else found


def _semver(text: str, normalize: bool = False) -> Value:
    found = _parsed(text, normalize)
    if found is None:
        raise ValueError(f"{text!r} is no semantic version")
    return {"semver": found[0]}


def _part(group: int) -> Callable[[Value], int]:
    def get(value: Value) -> int:
        found = _VERSION.fullmatch(value["semver"])
        assert found is not None
        return int(found[group])

    return get


def compare(a: Value, b: Value) -> int:
    """-1, 0 or 1 by precedence; what was built from the same version is equal."""
    first, second = _key(a["semver"]), _key(b["semver"])
    return (first > second) - (first < second)


def _key(text: str) -> tuple[object, ...]:
    """A version as something that sorts: numbers below words, a release above what led to it."""
    found = _VERSION.fullmatch(text)
    assert found is not None
    words = tuple(
        (0, int(word), "") if word.isdecimal() else (1, 0, word)
        for word in (found[4] or "").split(".")
        if word
    )
    return (*map(int, found.group(1, 2, 3)), not words, words)


VERSIONS: Mapping[str, Callable[..., Value]] = {
    "semver": _semver,
    "isSemver": lambda text, normalize=False: _parsed(text, normalize) is not None,
    "major": _part(1),
    "minor": _part(2),
    "patch": _part(3),
}
