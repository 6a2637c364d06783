"""Which files of a folder .gitignore leaves out, as git decides it (gitignore(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct


class Rule(Struct, frozen=True):
    """One line of a .gitignore. `base` is its folder ("" for the top, else "a/b/")."""

    pattern: re.Pattern[str]
    base: str
    keep: bool
    folders: bool


def rules(text: str, base: str) -> list[Rule]:
    """The rules of one file. Lines that say nothing, or nothing sensible, are passed over."""
    found = []
    for raw in text.splitlines():
        line = _trimmed(raw)
        keep = line.startswith("!")
        line = line[1:] if keep else line
        if not line or line.startswith("#"):
            continue
        line = line[1:] if line[:2] in ("\\#", "\\!") else line
        folders = line.endswith("/")
        line = line[:-1] if folders else line
        if not line:
            continue
        anchored = "/" in line
        body = _regex(line.removeprefix("/"))
        try:
            pattern = re.compile(body if anchored else f"(?:.*/)?{body}", re.DOTALL)
        except re.error:
            continue
        found.append(Rule(pattern, base, keep, folders))
    return found


def ignored(path: str, is_folder: bool, known: Sequence[Rule]) -> bool:
    """Whether a path ("a/b/c") is left out: the last rule that fits decides. What lies in a folder
    that is left out is not asked about.
    """
    for rule in reversed(known):
        meant = (is_folder or not rule.folders) and path.startswith(rule.base)
        if meant and rule.pattern.fullmatch(path[len(rule.base) :]):
            return not rule.keep
    return False


def _trimmed(line: str) -> str:
    """Without spaces at its end, unless they are escaped."""
    short = line.rstrip("\r").rstrip(" ")
    if short.endswith("\\") and len(short) < len(line) and not short.endswith("\\\\"):
        short += " "
    return short


def _regex(glob: str) -> str:
    """A pattern as a regular expression: `*` and `?` stay within a folder, `**` does not."""
    out, at = "", 0
    while at < len(glob):
        if glob.startswith("**/", at) and (at == 0 or glob[at - 1] == "/"):
            out, at = out + "(?:.*/)?", at + 3
            continue
        if glob[at:] == "**" and (at == 0 or glob[at - 1] == "/"):
            return out + ".+"
        char = glob[at]
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := _class_end(glob, at)) > 0:
            inner = glob[at + 1 : end]
            inner = "^" + inner[1:] if inner[0] in "!^" else inner
            inner = inner.replace("[", "\\[")
            out, at = f"{out}(?!/)[{inner}]", end
        elif char == "\\" and at + 1 < len(glob):
            out, at = out + re.escape(glob[at + 1]), at + 1
        else:
            out += re.escape(char)
        at += 1
    return out


def _class_end(glob: str, at: int) -> int:
    """Where a bracket expression that begins at `at` ends; -1 when it does not."""
    first = at + 1
    first += glob[first : first + 1] in ("!", "^")
    return glob.find("]", first + 1)
