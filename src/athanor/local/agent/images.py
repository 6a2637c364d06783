"""Image names on a machine without containers: which interpreter a container gets.

`venv:///path` is somebody's virtual environment, `python:3.12` an interpreter by version, "" or
`host` the platform's own. Nothing is ever pulled: any other name is ErrImageNeverPull.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from athanor.api.processes import PYTHON
from athanor.local.agent.plan.observed import Hold

NAMES = ("python", "python3")
"""What scripts call the interpreter."""


class Environment(Struct, frozen=True, kw_only=True):
    """Where programs come from: `path` for PATH, `needs` are folders a pod must be able to read.

    `unnamed`: its folder has no `python` and `python3` that are this interpreter, as with Debian's
    own; pods are given some.
    """

    path: tuple[str, ...]
    python: str
    needs: tuple[str, ...] = ()
    virtual_env: str = ""
    libraries: tuple[str, ...] = ()
    unnamed: bool = False


class NoImage(Exception):
    """This node has nothing by that name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.hold = Hold(reason, message)


def resolve(image: str) -> Environment:
    """The environment an image name stands for. Raises NoImage."""
    if image in ("", "host"):
        return environment(Path(sys.executable))
    if image.startswith("venv://"):
        return _venv(image)
    if found := PYTHON.fullmatch(image):
        return _version(found[1])
    raise NoImage(
        "ErrImageNeverPull",
        f'Container image "{image}" is not present with pull policy of Never: this node runs '
        'processes, not containers; use "venv:///path/to/venv", "python:3.12" or "host"',
    )


def interpreters() -> dict[str, str]:
    """Every Python on this machine: full version → path of the interpreter."""
    found: dict[str, str] = {}
    own = ".".join(map(str, sys.version_info[:3]))
    found[own] = os.path.realpath(sys.executable)
    for path in _candidates():
        version = re.search(r"(?:versions/|cpython-)(\d+\.\d+\.\d+)", str(path))
        if version:
            found.setdefault(version[1], os.path.realpath(path))
        elif short := re.fullmatch(r"python(\d+\.\d+)", path.name):
            found.setdefault(short[1], os.path.realpath(path))
    return found


def homes() -> frozenset[str]:
    """The folders of this machine's Pythons and of our own environment: any pod may read them."""
    pythons = (*interpreters().values(), os.path.realpath(sys.executable))
    return frozenset((sys.prefix, *(str(Path(path).parent.parent) for path in pythons)))


def _candidates() -> Iterable[Path]:
    home = Path(os.path.expanduser("~"))
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    uv = home / ".local/share/uv/python"
    for root in (pyenv, uv):
        # none where the folder is closed to us
        yield from map(Path, sorted(glob.glob(f"{glob.escape(str(root))}/*/bin/python3")))
    for folder in ("/usr/local/bin", "/usr/bin"):
        for path in sorted(Path(folder).glob("python3.*")):
            if re.fullmatch(r"python3\.\d+", path.name):
                yield path


def _venv(image: str) -> Environment:
    root = Path(image.removeprefix("venv://"))
    python = root / "bin/python"
    if not root.is_absolute() or not python.exists():
        raise NoImage(
            "InvalidImageName" if not root.is_absolute() else "ErrImageNeverPull",
            f'"{image}" is no virtual environment: {python} does not exist on this node; '
            f"make it with: python3 -m venv {root}",
        )
    return environment(python)


def _version(version: str) -> Environment:
    table = interpreters()
    fits = [known for known in table if known == version or known.startswith(version + ".")]
    if not fits:
        raise NoImage(
            "ErrImageNeverPull",
            f'Container image "python:{version}" is not present with pull policy of Never: this '
            f"node has Python {', '.join(sorted(table))}; install it with: uv python install "
            f"{version}",
        )
    best = max(fits, key=lambda text: tuple(int(part) for part in text.split(".")))
    return environment(Path(table[best]))


def environment(python: Path) -> Environment:
    """That of one interpreter."""
    folder = python.parent
    root = folder.parent
    real = Path(os.path.realpath(python))
    needs = {str(root), str(real.parent.parent)} - {"/usr", "/usr/local", "/"}
    virtual = str(root) if (root / "pyvenv.cfg").exists() else ""
    extra = (str(real.parent),) if shutil.which("python3", path=str(folder)) is None else ()
    called = {os.path.realpath(folder / name) for name in NAMES}
    return Environment(
        path=(str(folder), *extra), python=str(python), needs=tuple(sorted(needs)),
        virtual_env=virtual, unnamed=called != {str(real)},
    )  # fmt: skip
