"""A function as a program for elsewhere: as it is (by cloudpickle), or by its source.

As it is, it takes along what it holds: closures, lambdas, classes of a notebook; the same Python
must run it. By source, which goes to an image with a Python of its own, it goes with the modules,
constants and functions of its own module that it uses (see `sourcing`); arguments are JSON then.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

import cloudpickle

from athanor.sdk import sourcing
from athanor.sdk.sourcing import NotShippable as NotShippable

LIMIT = 96 * 1024
"""Bytes of a program: it travels in one environment variable (Linux allows 128 KiB)."""

RESULT = "result.json"
"""The file below the outputs that rank 0 writes the function's value to."""

TOLD = 8 * 1024
"""Characters of a value that is told with the job's progress, too: where outputs are out of sight,
as on a cluster, it is had from there."""

RUN = (
    "import base64, os; exec(compile(base64.b64decode(os.environ['ATHANOR_PROGRAM']), 'train.py', "
    "'exec'))"
)
"""Runs the program that the environment holds, encoded: Kubernetes expands `$(…)` in variables."""

_PICKLED = """
import base64 as _base64, sys as _sys
if _sys.version_info[:2] != {version}:
    raise SystemExit(
        "the function was packed by Python %d.%d, this is %d.%d: submit it from the same Python, "
        "or from a file, with an image" % ({version} + _sys.version_info[:2]))
_sys.path[:0] = [_path for _path in {paths} if _path not in _sys.path]
try:
    import cloudpickle as _pickle
    _function, _given = _pickle.loads(_base64.b64decode({data!r}))
except ImportError as _wrong:
    raise SystemExit("the function cannot be unpacked: %s; install that in the job's environment"
        % _wrong)
except AttributeError as _wrong:
    raise SystemExit("the function cannot be unpacked: %s; it was packed by cloudpickle %s, which "
        "the job's environment should have, too" % (_wrong, {packer!r}))
"""
_CALL = """
import json as _json, os as _os
_value = {name}(**_given)
_rank = [_os.environ.get(_name, "0") for _name in ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")]
_where = _os.environ.get("ATHANOR_OUTPUT_DIR")
if _where and {{*_rank, _os.environ.get("ATHANOR_INDEX", "0")}} == {{"0"}}:
    _text = _json.dumps(_value, default=lambda _it: getattr(_it, "tolist", _it.__str__)())
    with open(_os.path.join(_where, "result.json"), "w") as _file:
        _file.write(_text)
    if len(_text) <= {most}:
        try:
            import athanor_progress as _progress
            _progress.output(result=_text)
        except ImportError:
            pass
"""


def packed(
    function: Callable[..., object], arguments: Mapping[str, object], *, elsewhere: bool = False
) -> str:
    """`program`, as the environment carries it. Raises NotShippable."""
    text = base64.b64encode(program(function, arguments, elsewhere=elsewhere).encode()).decode()
    if len(text) > LIMIT:
        raise NotShippable(
            f"{name_of(function)} and what it refers to are {len(text)} bytes, more than {LIMIT}: "
            "read data inside of the function, or put it into a file and submit that"
        )
    return text


def program(
    function: Callable[..., object], arguments: Mapping[str, object], *, elsewhere: bool = False
) -> str:
    """The text of a program that calls `function`; `elsewhere` another Python runs it, perhaps.

    Raises NotShippable.
    """
    if elsewhere:
        try:
            return _by_source(function, arguments)
        except NotShippable:
            pass  # as it is, then: the program says so where Python is another
    data = base64.b64encode(_pickled(function, arguments)).decode()
    version = tuple(sys.version_info[:2])
    unpack = _PICKLED.format(
        version=version, paths=_paths(), data=data, packer=cloudpickle.__version__
    )
    return unpack + _CALL.format(name="_function", most=TOLD)


def name_of(function: Callable[..., object]) -> str:
    """What a function is called; a callable object by its class."""
    return str(getattr(function, "__name__", type(function).__name__))


def _by_source(function: Callable[..., object], arguments: Mapping[str, object]) -> str:
    try:
        given = json.dumps(dict(arguments))
    except (TypeError, ValueError) as wrong:
        raise NotShippable(f"arguments must be JSON: {wrong}") from None
    body = sourcing.source(function)
    return f"{body}\nimport json as _json\n_given = _json.loads({given!r})\n" + _CALL.format(
        name=name_of(function), most=TOLD
    )


def _pickled(function: Callable[..., object], arguments: Mapping[str, object]) -> bytes:
    """Function and arguments. What its own module defines goes along, unless it is installed."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    mine = module is not None and module.__name__ != "__main__" and not _is_installed(module)
    if mine:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((function, dict(arguments))))
    except (TypeError, AttributeError, ValueError, pickle.PicklingError) as wrong:
        raise NotShippable(
            f"{name_of(function)} refers to something that cannot travel ({wrong}): make it inside "
            "of the function"
        ) from None
    finally:
        if mine:
            cloudpickle.unregister_pickle_by_value(module)


def _is_installed(module: ModuleType) -> bool:
    path = getattr(module, "__file__", None) or "site-packages"
    return "site-packages" in path or path.startswith(sys.base_prefix)


def _paths() -> list[str]:
    """Where the submitter's own modules are found, beside what is installed."""
    own = (os.path.abspath(path) for path in sys.path if not path.endswith(".zip"))
    roots = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return [path for path in own if not path.startswith(roots) and os.path.isdir(path)]
