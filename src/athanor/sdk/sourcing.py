"""The source of a function, with what it needs of its own module; the rest is refused by name."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType

_PLAIN = (int, float, str, bool, bytes, type(None), tuple, list, dict)


class NotShippable(Exception):
    """The function refers to something that cannot go with it; the message names the way out."""


def source(function: Callable[..., object]) -> str:
    """A text that defines `function` under its name. Raises NotShippable."""
    if not isinstance(function, FunctionType) or not function.__name__.isidentifier():
        raise NotShippable(f"{function!r} is no plain function")
    parts: dict[str, str] = {}
    for name, text in _parts(function, set()):
        parts.setdefault(name, text)
    return "\n\n".join(["from __future__ import annotations", *parts.values()])


def _parts(function: FunctionType, seen: set[str]) -> Iterator[tuple[str, str]]:
    """What a function needs, then the function."""
    seen.add(function.__name__)
    if function.__closure__:
        names = ", ".join(function.__code__.co_freevars)
        raise NotShippable(
            f"{function.__name__} uses {names} of the function around it: pass them as arguments"
        )
    for name in sorted(_globals(function.__code__)):
        if name not in function.__globals__ or name in seen:
            continue
        yield from _needed(function, name, function.__globals__[name], seen)
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise NotShippable(
            f"the source of {function.__name__} cannot be found: write it in a file"
        ) from None
    if not text.startswith("def "):
        text = text[text.index("def ") :]  # decorators stay behind
    yield function.__name__, text


def _needed(
    function: FunctionType, name: str, value: object, seen: set[str]
) -> Iterator[tuple[str, str]]:
    if isinstance(value, ModuleType):
        yield name, f"import {value.__name__} as {name}"
    elif (home := _home(value)) not in (None, function.__module__, "builtins"):
        known = getattr(value, "__name__", name)
        yield name, f"from {home} import {known} as {name}"
    elif isinstance(value, FunctionType):
        yield from _parts(value, seen)
    elif isinstance(value, _PLAIN):
        yield name, f"{name} = {value!r}"
    else:
        raise NotShippable(
            f"{function.__name__} refers to {name}, a {type(value).__name__}: make it inside the "
            "function, pass it as an argument"
        )


def _home(value: object) -> str | None:
    """The module that defines a class or function under its name; None for other values."""
    home, known = getattr(value, "__module__", None), getattr(value, "__name__", None)
    found = isinstance(home, str) and getattr(sys.modules.get(home), str(known), None) is value
    return home if found else None


def _globals(code: CodeType) -> set[str]:
    """Names that a function and those inside it may take from their module."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(_globals(one) for one in inner))
