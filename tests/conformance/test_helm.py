"""The chart as the real helm reads it: the objects of `athanor install`, as a release."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance import worlds
from tests.conformance.kube import helm, plane

CHART = Path(__file__).parent.parent.parent / "deploy" / "helm" / "athanor"
HOME = "athanor-system"
KEEP = "helm.sh/resource-policy"
JOB = """
apiVersion: athanor.dev/v1alpha1
kind: TrainingJob
metadata: {name: kept, namespace: default}
spec:
  framework: generic
  roles: [{name: worker, template: {spec: {containers: [{name: main, image: busybox}]}}}]
"""
NEWER = ("admissionregistration.k8s.io/v1/MutatingAdmissionPolicy",
         "admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding")  # fmt: skip
WISHES = [
    {},
    {"image": "registry.example:5000/team/athanor@sha256:" + "0" * 64, "replicas": "3"},
    {"pullPolicy": "Always", "gatewayUrl": "https://a.example/x?y=1#z", "storage": "1.5Ti"},
    {"apiPort": "16443"},
    {
        "resources.requests.cpu": "2",
        "resources.requests.memory": "768Mi",
        "resources.limits.memory": "2Gi",
    },
    {"monitoring.dashboard": "true", "monitoring.rules": "true"},
]
"""Values, as helm is told them."""
FLAGS = {
    "image": "--image", "replicas": "--replicas", "pullPolicy": "--pull-policy",
    "gatewayUrl": "--gateway-url", "storage": "--storage", "apiPort": "--api-port",
    "resources.requests.cpu": "--cpu", "resources.requests.memory": "--memory",
    "resources.limits.memory": "--memory-limit",
    "monitoring.dashboard": "--dashboard", "monitoring.rules": "--rules",
}  # fmt: skip


class Shell:
    """helm, kubectl and athanor, over a folder of their own."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.env = {
            **os.environ, "HOME": str(folder), "KUBECONFIG": str(kubeconfig or folder / "none"),
        }  # fmt: skip

    def run(self, command: Path, *words: str, text: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            [str(command), *words], input=text, capture_output=True, text=True, timeout=180,
            check=False, env=self.env,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if fails else "")

    def helm(self, *words: str, fails: bool = False) -> str:
        return self.run(binary(), *words, fails=fails)

    def kubectl(self, *words: str, text: str = "", fails: bool = False) -> str:
        return self.run(plane.kubectl(), *words, text=text, fails=fails)

    def athanor(self, *words: str) -> str:
        return self.run(worlds.ATHANOR, *words)


def binary() -> Path:
    """The real helm; a test without one is skipped."""
    try:
        return helm.binary()
    except plane.NotAvailable as why:
        pytest.skip(str(why))


def objects(text: str) -> dict[tuple[str, str, str], Any]:
    """Manifests by kind, namespace and name, without what only helm reads."""
    found = {}
    for one in yaml.safe_load_all(text):
        if one:
            meta = one["metadata"]
            notes = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k != KEEP}
            meta |= {"annotations": notes} if notes else {}
            found[one["kind"], meta.get("namespace", ""), meta["name"]] = one
    return found


def test_lint_finds_nothing(tmp_path: Path) -> None:
    said = Shell(tmp_path).helm("lint", "--strict", str(CHART))
    assert "0 chart(s) failed" in said and "WARNING" not in said and "ERROR" not in said, said


@pytest.mark.parametrize("values", WISHES)
def test_the_templates_are_what_install_prints(tmp_path: Path, values: dict[str, str]) -> None:
    shell = Shell(tmp_path)
    values = {"image": "athanor:test", **values}
    told = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    rendered = shell.helm(
        "template", "athanor", str(CHART), "--namespace", "elsewhere", "--include-crds", *told,
        *(word for kind in NEWER for word in ("--api-versions", kind)),
    )  # fmt: skip
    words = [
        word for name, value in values.items()
        for word in (FLAGS[name], value) if word != "true"
    ]  # fmt: skip
    printed = shell.athanor("install", "--dry-run", "--in", "elsewhere", *words)
    wanted = objects(printed)
    del wanted["Namespace", "", "elsewhere"]  # helm's own: --create-namespace
    for (kind, _, _), one in wanted.items():
        if kind == "CustomResourceDefinition":  # no part of a release: they outlive it
            del one["metadata"]["labels"]
    assert objects(rendered) == wanted


@pytest.mark.parametrize(
    ("value", "said"),
    [("replicas=0", "replicas"), ("storage=lots", "storage"), ("pullPolicy=Often", "pullPolicy"),
     ("apiPort=0", "apiPort"), ("resources.requests.memory=much", "memory"),
     ("resources.requests.gpu=1", "gpu"),
     ("monitoring.rules=perhaps", "rules"), ("imagee=x", "imagee")],
)  # fmt: skip
def test_wrong_values_are_refused_by_name(tmp_path: Path, value: str, said: str) -> None:
    refused = Shell(tmp_path).helm("template", str(CHART), "--set", value, fails=True)
    assert said in refused, refused


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Shell]:
    if "kube" not in worlds.wanted():
        pytest.skip("world kube: `make kube` was not run")
    binary()
    with ExitStack() as stack:
        yield Shell(tmp_path, stack.enter_context(plane.running()))


def test_a_release_lives(cluster: Shell) -> None:
    def replicas() -> int:
        path = ("-n", HOME, "get", "deployment", "athanor-controllers", "-o", "json")
        return int(json.loads(cluster.kubectl(*path))["spec"]["replicas"])

    release = ("athanor", str(CHART), "--namespace", HOME)
    cluster.helm("install", *release, "--create-namespace", "--set", "image=athanor:test")
    printed = cluster.athanor("install", "--dry-run", "--image", "athanor:test", "--in", HOME)
    for kind, namespace, name in objects(printed):
        cluster.kubectl("get", kind, name, *(("-n", namespace) if namespace else ()))
    cluster.kubectl("apply", "-f", "-", text=JOB)
    cluster.kubectl("patch", "queue", "default", "--type=merge", "-p",
                    json.dumps({"spec": {"fairShare": {"weight": 3}}}))  # fmt: skip
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", str(CHART.parent.parent / "crds")
    )
    cluster.helm("upgrade", *release, "--reuse-values", "--set", "replicas=3")
    assert replicas() == 3
    cluster.helm("rollback", "athanor", "1", "--namespace", HOME)
    assert replicas() == 2
    cluster.helm("uninstall", "athanor", "--namespace", HOME)
    assert not cluster.kubectl("-n", HOME, "get", "deployments,services,roles", "-o", "name")
    left = cluster.kubectl("get", "trainingjob,queue,pool,priorityclass", "-o", "name")
    assert "athanor-gateway" in cluster.kubectl("-n", HOME, "get", "pvc", "-o", "name")
    for name in ("trainingjob.athanor.dev/kept", "queue.athanor.dev/default",
                 "pool.athanor.dev/default", "athanor-high"):  # fmt: skip
        assert name in left, "what people made and changed stays, as with athanor uninstall"
    cluster.helm("install", *release, "--set", "image=athanor:test")
    queue = json.loads(cluster.kubectl("get", "queue", "default", "-o", "json"))
    assert queue["spec"]["fairShare"]["weight"] == 3
    cluster.helm("uninstall", "athanor", "--namespace", HOME)
    cluster.athanor("uninstall", "--delete-data", "--yes", "--in", HOME)
    assert "athanor.dev" not in cluster.kubectl("get", "crds", "-o", "name")
