"""The whole product on a real control plane, without containers: everything is a process here.

The API server knows an authority of the test's: it vouches for people, for nodes and for the API
server itself when it asks nodes or passes requests on. Our parts run with the tokens of the
accounts that `athanor install` made, so their rights are the installation's and no more; nodes are
`athanor agent`s with a node's certificate.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from athanor.assembly.aggregated import GATEWAY, VISIBILITY
from athanor.client import kubeconfig
from athanor.client.target import Target
from athanor.kit.clock import SystemClock
from athanor.local.pki import Pki
from tests.conformance import worlds
from tests.conformance.kube import guard, plane

HOME = "athanor-system"
PATIENCE = 120.0
ADDRESS = "10.1.2.3"
"""What the controllers take for their pod's address."""


def until(true: Callable[[], Any], told: Callable[[], str] = str, within: float = PATIENCE) -> Any:
    """What `true` finds, as soon as it finds something; fails with what is `told`."""
    end = time.monotonic() + within
    while not (found := true()):
        assert time.monotonic() < end, told()
        time.sleep(0.1)
    return found


class Node:
    """A machine without containers, joined as a node: an agent and what it is started with."""

    def __init__(self, cluster: Cluster, name: str, *flags: str) -> None:
        self.name, self.cluster, self.flags = name, cluster, flags
        self.data = cluster.folder / name
        self.data.mkdir()
        me = cluster.pki.client(f"system:node:{name}", ("system:nodes",))
        there = kubeconfig.load([cluster.admin]).target()
        target = Target(
            server=there.server, ca=there.ca,
            certificate=me.certificate.read_text(), key=me.key.read_text(),
        )  # fmt: skip
        kubeconfig.write(self.data / "node.kubeconfig", "node", target)
        self.start()

    def start(self) -> None:
        """Start the agent (again)."""
        command = [
            str(worlds.ATHANOR), "agent", "--kubeconfig", str(self.data / "node.kubeconfig"),
            "--data", str(self.data), "--node-name", self.name, "--port", "0",
            "--client-ca", str(self.cluster.pki.authority), *self.flags,
        ]  # fmt: skip
        with (self.data / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                command, stdout=log, stderr=log, process_group=guard.group()
            )

    def said(self) -> str:
        """Its log."""
        return (self.data / "agent.log").read_text()

    def joined(self) -> None:
        """Wait until it is Ready; approve its certificate, and wait until it shows that."""
        ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        kubectl = self.cluster.kubectl
        until(lambda: kubectl("get", "node", self.name, "-o", ready, fails=None) == "True",
              self.said)  # fmt: skip
        user = f"system:node:{self.name}"

        def asked() -> list[str]:
            found = json.loads(kubectl("get", "csr", "-o", "json"))["items"]
            return [c["metadata"]["name"] for c in found if c["spec"]["username"] == user]

        kubectl("certificate", "approve", until(asked, self.said)[0])
        until(lambda: "shows the certificate" in self.said(), self.said)

    def end(self) -> None:
        """Stop the agent, and its pods."""
        self.agent.terminate()
        self.agent.wait(PATIENCE)
        end = ["agent", "--data", str(self.data), "--node-name", self.name, "--end"]
        subprocess.run([str(worlds.ATHANOR), *end], check=True, timeout=PATIENCE)


class Cluster:
    """A control plane with an authority of ours, and what is started there."""

    def __init__(self, folder: Path, admin: Path, pki: Pki, stack: ExitStack) -> None:
        self.folder, self.admin, self.pki, self.stack = folder, admin, pki, stack

    def kubectl(self, *words: str, text: str | None = None, fails: bool | None = False) -> str:
        """What kubectl says to an administrator; `fails` None: it may."""
        done = subprocess.run(
            [str(plane.kubectl()), "--kubeconfig", str(self.admin), *words],
            input=text, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert fails is None or (done.returncode != 0) == fails, (words, done.stdout, done.stderr)
        return done.stdout + (done.stderr if fails else "")

    def node(self, name: str, *flags: str) -> Node:
        """Another node."""
        made = Node(self, name, *flags)
        self.stack.callback(made.end)
        made.joined()
        return made

    def log(self, part: str) -> str:
        """What a part of ours wrote."""
        path = self.folder / f"{part}.log"
        return path.read_text() if path.exists() else ""

    def part(self, account: str, *words: str, **env: str) -> subprocess.Popen[bytes]:
        """A process of ours with an installed account's token."""
        token = self.kubectl("-n", HOME, "create", "token", account).strip()
        there = kubeconfig.load([self.admin]).target()
        path = self.folder / f"{account}.kubeconfig"
        kubeconfig.write(path, "sa", Target(server=there.server, ca=there.ca, token=token))
        with (self.folder / f"{account}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(worlds.ATHANOR), "--kubeconfig", str(path), *words], stdout=log, stderr=log,
                env={**os.environ, **env}, process_group=guard.group(),
            )  # fmt: skip
        self.stack.callback(process.wait, PATIENCE)
        self.stack.callback(process.terminate)
        return process

    def leads_here(self, service: str) -> None:
        """No network of this cluster leads to a Service: make it a name of this machine's."""
        made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
                "spec": {"type": "ExternalName", "externalName": "localhost"}}  # fmt: skip
        self.kubectl("-n", HOME, "delete", "service", service)
        self.kubectl("-n", HOME, "create", "-f", "-", text=json.dumps(made))

    def install(self) -> None:
        """`athanor install`, and its two parts as processes, reached through the API server."""
        done = subprocess.run(
            [str(worlds.ATHANOR), "--kubeconfig", str(self.admin), "install", "--image", "host",
             "--wait", "0"], capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        ports = {door: str(plane.free_port()) for door in (GATEWAY, VISIBILITY)}
        for door in ports:
            self.leads_here(door.name)
        port, url = ports[GATEWAY], f"https://127.0.0.1:{ports[GATEWAY]}"
        self.part(
            "athanor-gateway", "gateway", "--listen", f"127.0.0.1:{port}", "--service-port", port,
            "--keep", str(self.folder / "kept"), "--url", url,
        )  # fmt: skip
        port = ports[VISIBILITY]
        self.part(
            "athanor-controllers", "controllers", "--visibility", f"127.0.0.1:{port}",
            "--service-port", port, ATHANOR_GATEWAY_URL=url, ATHANOR_IMAGE="host",
            ATHANOR_ADDRESS=ADDRESS,
        )  # fmt: skip
        paths = ("gateway.athanor.dev/v1alpha1/namespaces/default/podlogs",
                 "visibility.athanor.dev/v1alpha1/namespaces/default/gangs")  # fmt: skip
        for path in paths:
            asked = partial(self.kubectl, "get", "--raw", f"/apis/{path}", fails=None)
            until(lambda asked=asked: "List" in asked(), self.said)

    def said(self) -> str:
        """The ends of the parts' logs."""
        parts = ("athanor-gateway", "athanor-controllers")
        return "\n".join(f"{part}: {self.log(part)[-3000:]}" for part in parts)


def trusting(pki: Pki) -> list[str]:
    """Flags of an API server that trusts an authority, and is vouched for by it elsewhere."""
    caller = pki.client("kube-apiserver-kubelet-client", ("system:masters",))
    front = pki.client("front-proxy-client")
    return [
        f"--client-ca-file={pki.authority}",
        f"--kubelet-client-certificate={caller.certificate}",
        f"--kubelet-client-key={caller.key}",
        f"--kubelet-certificate-authority={pki.authority}",
        "--enable-admission-plugins=NodeRestriction",
        f"--requestheader-client-ca-file={pki.authority}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
    ]


@contextmanager
def cluster(folder: Path, *flags: str) -> Iterator[Cluster]:
    """A control plane that knows an authority of ours; `flags` are those of `kubeplane all`.

    Raises plane.NotAvailable.
    """
    binary = plane.binary(build=False)
    pki = Pki(folder / "authority", SystemClock().now())
    with ExitStack() as stack:
        admin = stack.enter_context(plane.running(*flags, "--", *trusting(pki)))
        with (folder / "signer.log").open("wb") as log:
            signer = subprocess.Popen(
                [str(binary), "controller-manager", f"--kubeconfig={admin}", "--secure-port=0",
                 "--leader-elect=false", "--controllers=csrsigning",
                 f"--cluster-signing-cert-file={pki.authority}",
                 f"--cluster-signing-key-file={pki.directory / 'ca.key'}"],
                stdout=log, stderr=log, process_group=guard.group(),
            )  # fmt: skip
        stack.callback(signer.wait, PATIENCE)
        stack.callback(signer.terminate)
        yield Cluster(folder, admin, pki, stack)
