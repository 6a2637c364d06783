"""Report steps and metrics, ask for checkpoints; standard library only, for use inside jobs.

    import athanor_progress as progress

    for step in range(start, total):
        loss = train(step)
        progress.report(step, total, loss=loss)
        if progress.checkpoint_requested():
            save(step)
            progress.saved(step)

Outside of a job every call does nothing. On a cluster, where no agent of ours reads files, reports
go to the gateway. The contract, for other languages: the file named by
ATHANOR_PROGRESS_FILE holds one JSON object {step, total, metrics, outputs, lastCheckpointStep,
lastCheckpointTime, listens, updatedAt}, replaced whole by rename. The file `checkpoint-requested`
beside it exists while the platform asks for a checkpoint, which it does where `listens` is true;
its content is the time until which there is time for one (RFC 3339). SIGTERM means the same and
that the end is near.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor_progress.distant import Reporter

__all__ = [
    "catch_sigterm",
    "checkpoint_dir",
    "checkpoint_requested",
    "output",
    "report",
    "saved",
]

EVERY = 0.5
"""Seconds between two writes of mere steps; checkpoints and last steps are written at once."""

_lock = threading.Lock()
_said: dict[str, Any] = {}
_written = 0.0
_answered = 0.0
_terminating = False
_distant: Reporter | None = None


def report(step: int, total: int | None = None, **metrics: float) -> None:
    """Say how far the job is, with any numbers of interest; cheap enough for every step."""
    with _lock:
        _said["step"] = int(step)
        if total is not None:
            _said["total"] = int(total)
        if metrics:
            _said["metrics"] = {**_said.get("metrics", {}), **_floats(metrics)}
        last = total is not None and step >= total - 1
        if last or time.monotonic() - _written >= EVERY:
            _write()


def output(**results: str) -> None:
    """Hand results on by name: a workflow's later steps find them as steps.NAME.outputs.RESULT."""
    with _lock:
        _said["outputs"] = {**_said.get("outputs", {}), **{k: str(v) for k, v in results.items()}}
        _write()


def saved(step: int) -> None:
    """Say that a checkpoint of this step is safely on disk; it also answers a request."""
    global _answered, _terminating
    with _lock:
        _said["lastCheckpointStep"] = int(step)
        _said["lastCheckpointTime"] = _stamp()
        _answered, _terminating = _asked(), False
        _write()


def checkpoint_requested() -> bool:
    """Whether the platform wants a checkpoint now; false again after `saved`.

    Whoever asks this once is asked for one, and waited for, whenever the job has to go.
    """
    if not _said.get("listens"):
        with _lock:
            _said["listens"] = True
            _write()
    if _terminating:
        return True
    asked = _asked()
    return asked > 0.0 and asked != _answered


def checkpoint_dir(default: str = "checkpoints") -> str:
    """The directory that survives attempts; made when it is missing."""
    path = os.environ.get("ATHANOR_CHECKPOINT_DIR", default)
    os.makedirs(path, exist_ok=True)
    return path


def catch_sigterm() -> None:
    """Take SIGTERM as a request for a checkpoint instead of the end; call from the main thread.

    The job has to leave by itself then: after its grace period it is killed.
    """

    def told(number: int, frame: object) -> None:
        global _terminating
        _terminating = True

    signal.signal(signal.SIGTERM, told)


def _asked() -> float:
    """When the request was made (the file's own time); 0 when there is none."""
    path = os.environ.get("ATHANOR_PROGRESS_FILE")
    if not path:
        return _distant.asked if _distant is not None else 0.0
    try:
        return os.stat(os.path.join(os.path.dirname(path), "checkpoint-requested")).st_mtime
    except OSError:
        return 0.0


def _write() -> None:
    global _written
    path = os.environ.get("ATHANOR_PROGRESS_FILE")
    _written = time.monotonic()
    _said["updatedAt"] = _stamp()
    if not path:
        _tell_gateway()
        return
    draft = f"{path}.{os.getpid()}"
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(_said, file)
        os.replace(draft, path)
    except OSError:
        return  # a full disk must not end a training run; the next report tries again


def _tell_gateway() -> None:
    global _distant
    if "ATHANOR_JOB" not in os.environ:
        return
    if _distant is None:
        distant = importlib.import_module("athanor_progress.distant")  # TLS where it is needed
        if not distant.is_there():
            return
        _distant = distant.Reporter()
    _distant.tell(_said)


def _stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _floats(metrics: dict[str, float]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in metrics.items()}
    return {name: value for name, value in numbers.items() if value - value == 0.0}
