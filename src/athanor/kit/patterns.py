"""Regular expressions as Go has them: the one door to RE2. Linear time, whatever the pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2

_SHORT = 128
"""Characters: longer texts are not worth remembering."""


class BadPattern(ValueError):
    """RE2 does not accept this regular expression."""


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a text contains a match. Raises BadPattern.

    The same few short texts (names, versions) come again and again, so answers are remembered.
    """
    compiled = _compiled(pattern)

    @lru_cache(maxsize=512)
    def known(text: str) -> bool:
        return compiled.search(text) is not None

    def matches(text: str) -> bool:
        return known(text) if len(text) <= _SHORT else compiled.search(text) is not None

    return matches


def find_all(pattern: str, text: str, limit: int = -1) -> list[str]:
    """The first `limit` (all when negative) matches, leftmost first. Raises BadPattern."""
    found: list[str] = []
    for match in _compiled(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group(0))
    return found


def groups(pattern: str, text: str) -> dict[str, str] | None:
    """The named groups of the first match, those that took part; None without one.

    Raises BadPattern.
    """
    match = _compiled(pattern).search(text)
    if match is None:
        return None
    return {name: value for name, value in match.groupdict().items() if value is not None}


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise BadPattern(f"error parsing regexp: {_in_go_s_words(text)}") from error


def _in_go_s_words(text: str) -> str:
    """RE2's C++ and Go versions differ in the wording of what is wrong."""
    code, _, argument = text.partition(": ")
    return f"{_GO.get(code, code)}: `{argument}`" if argument else _GO.get(code, code)


_GO = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "trailing \\": "trailing backslash at end of expression",
}
