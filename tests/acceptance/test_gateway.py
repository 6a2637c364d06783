"""The gateway and visibility on a real Kubernetes: logs stay after a job, answers find the leader.

Pods are processes of a node that `athanor agent` joined; controllers and gateway are processes of
this machine with the tokens of their installed accounts, so their rights are the installation's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_join import Joined, cluster
from tests.conformance import product, worlds
from tests.conformance.product import until

__all__ = ["cluster"]
IMAGE = f"docker.io/library/python:{sys.version_info.major}.{sys.version_info.minor}"
"""A container's image, which a node of processes takes for its own Python."""


class Installed:
    """An installation on a cluster, and a project folder to submit from."""

    def __init__(self, there: Joined, project: Path) -> None:
        self.there, self.project = there, project
        self.said = there.there.said

    def athanor(self, *words: str, fails: bool = False) -> str:
        """What athanor says to an administrator of the cluster."""
        done = subprocess.run(
            [str(worlds.ATHANOR), "--kubeconfig", str(self.there.admin), *words], text=True,
            cwd=self.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
            check=False, env={**os.environ, "ATHANOR_DATA": "/nonexistent", "NO_COLOR": "1"},
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}{self.said()}"
        return done.stdout


@pytest.fixture(scope="module")
def installed(cluster: Joined, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    project = tmp_path_factory.mktemp("project")
    (project / "train.py").write_text("import helper; print(helper.WORD)")
    (project / "helper.py").write_text("WORD = 'taken along'")
    cluster.there.install()
    cluster.kubectl("label", "node", "joiner", "athanor.dev/pool=default")
    yield Installed(cluster, project)


def test_visibility_leads_to_whoever_leads(installed: Installed) -> None:
    there = installed.there
    found = there.get("endpointslice", "athanor-visibility", "-n", product.HOME)
    assert [end["addresses"] for end in found["endpoints"]] == [[product.ADDRESS]]
    assert found["metadata"]["ownerReferences"][0]["kind"] == "Service"
    service = there.get("apiservice", "v1alpha1.visibility.athanor.dev")
    assert {c["type"]: c["status"] for c in service["status"]["conditions"]}["Available"] == "True"
    path = "/apis/visibility.athanor.dev/v1alpha1/namespaces/default/gangs"
    there.kubectl("create", "serviceaccount", "nobody")
    nobody = ("--as", "system:serviceaccount:default:nobody")
    assert "orbidden" in there.kubectl("get", "--raw", path, *nobody, fails=True)
    there.kubectl("create", "rolebinding", "nobody", "--clusterrole=view",
                  "--serviceaccount=default:nobody")  # fmt: skip
    assert "GangVisibilityList" in there.kubectl("get", "--raw", path, *nobody)


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
