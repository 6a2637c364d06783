"""Pip requirements laid over an interpreter: folders cached by content, each built once.

The folder's name is a hash of the requirements and the interpreter. Whoever comes second waits
for the first (a file lock); a half-built folder never has the name. Pip runs with the agent's
rights, so only wheels are taken (an sdist would run somebody's code), and of people who have fewer
rights only names with versions, for interpreters that they cannot change.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from athanor.local.agent.images import Environment

_LIMIT = 1800  # seconds for one installation
USED = "overlays"
"""The folder of a pod that holds the names of the overlays it has."""


_PLAIN = re.compile(
    r"[A-Za-z0-9][\w.-]*\s*(\[[\w., -]*\])?\s*[\w.,*+!<>=~ ()-]*"  # a name, extras, versions
    r"(;[\w.,'\"<>=!~ ()-]*)?\s*(\s#.*)?", re.ASCII,
)  # fmt: skip


class Failed(Exception):
    """The requirements could not be installed; the message has pip's last lines."""


def check(requirements: str, env: Environment, known: frozenset[str]) -> None:
    """Whether pip may do that with the agent's rights for somebody who has fewer. Raises Failed.

    Options and addresses of requirements files read what the agent may read, and run what is built
    from sources; an interpreter runs what its owner wrote. `known` are folders of our own Pythons.
    """
    for line in requirements.splitlines():
        said = line.strip()
        if said and not said.startswith("#") and _PLAIN.fullmatch(said) is None:
            raise Failed(f"{said!r} is no name with versions, as in `torch>=2,<3`: nothing else is "
                         "installed here; a virtual environment of yours may have it")  # fmt: skip
    root = os.path.dirname(os.path.dirname(env.python))
    for path in {root, *map(os.path.realpath, env.needs)} - known:
        if not _ours(path) or not all(map(_closed, _inside(root))):
            raise Failed(f"{path} can be changed by others than whoever runs this node, who runs "
                         f"no program there: {env.python} -m pip install, yourself")  # fmt: skip


def _inside(root: str) -> Iterable[str]:
    """Folders of an environment from which its Python takes code."""
    library = Path(root, "lib")
    return [root, f"{root}/bin", *map(str, (library, *library.glob("python*"),
                                            *library.glob("python*/site-packages")))]  # fmt: skip


def _ours(path: str) -> bool:
    return all(map(_closed, (path, *map(str, Path(path).parents))))


def _closed(path: str) -> bool:
    """Whether nobody but root and ourselves changes what is in a folder."""
    found = os.lstat(path)
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    return found.st_uid in (0, os.geteuid()) and not shared


def digest(requirements: str, env: Environment) -> str:
    """The name of an overlay: what is in it and for which interpreter."""
    lines = sorted({line.strip() for line in requirements.splitlines() if line.strip()})
    real = os.path.realpath(env.python)
    return hashlib.sha256("\n".join([real, *lines]).encode()).hexdigest()[:24]


def build(root: Path, requirements: str, env: Environment) -> Path:
    """The folder with the requirements installed; made if it is not there. Raises Failed.

    Blocks: call it in a thread.
    """
    name = digest(requirements, env)
    target = root / name
    if not target.exists():
        root.mkdir(parents=True, exist_ok=True)
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                _install(root, target, requirements, env)
    os.utime(target)
    return target


def _install(root: Path, target: Path, requirements: str, env: Environment) -> None:
    work = root / f"{target.name}.{os.getpid()}.{time.monotonic_ns()}"
    wanted = work.with_suffix(".txt")
    wanted.write_text(requirements + "\n")
    uv = shutil.which("uv")
    command = (
        [uv, "pip", "install", "--quiet", "--python", env.python]
        if uv
        else [env.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    )
    try:
        done = subprocess.run(
            [*command, "--only-binary", ":all:", "--target", str(work), "-r", str(wanted)],
            capture_output=True, text=True, timeout=_LIMIT, check=False,
        )  # fmt: skip
        if done.returncode:
            tail = (done.stderr or done.stdout).strip().splitlines()[-5:]
            raise Failed("pip, wheels only: " + " / ".join(tail))
        work.rename(target)
    except subprocess.TimeoutExpired:
        raise Failed(f"pip took more than {_LIMIT} s") from None
    finally:
        wanted.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)


class Overlays:
    """The node's overlays: built in the background, one at a time each, however many ask."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._building: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, str] = {}

    def get(self, requirements: str, env: Environment, done: Callable[[], None]) -> Path | None:
        """The overlay's folder, or None while it is built: `done` is called then.

        Raises Failed, once for each failure; asking after that tries again.
        """
        name = digest(requirements, env)
        if name in self._failed:
            raise Failed(self._failed.pop(name))
        if (self.root / name).exists():
            os.utime(self.root / name)
            return self.root / name
        task = self._building.get(name)
        if task is None:
            task = asyncio.ensure_future(self._build(name, requirements, env))
            self._building[name] = task
        task.add_done_callback(lambda _: done())
        return None

    async def _build(self, name: str, requirements: str, env: Environment) -> None:
        try:
            await asyncio.to_thread(build, self.root, requirements, env)
        except (Failed, OSError) as error:
            self._failed[name] = str(error)
        finally:
            del self._building[name]
