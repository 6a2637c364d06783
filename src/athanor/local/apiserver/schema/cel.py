"""The Common Expression Language: the one door to its engine (Rust).

The engine's Python package loads a whole terminal toolkit for its own command line, so only its
compiled part is loaded, and only when a schema has rules. What Kubernetes' dialect has and the
engine lacks is refused when a rule is compiled: optional field selection (`self.?a`), macros over
two variables, `sortBy`, `flatten`, `format.*`, the authorizer.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from typing import Any

from athanor.kit.patterns import BadPattern, matcher
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.functions import FUNCTIONS
from athanor.local.apiserver.schema.lists import plain
from athanor.local.apiserver.schema.needs import needs_of, trim

_BUILT_IN = frozenset(
    (
        "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string",
        "bytes", "bool", "type", "dyn", "duration", "timestamp", "getDate", "getDayOfMonth",
        "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes",
        "getMonth", "getSeconds", "has", "of", "none", "ofNonZeroValue", "hasValue", "value",
        "orValue", "or",
    )
)  # fmt: skip

_VARIABLES = frozenset(
    (
        "self", "oldSelf", "optional", "string", "int", "uint", "double", "bool", "bytes", "list",
        "map", "type", "null_type", "timestamp", "duration", "dyn",
    )
)  # fmt: skip
"""What an expression may name: its values, and the names of types."""
_BINDERS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")


class BadExpression(ValueError):
    """The expression does not compile; the message says where."""


class EvaluationError(Exception):
    """The expression could not be evaluated with these values, in Kubernetes' words."""


@cache
def _engine() -> Any:
    package = importlib.util.find_spec("cel")
    found = PathFinder.find_spec(
        "cel", list((package and package.submodule_search_locations) or ())
    )
    if found is None or found.loader is None:
        raise ImportError("common-expression-language is not installed: CEL rules need it")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    # a function that refuses its argument is an ordinary answer here, no warning in a log
    logging.getLogger("cel").setLevel(logging.CRITICAL)
    return module


class Expression:
    """One compiled expression. Not for use by several threads at once."""

    def __init__(self, text: str) -> None:
        engine = _engine()
        try:
            self._program = engine.compile(plain(text))
            functions = self._program.functions()
            variables = self._program.variables()
        except ValueError as error:
            raise BadExpression(_syntax(text, str(error))) from error
        bound = set(_BINDERS.findall(text))
        known = _VARIABLES | bound
        strange = [name for name in variables if name not in known]
        missing = [
            name for name in functions
            if name[0].isalpha() and name not in _BUILT_IN and name not in FUNCTIONS
        ]  # fmt: skip
        if strange or missing:
            raise BadExpression(_undeclared(text, strange, missing))
        if wrong := _bad_pattern(text):
            raise BadExpression(wrong)
        self.uses_old = "oldSelf" in variables
        used = {name: FUNCTIONS[name] for name in functions if name in FUNCTIONS}
        self._context = engine.Context({}, used)
        self._needs = needs_of(text)

    def evaluate(self, variables: Mapping[str, Value]) -> Value:
        """The value for these variables. Raises EvaluationError."""
        for name, value in variables.items():
            if name in self._needs:
                self._context.add_variable(name, trim(value, self._needs[name]))
        try:
            return self._program.execute(self._context)
        except KeyError as error:
            raise EvaluationError(f"no such key: {error.args[0]}") from error
        except ZeroDivisionError as error:
            raise EvaluationError("division by zero") from error
        except IndexError as error:
            raise EvaluationError(str(error)) from error
        except TypeError as error:
            raise EvaluationError("no such overload") from error
        except (RuntimeError, ValueError, OverflowError) as error:
            raise EvaluationError(_reworded(str(error))) from error


@lru_cache(maxsize=2048)
def problem(text: str) -> str:
    """What Kubernetes would say of an expression that does not compile, or nothing."""
    try:
        Expression(text)
    except BadExpression as error:
        return str(error)
    return ""


def _syntax(text: str, said: str) -> str:
    _, _, detail = said.partition("ERROR: ")
    detail = detail.replace(plain(text), text).replace("\n| ", "\n | ")
    return f"compilation failed: ERROR: {detail}" if detail else f"compilation failed: {said}"


def _undeclared(text: str, variables: Sequence[str], functions: Sequence[str]) -> str:
    """Every place of each name; a function is found at the parenthesis after its name."""
    found = [
        (place.start(), name)
        for name in variables
        for place in re.finditer(rf"(?<![\w.'\"]){name}\b", text)
    ] + [(p.end() - 1, name) for name in functions for p in re.finditer(rf"\b{name}\(", text)]
    return "compilation failed: " + "\n".join(
        at(text, column, f"undeclared reference to '{name}' (in container '')")
        for column, name in sorted(found)
    )


def at(text: str, column: int, said: str) -> str:
    """An error of the compiler at a place of an expression."""
    return f"ERROR: <input>:1:{column + 1}: {said}\n | {text}\n | {'.' * column}^"


_MATCHES = re.compile(r"""\.matches\(\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\)""")


def _bad_pattern(text: str) -> str:
    """What is said of a literal pattern that is none."""
    for found in _MATCHES.finditer(text):
        pattern = found[1] if found[1] is not None else found[2]
        try:
            matcher(pattern)
        except BadPattern:
            column = found.start(1 if found[1] is not None else 2) - 1
            return "compilation failed: " + at(text, column, "invalid matches argument")
    return ""


def _reworded(said: str) -> str:
    if "'int' error" in said or "'uint' error" in said or "'double' error" in said:
        kind = said.partition("'")[2].partition("'")[0]
        return f"type conversion error from 'string' to '{kind}'"
    if said.startswith("Python function call failed: "):
        return said.partition("Error: ")[2] or said
    _, marker, detail = said.partition("error: ")
    detail = detail.partition(". Check function")[0] if marker else said
    return detail.removeprefix("Python function call failed: ValueError: ")
