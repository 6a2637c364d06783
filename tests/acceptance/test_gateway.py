"""The gateway on a real Kubernetes: code goes with a job, logs stay after it.

Pods are processes of a node that `athanor agent` joined; controllers and gateway are processes of
this machine with the tokens of their installed accounts, so their rights are the installation's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from athanor.client import kubeconfig
from athanor.client.target import Target
from tests.acceptance.test_join import Cluster, cluster, until
from tests.conformance import worlds
from tests.conformance.kube.plane import free_port

__all__ = ["cluster"]
HOME = "athanor-system"
IMAGE = f"docker.io/library/python:{sys.version_info.major}.{sys.version_info.minor}"
"""A container's image, which a node of processes takes for its own Python."""


class Installed:
    """An installation on a cluster, and a project folder to submit from."""

    def __init__(self, there: Cluster, project: Path, stack: ExitStack) -> None:
        self.there, self.project, self.stack = there, project, stack

    def athanor(self, *words: str, fails: bool = False) -> str:
        """What athanor says to an administrator of the cluster."""
        done = subprocess.run(
            [str(worlds.ATHANOR), "--kubeconfig", str(self.there.admin), *words], text=True,
            cwd=self.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
            check=False, env={**os.environ, "ATHANOR_DATA": "/nonexistent", "NO_COLOR": "1"},
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}{self.said()}"
        return done.stdout

    def said(self) -> str:
        """The ends of the parts' logs."""
        logs = (self.there.folder / f"athanor-{name}.log" for name in ("gateway", "controllers"))
        return "\n".join(log.read_text()[-3000:] for log in logs if log.exists())

    def part(self, account: str, *words: str) -> None:
        """A process of ours with an installed account's token."""
        token = self.there.kubectl("-n", HOME, "create", "token", account).strip()
        admin = kubeconfig.load([self.there.admin]).target()
        path = self.there.folder / f"{account}.kubeconfig"
        kubeconfig.write(path, "sa", Target(server=admin.server, ca=admin.ca, token=token))
        log = self.stack.enter_context((self.there.folder / f"{account}.log").open("wb"))
        command = [str(worlds.ATHANOR), "--kubeconfig", str(path), *words]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "ATHANOR_IMAGE": "host"}
        )
        self.stack.callback(process.wait, 30)
        self.stack.callback(process.terminate)


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    project = tmp_path_factory.mktemp("project")
    (project / "train.py").write_text("import helper; print(helper.WORD)")
    (project / "helper.py").write_text("WORD = 'taken along'")
    with ExitStack() as stack:
        made = Installed(cluster, project, stack)
        made.athanor("install", "--image", "host", "--wait", "0")
        cluster.kubectl("label", "node", "joiner", "athanor.dev/pool=default")
        # no cluster network leads from this API server to a Service: it goes by another name
        port = free_port()
        service = {"metadata": {"name": "athanor-gateway", "namespace": HOME}, "kind": "Service",
                   "apiVersion": "v1",
                   "spec": {"type": "ExternalName", "externalName": "localhost"}}  # fmt: skip
        cluster.kubectl("-n", HOME, "delete", "service", "athanor-gateway")
        cluster.kubectl("create", "-f", "-", text=json.dumps(service))
        made.part(
            "athanor-gateway", "gateway", "--listen", f"127.0.0.1:{port}", "--keep",
            str(cluster.folder / "kept"), "--service-port", str(port),
        )  # fmt: skip
        made.part("athanor-controllers", "controllers")
        path = "/apis/gateway.athanor.dev/v1alpha1/namespaces/default/podlogs"
        until(lambda: "items" in cluster.kubectl("get", "--raw", path, fails=True), made.said)
        yield made


def test_code_goes_along_and_logs_stay(installed: Installed) -> None:
    said = installed.athanor(
        "submit", "generic", "--name", "along", "--image", IMAGE, "--cpu", "100m", "--workers",
        "2", "--toleration", "all", "--code", ".", "--", "python", "train.py",
    )  # fmt: skip
    assert "uploaded" in said
    installed.athanor("wait", "along", "--timeout", "2m")
    lines = ["[worker-0] taken along", "[worker-1] taken along"]
    assert sorted(installed.athanor("logs", "along").splitlines()) == lines
    there = installed.there
    until(lambda: len(there.get("podlogs.gateway.athanor.dev")["items"]) == 2, installed.said)
    installed.athanor("delete", "along", "--yes")
    until(lambda: not there.get("pods", "-l", "athanor.dev/job=along")["items"], installed.said)
    assert sorted(installed.athanor("logs", "along").splitlines()) == lines


def test_a_pod_that_is_deleted_while_it_runs_is_read_to_its_end(installed: Installed) -> None:
    talk = "trap 'echo last words; exit 0' TERM; echo first; while :; do sleep 0.1; done"
    installed.athanor(
        "submit", "generic", "--name", "cut", "--image", IMAGE, "--cpu", "100m",
        "--toleration", "all", "--", "sh", "-c", talk,
    )  # fmt: skip
    installed.athanor("wait", "cut", "--for", "running", "--timeout", "1m")
    until(lambda: "first" in installed.athanor("logs", "cut"), installed.said)
    installed.athanor("suspend", "cut")
    wanted = ["[worker-0] first", "[worker-0] last words"]
    until(lambda: installed.athanor("logs", "cut").splitlines() == wanted, installed.said)


def test_a_rank_reports_through_it_where_no_agent_reads_its_file(installed: Installed) -> None:
    program = "import athanor_progress as p; p.report(3, 9, loss=0.5); p.saved(3)"
    installed.athanor(
        "submit", "generic", "--name", "far", "--image", IMAGE, "--cpu", "100m",
        "--toleration", "all", "--", "env", "-u", "ATHANOR_PROGRESS_FILE", "sh", "-c",
        f"python -c '{program}; import time; time.sleep(7); p.report(8, 9, loss=0.25)'",
    )  # fmt: skip
    installed.athanor("wait", "far", "--timeout", "2m")
    told = json.loads(installed.athanor("get", "far", "-o", "json"))["status"]["progress"]
    assert (told["step"], told["total"], told["metrics"]) == (8, 9, {"loss": 0.25})
    assert told["lastCheckpointStep"] == 3
