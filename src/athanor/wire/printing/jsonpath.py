"""The JSONPath of printer columns, as Kubernetes has it (RFC 9535's older relative).

Supported: `.name`, `['name']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `.*`, `..name`,
`[?(@.path == "value")]` with == != < <= > >= or no comparison. Missing keys give no result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.\.(?P<deep>(?:\\.|[^.\[\]\\])+)
      | \.(?P<name>(?:\\.|[^.\[\]\\])+)
      | \[\?\((?P<filter>(?:"[^"]*"|'[^']*'|[^\]"'])*)\)\]
      | \['(?P<quoted>[^']*)'\] | \["(?P<double>[^"]*)"\]
      | \[(?P<index>-?\d+)\] | \[(?P<all>\*)\]
      | \[(?P<start>-?\d*):(?P<stop>-?\d*)\]""",
    re.VERBOSE,
)
_FILTER = re.compile(r"\s*@(?P<path>[^=!<>\s]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?)\s*)?")


def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """A function that finds the results of a path in an object. Raises ValueError."""
    steps = list(_steps(_bare(text)))

    def find(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [inner for outer in found for inner in step(outer)]
        return found

    return find


def _bare(text: str) -> str:
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$").removeprefix("@")
    return text if not text or text[0] in ".[" else f".{text}"


def _steps(text: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            if text[at:] == ".":
                return
            raise ValueError(f"{text!r} is no JSONPath: cannot read {text[at:]!r}")
        yield _step(found)
        at = found.end()


def _step(found: re.Match[str]) -> Step:
    groups = {key: value for key, value in found.groupdict().items() if value is not None}
    if "filter" in groups:
        return _filter(groups["filter"])
    if "index" in groups:
        return _index(int(groups["index"]))
    if "all" in groups or groups.get("name") == "*":
        return _everything
    if "start" in groups:
        return _slice(groups["start"], groups["stop"])
    if "deep" in groups:
        return _deep(_unescape(groups["deep"]))
    name = groups.get("quoted", groups.get("double"))
    return _key(_unescape(groups["name"] if name is None else name))


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _key(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _index(at: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= at < len(value):
            yield value[at]

    return step


def _slice(start: str, stop: str) -> Step:
    part = slice(int(start) if start else None, int(stop) if stop else None)

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return step


def _everything(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _deep(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]
        for inner in _everything(value):
            yield from step(inner)

    return step


def _filter(text: str) -> Step:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ValueError(f"[?({text})] is no filter: compare @.path with a value")
    path = compile_path(found["path"]) if found["path"] else lambda value: [value]
    operator, wanted = found["op"], _literal(found["value"])

    def step(value: Any) -> Iterator[Any]:
        for item in _everything(value):
            results = path(item)
            if results and (operator is None or _holds(results[0], operator, wanted)):
                yield item

    return step


def _literal(text: str | None) -> Any:
    if text is None:
        return None
    if text[0] in "\"'" and text[-1] == text[0] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{text} is neither a string, a number, true nor false") from None


def _holds(left: Any, operator: str, right: Any) -> bool:
    if operator in ("==", "!="):
        same = left == right and isinstance(left, bool) == isinstance(right, bool)
        return same is (operator == "==")
    if isinstance(left, str) is not isinstance(right, str):
        return False
    try:
        match operator:
            case "<":
                return bool(left < right)
            case "<=":
                return bool(left <= right)
            case ">":
                return bool(left > right)
        return bool(left >= right)
    except TypeError:
        return False
