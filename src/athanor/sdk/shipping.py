"""A function as a program for elsewhere: by cloudpickle where it is installed, else by source.

By source, the function goes with the modules, constants and functions of its own module that it
uses; what else it refers to is refused by name. Arguments are JSON.
"""

from __future__ import annotations

import base64
import importlib.util
import inspect
import json
import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType

LIMIT = 96 * 1024
"""Bytes of a program: it travels in one environment variable (Linux allows 128 KiB)."""

RESULT = "result.json"
"""The file below the outputs that rank 0 writes the function's value to."""

RUN = (
    "import base64, os; exec(compile(base64.b64decode(os.environ['ATHANOR_PROGRAM']), 'train.py', "
    "'exec'))"
)
"""Runs the program that the environment holds, encoded: Kubernetes expands `$(…)` in variables."""

_END = """
import json as _json, os as _os
_value = {call}
if _os.environ.get("ATHANOR_INDEX", "0") == "0" and _os.environ.get("RANK", "0") == "0":
    _where = _os.environ.get("ATHANOR_OUTPUT_DIR")
    if _where:
        with open(_os.path.join(_where, "result.json"), "w") as _file:
            _json.dump(_value, _file, default=str)
"""
_PLAIN = (int, float, str, bool, bytes, type(None), tuple, list, dict)


class NotShippable(Exception):
    """The function refers to something that cannot go with it; the message names the way out."""


def packed(function: Callable[..., object], arguments: Mapping[str, object]) -> str:
    """`program`, as the environment carries it. Raises NotShippable."""
    text = base64.b64encode(program(function, arguments).encode()).decode()
    if len(text) > LIMIT:
        raise NotShippable(
            f"{function.__name__} and what it refers to are {len(text)} bytes, more than {LIMIT}: "
            "put it into a file and submit that"
        )
    return text


def program(function: Callable[..., object], arguments: Mapping[str, object]) -> str:
    """The text of a program that calls `function`. Raises NotShippable."""
    try:
        given = json.dumps(dict(arguments))
    except (TypeError, ValueError) as wrong:
        raise NotShippable(f"arguments must be JSON: {wrong}") from None
    if importlib.util.find_spec("cloudpickle"):
        body, call = _pickled(function)
    else:
        body, call = _source(function), function.__name__
    text = f"{body}\nimport json as _json\n_given = _json.loads({given!r})\n"
    return text + _END.format(call=f"{call}(**_given)")


def _pickled(function: Callable[..., object]) -> tuple[str, str]:
    cloudpickle = importlib.import_module("cloudpickle")
    module = sys.modules.get(function.__module__)
    mine = module is not None and not _is_installed(module)
    if mine and function.__module__ != "__main__":
        cloudpickle.register_pickle_by_value(module)
    try:
        data = base64.b64encode(cloudpickle.dumps(function)).decode()
    except (TypeError, AttributeError, pickle.PicklingError) as wrong:
        raise NotShippable(f"{function.__name__} cannot be pickled: {wrong}") from None
    finally:
        if mine and function.__module__ != "__main__":
            cloudpickle.unregister_pickle_by_value(module)
    load = f"import base64 as _b, pickle as _p\n_function = _p.loads(_b.b64decode({data!r}))"
    return load, "_function"


def _is_installed(module: ModuleType) -> bool:
    path = getattr(module, "__file__", None) or "site-packages"
    return "site-packages" in path or path.startswith(sys.base_prefix)


def _source(function: Callable[..., object]) -> str:
    if not isinstance(function, FunctionType):
        raise NotShippable(f"{function!r} is no plain function; install cloudpickle to ship it")
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
            f"{function.__name__} uses {names} of the function around it: pass them as arguments, "
            "or install cloudpickle"
        )
    for name in sorted(_globals(function.__code__)):
        if name not in function.__globals__ or name in seen:
            continue
        yield from _needed(function, name, function.__globals__[name], seen)
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise NotShippable(
            f"the source of {function.__name__} cannot be found: write it in a file, or install "
            "cloudpickle"
        ) from None
    if not text.startswith("def "):
        text = text[text.index("def ") :]  # decorators stay behind
    yield function.__name__, text


def _needed(
    function: FunctionType, name: str, value: object, seen: set[str]
) -> Iterator[tuple[str, str]]:
    if isinstance(value, ModuleType):
        yield name, f"import {value.__name__} as {name}"
    elif getattr(value, "__module__", None) not in (None, function.__module__, "builtins"):
        known = getattr(value, "__name__", name)
        yield name, f"from {value.__module__} import {known} as {name}"
    elif isinstance(value, FunctionType):
        yield from _parts(value, seen)
    elif isinstance(value, _PLAIN):
        yield name, f"{name} = {value!r}"
    else:
        raise NotShippable(
            f"{function.__name__} refers to {name}, a {type(value).__name__}: make it inside the "
            "function, pass it as an argument, or install cloudpickle"
        )


def _globals(code: CodeType) -> set[str]:
    """Names that a function and those inside it may take from their module."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(_globals(one) for one in inner))
