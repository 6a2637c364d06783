"""`athanor agent` against a real Kubernetes: a node without containers that kubectl cannot tell.

The control plane verifies the node's serving certificate (its own signer issues it after an
approval), authenticates itself to the node, and runs the Node authorizer and NodeRestriction.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance import product
from tests.conformance.kube import plane
from tests.conformance.product import PATIENCE, until

SERVE = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000, bind='127.0.0.1')"


class Joined:
    """A real control plane and one node of ours there."""

    def __init__(self, there: product.Cluster) -> None:
        self.there, self.admin, self.pki = there, there.admin, there.pki
        self.kubectl = there.kubectl
        self.node = there.node("joiner", "--label", "rack=r1")

    def said(self) -> str:
        """What the agent wrote."""
        return self.node.said()

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pod(self, name: str, script: str, **more: Any) -> None:
        container = {"name": "main", "image": "host", "command": ["sh", "-c", script]}
        spec = {"nodeName": "joiner", "restartPolicy": "Never", "containers": [container], **more}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.kubectl("apply", "-f", "-", text=json.dumps(manifest))

    def phase(self, name: str) -> str:
        return str(self.get("pod", name)["status"].get("phase"))

    def reaches(self, name: str, phase: str) -> None:
        until(lambda: self.phase(name) == phase, lambda: self.kubectl("describe", "pod", name))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    try:
        plane.binary(build=False)
    except plane.NotAvailable as why:
        pytest.skip(f"NOT RUN: {why}")
    with product.cluster(tmp_path_factory.mktemp("join")) as there:
        yield Joined(there)


def test_the_node_is_what_a_kubelet_would_say(cluster: Joined) -> None:
    node = cluster.get("node", "joiner")
    assert node["metadata"]["labels"]["rack"] == "r1"
    assert [t["key"] for t in node["spec"]["taints"] if t["key"].startswith("athanor")] == [
        "athanor.dev/processes"
    ]
    if "ATHANOR_KUBE" not in os.environ:  # an older one does not know the field
        assert node["status"]["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]
    lease = cluster.get("lease", "joiner", "-n", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "joiner"
    request = cluster.get("csr")["items"][0]
    assert request["spec"]["signerName"] == "kubernetes.io/kubelet-serving"
    assert request["spec"]["username"] == "system:node:joiner"


def test_a_pod_speaks_is_entered_reached_and_ended(cluster: Joined) -> None:
    script = f"trap 'echo bye; exit 0' TERM; echo hello; python3 -c \"{SERVE}\" & wait"
    cluster.pod("web", script, terminationGracePeriodSeconds=20)
    cluster.reaches("web", "Running")
    until(lambda: cluster.kubectl("logs", "web").startswith("hello"))
    follow = subprocess.Popen(
        [str(plane.kubectl()), "--kubeconfig", str(cluster.admin), "logs", "-f", "web"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert cluster.kubectl("exec", "web", "--", "sh", "-c", "echo in; hostname") == "in\nweb\n"
    assert cluster.kubectl("exec", "-i", "web", "--", "cat", text="through") == "through"
    failed = cluster.kubectl("exec", "web", "--", "sh", "-c", "exit 7", fails=True)
    assert "exit code 7" in failed
    with subprocess.Popen(
        [str(plane.kubectl()), "--kubeconfig", str(cluster.admin), "port-forward", "pod/web",
         ":8000"],
        stdout=subprocess.PIPE, text=True,
    ) as forward:  # fmt: skip
        assert forward.stdout is not None
        port = forward.stdout.readline().split(":")[1].split(" ")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as page:
            assert page.status == 200
        forward.terminate()
    cluster.kubectl("delete", "pod", "web")
    out, _ = follow.communicate(timeout=PATIENCE)
    assert out.startswith("hello\n") and "bye\n" in out


def test_a_gang_of_pods_runs_with_what_it_was_given(cluster: Joined) -> None:
    cluster.kubectl("create", "configmap", "words", "--from-literal=greeting=salve")
    cluster.kubectl("create", "secret", "generic", "keys", "--from-literal=word=sesam")
    env = [
        {"name": "GREETING", "valueFrom": {"configMapKeyRef": {
            "name": "words", "key": "greeting"}}},
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "word"}}},
    ]  # fmt: skip
    names = [f"ring-{rank}" for rank in range(3)]
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    for name in names:
        command = f"echo $GREETING $WORD $(hostname); test -s {token}"
        container = {"name": "main", "image": "host", "command": ["sh", "-c", command], "env": env}
        cluster.pod(name, "", containers=[container], hostname=name, subdomain="ring")
    for name in names:
        cluster.reaches(name, "Succeeded")
        assert cluster.kubectl("logs", name) == f"salve sesam {name}\n"
    cluster.kubectl("delete", "pod", *names)


def test_what_is_no_image_of_ours_says_so(cluster: Joined) -> None:
    container = {"name": "main", "image": "nginx:1.29"}
    cluster.pod("image", "", containers=[container])

    def why() -> bool:
        found = cluster.get("pod", "image")["status"].get("containerStatuses") or [{}]
        waits = found[0].get("state", {}).get("waiting", {})
        return waits.get("reason") == "ErrImageNeverPull"

    until(why, lambda: cluster.kubectl("describe", "pod", "image"))
    cluster.kubectl("delete", "pod", "image")


def test_pods_outlive_the_agent(cluster: Joined) -> None:
    cluster.pod("stays", "echo one; sleep 3600", terminationGracePeriodSeconds=1)
    cluster.reaches("stays", "Running")
    before = cluster.get("pod", "stays")["status"]["containerStatuses"]
    cluster.node.agent.kill()
    cluster.node.agent.wait()
    cluster.node.start()
    until(lambda: cluster.kubectl("logs", "stays", fails=None) == "one\n", cluster.said)
    assert cluster.get("pod", "stays")["status"]["containerStatuses"] == before
    assert len(cluster.get("csr")["items"]) == 1  # the certificate was kept
    cluster.kubectl("delete", "pod", "stays")


def test_only_those_who_may_ask_the_node(cluster: Joined) -> None:
    node = cluster.get("node", "joiner")["status"]
    port = node["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    url = f"https://{node['addresses'][0]['address']}:{port}/pods"

    def ask(user: str, groups: tuple[str, ...] = ()) -> int:
        trust = ssl.create_default_context(cafile=str(cluster.pki.authority))
        if user:
            me = cluster.pki.client(user, groups)
            trust.load_cert_chain(me.certificate, me.key)
        try:
            with urllib.request.urlopen(url, context=trust, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    assert (ask(""), ask("nobody"), ask("boss", ("system:masters",))) == (401, 403, 200)
    cluster.kubectl("create", "clusterrolebinding", "reader",
                    "--clusterrole=system:kubelet-api-admin", "--user=reader")  # fmt: skip
    assert ask("reader") == 200


def test_simulated_gpus_and_another_taint_with_a_nodes_own_rights(cluster: Joined) -> None:
    node = cluster.there.node("pretends", "--simulate-gpus", "8xA100")
    found = cluster.get("node", "pretends")
    assert found["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert found["metadata"]["labels"]["athanor.dev/simulated-gpus"] == "true"
    node.agent.kill()
    node.agent.wait()
    node.flags += ("--schedulable",)
    node.start()  # NodeRestriction lets no node change its taints: it says who may
    until(lambda: "kubectl taint node pretends athanor.dev/processes-" in node.said(), node.said)
    cluster.kubectl("taint", "node", "pretends", "athanor.dev/processes-")


def test_what_a_node_may_not_say_of_itself_is_told_once(cluster: Joined) -> None:
    node = product.Node(cluster.there, "wishes", "--label", "node-role.kubernetes.io/gpu=")
    try:
        until(lambda: "refuses to register node wishes" in node.said(), node.said)
        assert "node-role.kubernetes.io/gpu" in node.said()
    finally:
        node.end()
