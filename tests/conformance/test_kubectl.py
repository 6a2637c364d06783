"""kubectl 1.36, unchanged, on both servers; what needs a node runs on ours only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.kube import plane

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "examiner"}},
    "spec": {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "main",
                "image": "host",
                "command": ["sh", "-c", "echo one; echo two; exec sleep 600"],
            }
        ],
    },
}
SERVE = (
    "import socket\n"
    "s = socket.create_server(('127.0.0.1', 8000))\n"
    "while True:\n"
    "    c, _ = s.accept(); c.sendall(b'hello ' + c.recv(100)); c.close()\n"
)

Run = Callable[..., str]


def kubectl_command(kubeconfig: Path) -> list[str]:
    """kubectl for one server, or a skip with the reason."""
    try:
        binary = plane.kubectl()
    except plane.NotAvailable as why:
        pytest.skip(str(why))
    cache = kubeconfig.parent / "kubectl-cache"
    return [str(binary), "--kubeconfig", str(kubeconfig), "--cache-dir", str(cache)]


@pytest.fixture
def kubectl(kubeconfig: Path, namespace: str) -> Run:
    """Runs kubectl in a fresh namespace; returns its output, fails on a failure not expected."""
    command = kubectl_command(kubeconfig)

    def run(*args: str, stdin: Any = None, fails: bool = False) -> str:
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        done = subprocess.run(
            [*command, "-n", namespace, *args], input=text, capture_output=True, text=True,
            timeout=120, check=False, env={**os.environ, "KUBECTL_EXPLAIN_OPENAPIV3": "true"},
        )  # fmt: skip
        assert (done.returncode != 0) == fails, (args, done.stdout, done.stderr)
        return done.stdout + done.stderr

    run("create", "namespace", namespace)
    return run


def only_ours(kubeconfig: Path) -> None:
    """Skips the real control plane, which has no node here that runs containers."""
    if kubeconfig.parent.name.startswith("kubeplane-"):
        pytest.skip("the real control plane has no node that runs containers here")


def test_a_list_is_applied_as_its_objects_are(kubectl: Run, namespace: str) -> None:
    def made(name: str, **more: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}

    whole = {"apiVersion": "v1", "kind": "List", "items": [made("a"), made("b", data={"k": "1"})]}
    said = kubectl("apply", "-f", "-", stdin=whole)
    assert said == "configmap/a created\nconfigmap/b created\n"
    assert kubectl("get", "cm", "b", "-o", "jsonpath={.data.k}") == "1"
    whole["items"] = [made("c", dta={})]
    assert 'unknown field "dta"' in kubectl("apply", "-f", "-", stdin=whole, fails=True)


@pytest.mark.smoke
def test_apply_get_patch_delete(kubectl: Run, namespace: str) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
              "data": {"k": "1", "l": "2"}}  # fmt: skip
    assert kubectl("apply", "-f", "-", stdin=config) == "configmap/c created\n"
    assert kubectl("apply", "-f", "-", stdin=config) == "configmap/c unchanged\n"
    del config["data"]["l"]  # type: ignore[attr-defined]
    assert kubectl("apply", "-f", "-", stdin=config) == "configmap/c configured\n"
    assert json.loads(kubectl("get", "cm", "c", "-o", "json"))["data"] == {"k": "1"}
    kubectl("label", "cm", "c", "a=b")
    assert kubectl("get", "cm", "-l", "a=b", "-o", "name") == "configmap/c\n"
    kubectl("patch", "cm", "c", "--type=json", "-p", '[{"op":"add","path":"/data/m","value":"x"}]')
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.data.m}") == "x"
    header = kubectl("get", "cm", "c").split("\n")[0].split()
    assert header == ["NAME", "DATA", "AGE"]
    assert "already exists" in kubectl("create", "-f", "-", stdin=config, fails=True)
    assert kubectl("delete", "cm", "c") == f'configmap "c" deleted from {namespace} namespace\n'
    assert "NotFound" in kubectl("get", "cm", "c", fails=True)


def test_server_side_apply_conflicts(kubectl: Run) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"k": "1"},
    }
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in kubectl(*apply, "--field-manager=a", stdin=config)
    config["data"] = {"k": "2"}
    refused = kubectl(*apply, "--field-manager=b", stdin=config, fails=True)
    assert 'conflict with "a"' in refused and ".data.k" in refused
    kubectl(*apply, "--field-manager=b", "--force-conflicts", stdin=config)
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.data.k}") == "2"


def test_wrong_objects_are_refused_with_the_field(kubectl: Run) -> None:
    bad = {**POD, "spec": {**POD["spec"], "containerz": []}}  # type: ignore[dict-item]
    assert 'unknown field "spec.containerz"' in kubectl("apply", "-f", "-", stdin=bad, fails=True)
    bad = {**POD, "metadata": {"name": "Not_A_Name"}}
    assert "metadata.name" in kubectl("apply", "-f", "-", stdin=bad, fails=True)
    bad = {**POD, "spec": {**POD["spec"], "restartPolicy": "Sometimes"}}  # type: ignore[dict-item]
    assert "spec.restartPolicy" in kubectl("apply", "-f", "-", stdin=bad, fails=True)


def test_explain_describe_and_discovery(kubectl: Run) -> None:
    assert "containers" in kubectl("explain", "pod.spec")
    assert "<string>" in kubectl("explain", "pod.spec.containers.image")
    kubectl("create", "configmap", "c", "--from-literal=k=v")
    described = kubectl("describe", "cm", "c")
    assert "Name:         c" in described and "k:" in described
    resources = kubectl("api-resources")
    for word in ("pods", "customresourcedefinitions", "leases", "clusterroles"):
        assert word in resources
    assert "Server Version: v1.36" in kubectl("version")


def test_can_i_and_tokens(kubectl: Run, namespace: str) -> None:
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "robot", "--role=reader",
            f"--serviceaccount={namespace}:robot")  # fmt: skip
    robot = f"--as=system:serviceaccount:{namespace}:robot"
    assert kubectl("auth", "can-i", "list", "configmaps", robot) == "yes\n"
    assert kubectl("auth", "can-i", "delete", "configmaps", robot, fails=True).startswith("no")
    token = kubectl("create", "token", "robot").strip()
    assert token.count(".") == 2
    refused = kubectl("get", "secrets", robot, fails=True)
    assert "Forbidden" in refused and f"system:serviceaccount:{namespace}:robot" in refused


def test_crd_table_scale_and_wait(kubectl: Run, namespace: str) -> None:
    group = f"{namespace}.example.com"
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                                                 "statusReplicasPath": ".status.replicas"}},
        "additionalPrinterColumns": [
            {"name": "Wanted", "type": "integer", "jsonPath": ".spec.replicas"}],
    }  # fmt: skip
    names = {"plural": "gears", "singular": "gear", "kind": "Gear", "shortNames": ["gr"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gears.{group}"},
        "spec": spec,
    }
    kubectl("apply", "-f", "-", stdin=definition)
    kubectl("wait", "--for=condition=Established", f"crd/gears.{group}", "--timeout=60s")
    gear = {"apiVersion": f"{group}/v1", "kind": "Gear", "metadata": {"name": "g"},
            "spec": {"replicas": 1}}  # fmt: skip
    kubectl("apply", "-f", "-", stdin=gear)
    kubectl("scale", "gear", "g", "--replicas=5")
    assert kubectl("get", "gr", "g", "--no-headers").split()[:2] == ["g", "5"]
    kubectl("patch", "gear", "g", "--subresource=status", "--type=merge", "-p",
            '{"status":{"phase":"Done"}}')  # fmt: skip
    kubectl("wait", "--for=jsonpath={.status.phase}=Done", "gear/g", "--timeout=60s")
    kubectl("delete", "crd", f"gears.{group}")


@pytest.mark.smoke
def test_pod_logs_exec_and_port_forward(kubectl: Run, kubeconfig: Path, namespace: str) -> None:
    only_ours(kubeconfig)
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    pod = {**POD, "spec": {**POD["spec"], "nodeName": node}}  # type: ignore[dict-item]
    kubectl("apply", "-f", "-", stdin=pod)
    kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    assert kubectl("logs", "p") == "one\ntwo\n"
    assert kubectl("exec", "p", "--", "sh", "-c", "echo $((6 * 7))") == "42\n"
    assert kubectl("exec", "-i", "p", "--", "cat", stdin="typed") == "typed"
    assert "exit code 3" in kubectl("exec", "p", "--", "sh", "-c", "exit 3", fails=True)
    row = kubectl("get", "pod", "p", "--no-headers").split()
    assert row[:4] == ["p", "1/1", "Running", "0"]
    assert "Started" in kubectl("describe", "pod", "p")
    kubectl("delete", "pod", "p")

    serving = {"name": "main", "image": "host", "command": ["python3", "-c", SERVE]}
    spec: dict[str, Any] = {**pod["spec"], "containers": [serving]}  # type: ignore[dict-item]
    server = {**pod, "metadata": {"name": "s"}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=server)
    kubectl("wait", "--for=condition=Ready", "pod/s", "--timeout=60s")
    forward = subprocess.Popen(
        [*kubectl_command(kubeconfig), "-n", namespace, "port-forward", "pod/s", ":8000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert forward.stdout is not None
        port = int(forward.stdout.readline().split("127.0.0.1:")[1].split(" ")[0])
        assert ask(port) == b"hello you"
        assert ask(port) == b"hello you"
    finally:
        forward.terminate()
        forward.communicate(timeout=30)


def ask(port: int) -> bytes:
    """One question through the forwarded port; the pod's server may still be starting."""
    deadline = time.monotonic() + 30
    while True:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"you")
            answer = connection.recv(100)
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)
