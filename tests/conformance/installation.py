"""A cluster that is installed on: control plane, simulated kubelets, what kubectl and athanor say.

The Deployment's pods are kwok's; the controllers that work are processes of this machine with the
service account's token, so every right they have is the installed role's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.kube import guard, plane

ATHANOR = str(Path(sys.executable).parent / "athanor")
HOME = "athanor-system"
NODE = """
apiVersion: v1
kind: Node
metadata: {name: NAME, labels: {athanor.dev/pool: default, kubernetes.io/hostname: NAME}}
status:
  capacity: {cpu: "8", memory: 32Gi, pods: "110"}
  allocatable: {cpu: "8", memory: 32Gi, pods: "110"}
"""
GANG = """
apiVersion: athanor.dev/v1alpha1
kind: TrainingJob
metadata: {name: two, namespace: default}
spec:
  framework: generic
  roles:
  - name: worker
    replicas: 2
    template:
      spec:
        containers:
        - {name: main, image: busybox, resources: {requests: {cpu: "1"}}}
  scheduling: {queue: default}
"""


class Cluster:
    """A control plane, simulated kubelets, and our installation."""

    def __init__(self, kubeconfig: Path, folder: Path, stack: ExitStack) -> None:
        self.kubeconfig = kubeconfig
        self.folder = folder
        self.stack = stack

    def run(self, *command: str, fails: bool = False, stdin: str = "") -> str:
        """One command; its output."""
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=180, check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "ATHANOR_DATA": "/nonexistent"},
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def kubectl(self, *words: str, fails: bool = False, stdin: str = "") -> str:
        """What kubectl says."""
        return self.run(str(plane.kubectl()), *words, fails=fails, stdin=stdin)

    def athanor(self, *words: str, fails: bool = False) -> str:
        """What athanor says."""
        return self.run(ATHANOR, "--kubeconfig", str(self.kubeconfig), *words, fails=fails)

    def printed(self, *words: str) -> list[Any]:
        """The objects that `athanor install --dry-run` prints, without its notes."""
        said = (ATHANOR, "--kubeconfig", str(self.kubeconfig), "install", "--dry-run", *words)
        return list(yaml.safe_load_all(self.run("sh", "-c", 'exec "$@" 2>/dev/null', "sh", *said)))

    def process(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Something that runs on until the test ends."""
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, process_group=guard.group())
        self.stack.callback(end, process)
        return process

    def replica(self, name: str) -> subprocess.Popen[bytes]:
        """A controllers' process with the service account's rights and nothing else."""
        token = self.kubectl("-n", HOME, "create", "token", "athanor-controllers").strip()
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"] = [{"name": "sa", "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = "sa"
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return self.process(
            name, ATHANOR, "--kubeconfig", str(path), "controllers", "--identity", name
        )

    def until(self, what: str, holds: Callable[[], bool], within: float = 120.0) -> float:
        """Seconds until something holds."""
        start = time.monotonic()
        while not holds():
            assert time.monotonic() - start < within, f"{what}: not within {within} s"
            time.sleep(0.2)
        return time.monotonic() - start

    def leader(self) -> str:
        """Who holds the lease."""
        said = self.kubectl(
            "-n", HOME, "get", "lease", "athanor-controllers", "--ignore-not-found",
            "-o", "jsonpath={.spec.holderIdentity}",
        )  # fmt: skip
        return said.strip()


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process."""
    process.terminate()
    process.wait(timeout=30)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """One with two nodes."""
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(plane.running("-scheduler"))
        made = Cluster(kubeconfig, folder, stack)
        made.process(
            "kwok", str(plane.newest()), "kwok", "--kubeconfig", str(kubeconfig),
            "--manage-all-nodes=true", "--node-lease-duration-seconds=40",
        )  # fmt: skip
        for name in ("one", "two"):
            made.kubectl("create", "-f", "-", stdin=NODE.replace("NAME", name))
        yield made
