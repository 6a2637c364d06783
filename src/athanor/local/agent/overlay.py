"""Pip requirements laid over an interpreter: folders cached by content, each built once.

The folder's name is a hash of the requirements and the interpreter. Whoever comes second waits
for the first (a file lock); a half-built folder never has the name. Only wheels are taken: an
sdist would run somebody's code with the agent's rights.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from athanor.local.agent.images import Environment

_LIMIT = 1800  # seconds for one installation
USED = "overlays"
"""The folder of a pod that holds the names of the overlays it has."""


class Failed(Exception):
    """The requirements could not be installed; the message has pip's last lines."""


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
