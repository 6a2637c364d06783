"""A sweep of 100 trials of five seconds on eight slots, and a workspace started again.

The ideal is `trials / slots × seconds`, with no time lost between them. A trial is a shell that
sleeps. Started again: from the command's write to phase Running, for a command that needs no time
of its own (JupyterLab takes as long as it takes).
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from athanor.api.meta import API_VERSION, JSON
from athanor.api.registry import of
from athanor.api.sweeps import Sweep
from athanor.api.workspaces import Workspace
from athanor.assembly.layout import DataDir
from athanor.client.kubeconfig import load
from athanor.client.sync import SyncHttp
from athanor.wire import calls
from bench.harness import Figure, quantile
from bench.up import WARM, command

SLOTS, SECONDS = 8, 5.0
REPORT = (
    'mkdir -p "${ATHANOR_PROGRESS_FILE%/*}" && sleep 5 && '
    'echo \'{"step":1,"metrics":{"loss":1}}\' > "$ATHANOR_PROGRESS_FILE"'
)


def run(full: bool) -> list[Figure]:
    """Both figures, on a platform of their own."""
    with tempfile.TemporaryDirectory(prefix="athanor-bench-") as scratch:
        data = DataDir(Path(scratch))
        _quietly(command(data, "up", "--detach", "--port", "0"))
        try:
            client = SyncHttp(load([data.admin]).target())
            return [_sweep(client, 100 if full else 40), _resume(client)]
        finally:
            _quietly(command(data, "down", "--yes"))


def _quietly(words: list[str]) -> None:
    subprocess.run(
        words, check=True, env=WARM, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _sweep(client: SyncHttp, trials: int) -> Figure:
    container = {
        "name": "main", "image": "host", "command": ["sh", "-c", REPORT],
        "resources": {"requests": {"cpu": "10m"}},
    }  # fmt: skip
    roles = [{"name": "w", "template": {"spec": {"containers": [container]}}}]
    spec: JSON = {
        "parameters": [{"name": "x", "type": "Float", "min": 0, "max": 1}],
        "objective": {"metric": "loss"}, "algorithm": {"name": "Random"}, "maxTrials": trials,
        "parallelism": SLOTS, "maxFailed": 0,
        "template": {"spec": {"framework": "generic", "roles": roles}},
    }  # fmt: skip
    began = time.perf_counter()
    _create(client, "Sweep", "s", spec)
    while True:
        found = client(calls.get(Sweep, "s", "default"))
        if found.status.phase in ("Succeeded", "Failed"):
            break
        time.sleep(0.1)
    spent = time.perf_counter() - began
    if found.status.phase != "Succeeded":
        raise RuntimeError(f"the sweep failed: {found.status.message}")
    ideal = trials / SLOTS * SECONDS
    return Figure(
        name="sweep_of_ideal", value=spent / ideal, unit=f"× of {ideal:g} s ({trials} trials)",
        limit=1.15, better="low",
    )  # fmt: skip


def _resume(client: SyncHttp) -> Figure:
    serve = "exec sleep 100000"
    spec: JSON = {"app": "command", "command": ["sh", "-c", serve], "requests": {"cpu": "10m"}}
    _create(client, "Workspace", "w", spec)
    _until(client, "Running")
    found = []
    for starts in range(1, 6):
        _patch(client, {"stopped": True})
        _until(client, "Stopped")
        began = time.perf_counter()
        _patch(client, {"stopped": False, "starts": starts})
        _until(client, "Running")
        found.append(time.perf_counter() - began)
    return Figure(
        name="workspace_resume", value=quantile(found, 0.5), unit="s", limit=3.0, better="low",
        runs=len(found),
    )  # fmt: skip


def _create(client: SyncHttp, kind: str, name: str, spec: JSON) -> None:
    resource = of(Sweep if kind == "Sweep" else Workspace)
    meta = {"name": name, "namespace": "default"}
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}
    client(calls.create(resource, body))


def _patch(client: SyncHttp, spec: JSON) -> None:
    client(calls.patch(of(Workspace), "w", "default", msgspec.to_builtins({"spec": spec})))


def _until(client: SyncHttp, phase: str) -> None:
    end = time.perf_counter() + 60
    while client(calls.get(Workspace, "w", "default")).status.phase != phase:
        if time.perf_counter() > end:
            raise RuntimeError(f"the workspace is not {phase} after a minute")
        time.sleep(0.02)
