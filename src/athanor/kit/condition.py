"""Small conditions over values: a subset of CEL, safe to take from anybody.

    steps.train.phase == "Succeeded" && (parameters.env in ["prod", "test"] || !parameters.dry)
    steps.train.metrics.loss < 0.5

Literals, names with dots, lists, `== != < <= > >= in`, `&& || !`, parentheses. No calls, no loops.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from athanor.kit.fill import Json

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'[^'\\]*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],]))"
)
LONGEST = 1024

Lookup = Callable[[str], Json]


class BadCondition(ValueError):
    """What is no condition, or cannot be told of these values; the message says where."""


def check(text: str) -> list[str]:
    """The names that a condition reads. Raises BadCondition."""
    names: list[str] = []

    def note(name: str) -> Json:
        names.append(name)
        return None

    _Reader(text, note, dry=True).whole()
    return names


def holds(text: str, lookup: Lookup) -> bool:
    """Whether a condition holds. Raises BadCondition; what `lookup` raises goes through."""
    value = _Reader(text, lookup).whole()
    if not isinstance(value, bool):
        raise BadCondition(f"{text!r} is {json.dumps(value)}, not true or false")
    return value


class _Reader:
    """Reads and evaluates in one go; `dry` reads on where values would stop it."""

    def __init__(self, text: str, lookup: Lookup, *, dry: bool = False) -> None:
        if len(text) > LONGEST:
            raise BadCondition(f"longer than {LONGEST} characters")
        self._text, self._lookup, self._dry = text, lookup, dry
        self._tokens = list(_tokens(text))
        self._at = 0

    def whole(self) -> Json:
        value = self._or()
        if self._at < len(self._tokens):
            raise self._wrong()
        return value

    def _or(self) -> Json:
        value = self._and()
        while self._take("||"):
            right = self._and()
            value = self._bool(value) or self._bool(right)
        return value

    def _and(self) -> Json:
        value = self._not()
        while self._take("&&"):
            right = self._not()
            value = self._bool(value) and self._bool(right)
        return value

    def _not(self) -> Json:
        if self._take("!"):
            return not self._bool(self._not())
        return self._comparison()

    def _comparison(self) -> Json:
        left = self._value()
        for sign in ("==", "!=", "<=", ">=", "<", ">", "in"):
            if self._take(sign):
                return self._compare(sign, left, self._value())
        return left

    def _compare(self, sign: str, left: Json, right: Json) -> bool:
        if self._dry:
            return True
        if sign in ("==", "!="):
            return (left == right) == (sign == "==")
        if sign == "in":
            if isinstance(right, str | int | float | None):
                raise BadCondition(f"in {self._text!r}: after `in` comes a list")
            return left in right
        if isinstance(left, int | float) and isinstance(right, int | float):
            return _order(sign, left, right)
        if isinstance(left, str) and isinstance(right, str):
            return _order(sign, left, right)
        raise BadCondition(
            f"in {self._text!r}: {json.dumps(left)} {sign} {json.dumps(right)} makes no sense"
        )

    def _value(self) -> Json:
        if self._take("("):
            value = self._or()
            self._need(")")
            return value
        if self._take("["):
            found: list[Json] = []
            while not self._take("]"):
                found.append(self._value())
                if not self._take(","):
                    self._need("]")
                    break
            return found
        kind, word = self._next()
        if kind == "number":
            return float(word) if set(word) & set(".eE") else int(word)
        if kind == "text":
            return str(json.loads(word)) if word.startswith('"') else word[1:-1]
        if kind == "name":
            words: dict[str, Json] = {"true": True, "false": False, "null": None}
            return words[word] if word in words else self._lookup(word)
        raise self._wrong(-1)

    def _bool(self, value: Json) -> bool:
        if self._dry:
            return True
        if not isinstance(value, bool):
            raise BadCondition(f"in {self._text!r}: {json.dumps(value)} is not true or false")
        return value

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] == word:
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong()

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _wrong(self, back: int = 0) -> BadCondition:
        at = self._at + back
        word = repr(self._tokens[at][1]) if at < len(self._tokens) else "the end"
        return BadCondition(f"{self._text!r} is no condition: {word} is unexpected")


def _order(sign: str, left: float | str, right: float | str) -> bool:
    pair = (left, right)
    low, high = sorted(pair)
    if left == right:
        return sign in ("<=", ">=")
    return (pair == (low, high)) == (sign in ("<", "<="))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise BadCondition(
                f"{text!r} is no condition: {text[at:].strip()[:10]!r} is unexpected"
            )
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]
