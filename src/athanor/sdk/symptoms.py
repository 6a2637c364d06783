"""What the last lines of a failed rank's log give away: the likely cause, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 2
"""Hints at most: the first that fit say more than all of them."""

SYMPTOMS: Sequence[tuple[str, str]] = (
    (
        r"ModuleNotFoundError|ImportError|No module named",
        "install the missing module in the job's venv, or name it in --requirements",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|RESOURCE_EXHAUSTED|CUDA_ERROR_OUT_OF_MEMORY",
        "the device's memory is full: smaller batches, or a larger device",
    ),
    (
        r"Bus error|unable to (open|mmap|write).*shared memory|insufficient shared memory|/dev/shm",
        "shared memory is full: give the job more with --shm 8Gi, or use fewer loader processes",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "a disk or volume is full: athanor gc frees what the platform keeps; write elsewhere, or "
        "mount a larger claim with --mount",
    ),
    (
        r"Read-only file system",
        "the job's own folder is read-only: write below $ATHANOR_OUTPUT_DIR, "
        "$ATHANOR_CHECKPOINT_DIR or /tmp, or mount a folder with --mount",
    ),
    (
        r"No CUDA GPUs are available|no CUDA-capable device|Found no NVIDIA driver|"
        r"CUDA driver version is insufficient|no kernel image is available",
        "no device that the job's libraries can use: ask for one with --gpus 1, and let the CUDA "
        "of its environment fit the node's driver",
    ),
    (r"Address already in use", "use $ATHANOR_PORT instead of a fixed port"),
    (
        r"Permission denied|PermissionError",
        "the job runs as you or as an unprivileged user, never as root: see who owns that path",
    ),
    (
        r"cannot open shared object file",
        "a shared library is missing: a package that brings it in the job's venv or in "
        "--requirements, or LD_LIBRARY_PATH by --env",
    ),
    (
        r"(?<!shared object file: )No such file or directory|can't open file|FileNotFoundError",
        "paths are relative to the directory the job was submitted from",
    ),
    (
        r"Connection (refused|reset|closed by)|Broken pipe|EOFError|"
        r"collective operation timeout|NCCL (error|WARN)|Gloo.*(closed|timed? ?out)|"
        r"DEADLINE_EXCEEDED|Barrier timed out",
        "a peer was gone or not there yet: see which rank failed first, and what it said",
    ),
)
"""Pattern → hint, the most telling first."""

SIGNALS = {
    "SIGSEGV": "compiled code crashed, usually a library that does not fit the others: --env "
    "PYTHONFAULTHANDLER=1 shows where",
    "SIGILL": "a library was built for another processor than the node's",
    "SIGBUS": "shared memory may be full: give the job more with --shm 8Gi",
    "SIGABRT": "a library gave up: the last lines say why; --env PYTHONFAULTHANDLER=1 shows where",
    "SIGKILL": "killed from outside: its node may have run out of memory, or it did not leave in "
    "its grace period (--grace)",
}
"""What killed a rank → hint."""

_COMPILED = [(re.compile(pattern), hint) for pattern, hint in SYMPTOMS]


def hints_of(log: Sequence[str]) -> list[str]:
    """The hints that fit these lines."""
    text = "\n".join(log)
    return [hint for pattern, hint in _COMPILED if pattern.search(text)][:MOST]
