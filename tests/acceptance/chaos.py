"""Jobs flow while processes of the platform are killed; what must hold is checked, not hoped.

Every rank holds an flock on a file of its own while it lives, so a second live attempt of a rank
finds the lock taken and says so. Jobs have no retries of their own (`backoffLimit: 0`): a fault of
the platform that was charged to the user fails the job, and the test.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.client.rest import ApiException
from urllib3.exceptions import HTTPError

from athanor.local.agent.launch import tag

PARTS = {
    "server": "athanor.assembly.server",
    "controllers": "athanor.assembly.controllers",
    "agent": "athanor.local.agent",
    "supervisor": "supervisor",
}
GROUP = ("athanor.dev", "v1alpha1")

RANK = """
import fcntl, os, sys, time
name = os.environ["ATHANOR_JOB"] + "-" + os.environ["ATHANOR_RANK"]
lock = open(os.path.join(DIR, name), "a+")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    open(os.path.join(DIR, "violations"), "a").write(name + "\\n")
    sys.exit(9)
time.sleep(SECONDS)
"""


def processes(data: Path) -> dict[str, int]:
    """The platform's processes over this data directory: part → pid.

    A child between its fork and its program still has its parent's command line: it is no part.
    """
    found: dict[str, dict[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue  # it ended while we looked
        if str(data) not in command or "assembly.watchman" in command or state == "Z":
            continue
        for part, word in PARTS.items():
            if word in command and (part != "agent" or "supervisor" not in command):
                found.setdefault(part, {})[int(entry.name)] = int(parent)
                break
    return {
        part: pid
        for part, pids in found.items()
        for pid, parent in pids.items()
        if parent not in pids
    }


def job(name: str, locks: Path, seconds: float, workers: int) -> dict[str, Any]:
    """A TrainingJob whose ranks hold their locks for some seconds."""
    script = f"DIR = {str(locks)!r}\nSECONDS = {seconds}\n{RANK}"
    container = {
        "name": "main",
        "image": "host",
        "command": ["python3", "-c", script],
        "resources": {"requests": {"cpu": "10m"}},
        "volumeMounts": [{"name": "locks", "mountPath": str(locks)}],
    }
    volume = {"name": "locks", "hostPath": {"path": str(locks)}}
    template = {"spec": {"containers": [container], "volumes": [volume]}}
    return {
        "apiVersion": "/".join(GROUP),
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {
            "framework": "generic",
            "roles": [{"name": "worker", "replicas": workers, "template": template}],
            "runPolicy": {"backoffLimit": 0},
        },
    }


class Flow:
    """Submits jobs, kills processes at seeded moments, and keeps account of both."""

    def __init__(self, api: client.ApiClient, data: Path, locks: Path, seed: int) -> None:
        self.jobs = client.CustomObjectsApi(api)
        self.data = data
        self.locks = locks
        self.dice = random.Random(seed)
        self.acknowledged: list[str] = []
        self.killed: list[tuple[str, float]] = []

    def submit(self, number: int) -> None:
        """One job, sent again until the server answers; an answer is an acknowledgement."""
        name = f"chaos-{number:04d}"
        manifest = job(name, self.locks, self.dice.uniform(0.1, 1.0), self.dice.randint(1, 3))
        deadline = time.monotonic() + 60
        while True:
            try:
                self.jobs.create_namespaced_custom_object(
                    *GROUP, "default", "trainingjobs", manifest, _request_timeout=10
                )
            except ApiException as refused:
                if refused.status != 409 and time.monotonic() > deadline:
                    raise
                if refused.status == 409:
                    break  # an earlier, unanswered attempt had arrived
            except HTTPError:
                if time.monotonic() > deadline:
                    raise
            else:
                break
            time.sleep(0.05)
        self.acknowledged.append(name)

    def kill(self) -> None:
        """kill -9 one of the four processes that live, waiting until one does."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if alive := processes(self.data):
                part = self.dice.choice(sorted(alive))
                try:
                    os.kill(alive[part], signal.SIGKILL)
                except ProcessLookupError:
                    continue  # it ended while we chose
                self.killed.append((part, time.monotonic()))
                return
            time.sleep(0.05)
        raise AssertionError("nothing of the platform lives for a minute")

    def run(self, jobs: int, kills: int, every: float) -> None:
        """`jobs` submissions spread between `kills` kills, about `every` seconds apart."""
        per_kill = jobs / max(kills, 1)
        number = 0
        for count in range(1, kills + 1):
            while number < min(round(count * per_kill), jobs):
                self.submit(number)
                number += 1
            time.sleep(self.dice.uniform(0, 2 * every))
            self.kill()
        for rest in range(number, jobs):
            self.submit(rest)

    def settle(self, timeout: float) -> dict[str, str]:
        """Waits until every acknowledged job is finished; name → phase (or "missing")."""
        deadline = time.monotonic() + timeout
        phases: dict[str, str] = {}
        while time.monotonic() < deadline:
            try:
                listed = self.jobs.list_namespaced_custom_object(
                    *GROUP, "default", "trainingjobs", _request_timeout=10
                )
            except (ApiException, HTTPError):
                time.sleep(0.5)  # the server is being restarted
                continue
            seen = {i["metadata"]["name"]: i.get("status", {}) for i in listed["items"]}
            phases = {
                name: seen[name].get("phase", "Pending") if name in seen else "missing"
                for name in self.acknowledged
            }
            if all(phase in ("Succeeded", "Failed", "missing") for phase in phases.values()):
                break
            time.sleep(0.5)
        return phases

    def told(self, name: str) -> str:
        """What a job says of its failure, for the person who reads the test's."""
        found = self.jobs.get_namespaced_custom_object(*GROUP, "default", "trainingjobs", name)
        status = found["status"]
        return f"{status.get('reason')}: {status.get('message')} {status.get('failures')}"


def leftovers(data: Path) -> dict[str, list[str]]:
    """What a platform that went down may not leave: processes, mounts, cgroups, a folder."""
    running = [f"{part} {pid}" for part, pid in processes(data).items()]
    ranks = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            # ranks name the folder of their locks, beside the data, in their command line
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            if str(data.parent).encode() in command + (entry / "environ").read_bytes():
                ranks.append(f"{entry.name} {command.decode(errors='replace')[:80]}")
        except OSError:
            continue  # it ended while we looked
    mounts = [line for line in Path("/proc/mounts").read_text().split("\n") if str(data) in line]
    groups = [str(group) for group in Path("/sys/fs/cgroup").rglob(f"athanor-{tag(data)}")]
    noted = [file.read_text() for file in data.glob("run/gateway.folder")]
    found = {
        "platform": running, "pods": ranks, "mounts": mounts, "cgroups": groups, "folders": noted,
    }  # fmt: skip
    return {kind: left for kind, left in found.items() if left}
