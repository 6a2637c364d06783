"""`athanor agent` against a real Kubernetes: a node without containers that kubectl cannot tell.

The control plane verifies the node's serving certificate (its own signer issues it after an
approval), authenticates itself to the node, and runs the Node authorizer and NodeRestriction.
"""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from athanor.client import kubeconfig
from athanor.client.target import Target
from athanor.kit.clock import SystemClock
from athanor.local.pki import Pki
from tests.conformance import worlds
from tests.conformance.kube import plane

PATIENCE = 60.0
SERVE = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000, bind='127.0.0.1')"


def until(true: Callable[[], Any], told: Callable[[], str] = str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, told()
        time.sleep(0.1)
    return found


class Cluster:
    """A real control plane, its authority, and one node of ours."""

    def __init__(self, folder: Path, admin: Path, pki: Pki) -> None:
        self.folder, self.admin, self.pki = folder, admin, pki
        me = pki.client("system:node:joiner", ("system:nodes",))
        there = kubeconfig.load([admin]).target()
        target = Target(
            server=there.server, ca=there.ca,
            certificate=me.certificate.read_text(), key=me.key.read_text(),
        )  # fmt: skip
        kubeconfig.write(folder / "node.kubeconfig", "node", target)
        self.join()

    def join(self) -> None:
        command = [
            str(worlds.ATHANOR), "agent", "--kubeconfig", str(self.folder / "node.kubeconfig"),
            "--data", str(self.folder), "--node-name", "joiner", "--port", "0",
            "--client-ca", str(self.pki.authority), "--label", "rack=r1",
        ]  # fmt: skip
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(command, stdout=log, stderr=log)

    def said(self) -> str:
        return (self.folder / "agent.log").read_text()

    def kubectl(self, *words: str, text: str | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            [str(plane.kubectl()), "--kubeconfig", str(self.admin), *words],
            input=text, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert fails or done.returncode == 0, (words, done.stdout, done.stderr, self.said())
        return done.stdout + (done.stderr if fails else "")

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

    def close(self) -> None:
        self.agent.send_signal(signal.SIGTERM)
        self.agent.wait(PATIENCE)
        end = ["agent", "--data", str(self.folder), "--node-name", "joiner", "--end"]
        subprocess.run([str(worlds.ATHANOR), *end], check=True, timeout=PATIENCE)


def passes_on(pki: Pki) -> list[str]:
    """Flags of an API server that passes requests on to others, as any cluster's does."""
    front = pki.client("front-proxy-client")
    return [
        f"--requestheader-client-ca-file={pki.authority}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        binary = plane.binary(build=False)
    except plane.NotAvailable as why:
        pytest.skip(f"NOT RUN: {why}")
    folder = tmp_path_factory.mktemp("join")
    pki = Pki(folder / "authority", SystemClock().now())
    caller = pki.client("kube-apiserver-kubelet-client", ("system:masters",))
    flags = [
        "--",
        f"--client-ca-file={pki.authority}",
        f"--kubelet-client-certificate={caller.certificate}",
        f"--kubelet-client-key={caller.key}",
        f"--kubelet-certificate-authority={pki.authority}",
        "--enable-admission-plugins=NodeRestriction",
        *passes_on(pki),
    ]
    with ExitStack() as stack:
        admin = stack.enter_context(plane.running(*flags))
        log = stack.enter_context((folder / "signer.log").open("wb"))
        signer = subprocess.Popen(
            [str(binary), "controller-manager", f"--kubeconfig={admin}", "--secure-port=0",
             "--leader-elect=false", "--controllers=csrsigning",
             f"--cluster-signing-cert-file={pki.authority}",
             f"--cluster-signing-key-file={pki.directory / 'ca.key'}"],
            stdout=log, stderr=log,
        )  # fmt: skip
        made = Cluster(folder, admin, pki)
        try:
            ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
            until(lambda: made.kubectl("get", "node", "joiner", "-o", ready, fails=True) == "True",
                  made.said)  # fmt: skip
            until(lambda: made.get("csr")["items"], made.said)
            request = made.get("csr")["items"][0]["metadata"]["name"]
            made.kubectl("certificate", "approve", request)
            until(lambda: "shows the certificate" in made.said(), made.said)
            yield made
        finally:
            made.close()
            signer.terminate()
            signer.wait(PATIENCE)
            shutil.rmtree(folder / "nodes", ignore_errors=True)


def test_the_node_is_what_a_kubelet_would_say(cluster: Cluster) -> None:
    node = cluster.get("node", "joiner")
    assert node["metadata"]["labels"]["rack"] == "r1"
    assert [t["key"] for t in node["spec"]["taints"] if t["key"].startswith("athanor")] == [
        "athanor.dev/processes"
    ]
    assert node["status"]["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]
    lease = cluster.get("lease", "joiner", "-n", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "joiner"
    request = cluster.get("csr")["items"][0]
    assert request["spec"]["signerName"] == "kubernetes.io/kubelet-serving"
    assert request["spec"]["username"] == "system:node:joiner"


def test_a_pod_speaks_is_entered_reached_and_ended(cluster: Cluster) -> None:
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


def test_a_gang_of_pods_runs_with_what_it_was_given(cluster: Cluster) -> None:
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


def test_what_is_no_image_of_ours_says_so(cluster: Cluster) -> None:
    container = {"name": "main", "image": "nginx:1.29"}
    cluster.pod("image", "", containers=[container])

    def why() -> bool:
        found = cluster.get("pod", "image")["status"].get("containerStatuses") or [{}]
        waits = found[0].get("state", {}).get("waiting", {})
        return waits.get("reason") == "ErrImageNeverPull"

    until(why, lambda: cluster.kubectl("describe", "pod", "image"))
    cluster.kubectl("delete", "pod", "image")


def test_pods_outlive_the_agent(cluster: Cluster) -> None:
    cluster.pod("stays", "echo one; sleep 3600", terminationGracePeriodSeconds=1)
    cluster.reaches("stays", "Running")
    before = cluster.get("pod", "stays")["status"]["containerStatuses"]
    cluster.agent.kill()
    cluster.agent.wait()
    cluster.join()
    until(lambda: cluster.kubectl("logs", "stays", fails=True) == "one\n", cluster.said)
    assert cluster.get("pod", "stays")["status"]["containerStatuses"] == before
    assert len(cluster.get("csr")["items"]) == 1  # the certificate was kept
    cluster.kubectl("delete", "pod", "stays")


def test_only_those_who_may_ask_the_node(cluster: Cluster) -> None:
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
