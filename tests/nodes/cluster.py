"""A Kubernetes of two real nodes on one machine: kubelets, containerd, containers.

The control plane and each node have a network of their own; a bridge beside the control plane joins
them. Nothing of it is the machine's network, and none of it leads out. There is no kube-proxy: the
address of the Service `kubernetes` is the control plane's, and the API server asks endpoints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from athanor.kit.clock import SystemClock
from athanor.local.pki import Pki
from tests.conformance import worlds
from tests.conformance.kube import containers, guard, plane
from tests.conformance.product import trusting, until
from tests.nodes import images, names
from tests.nodes.walls import Walls

NODES = ("one", "two")
PLANE = "192.0.2.1"
SERVICE = "10.96.0.1"
PODS = "10.244"
GROUPS = "athanor-nodes-"
SOCKET = "/run/containerd/containerd.sock"
CONTAINERD = """
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true  # root in a container may not lower it
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{software}/{plugins}"]
conf_dir = "{folder}/network"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{pause}"
"""


KERNEL = {
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000, "kernel/keys/root_maxbytes": 25_000_000,
}  # fmt: skip
"""What a kubelet wants of the kernel. No namespace holds these: it would set them for all."""


class Node:
    """A node: what belongs to it lies in its folder, and runs behind its walls."""

    def __init__(self, cluster: Cluster, name: str, number: int) -> None:
        self.cluster, self.name = cluster, name
        self.address, self.pods = f"192.0.2.{10 + number}", f"{PODS}.{number}.0/24"
        self.folder = cluster.folder / name
        self.walls = Walls(cluster.stack)
        self._own_folders()
        self._connect()
        self._cgroups()
        self._containerd()
        self.start_kubelet()

    def _own_folders(self) -> None:
        (self.folder / "network").mkdir(parents=True)
        for place in ("/var/lib", "/var/log", "/run"):  # in memory: they end with the walls
            self.walls.run("mount", "-t", "tmpfs", "tmpfs", place)
        for setting, value in KERNEL.items():  # a kubelet that finds it so leaves the real one
            shown = self.folder / setting.replace("/", ".")
            shown.write_text(f"{value}\n")
            self.walls.run("mount", "--bind", str(shown), f"/proc/sys/{setting}")

    def _connect(self) -> None:
        at, here = self.cluster.walls, self.walls
        link = f"to-{self.name}"
        at.run("ip", "link", "add", link, "master", "nodes", "type", "veth", "peer", "name", "eth0")
        # by number, in the process namespace of whoever asks: from out here
        enter = at.inside("ip", "link", "set", "eth0", "netns", str(here.first), network_only=True)
        subprocess.run(enter, check=True)
        at.run("ip", "link", "set", link, "up")
        at.run("ip", "route", "add", self.pods, "via", self.address, "onlink", "dev", "nodes")
        here.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        here.run("ip", "link", "set", "eth0", "up")
        here.run("ip", "route", "add", "default", "via", PLANE)

    def _cgroups(self) -> None:
        self.cgroup = f"/{GROUPS}{os.getpid()}/{self.name}"
        for root in hierarchies():
            for path in (root / self.cgroup[1:]).parent, root / self.cgroup[1:]:
                path.mkdir(exist_ok=True)
                for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1: nothing is inherited
                    if root.name == "cpuset":
                        (path / setting).write_text((path.parent / setting).read_text())

    def _containerd(self) -> None:
        software = self.cluster.software
        config = CONTAINERD.format(
            software=software, plugins=containers.PLUGINS, folder=self.folder, pause=images.PAUSE
        )
        (self.folder / "containerd.toml").write_text(config)
        network = {
            "cniVersion": "1.0.0", "name": "pods",
            "plugins": [{
                "type": "bridge", "bridge": "pods", "isDefaultGateway": True,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": self.pods}]]},
            }],
        }  # fmt: skip
        (self.folder / "network" / "pods.conflist").write_text(json.dumps(network))
        self._start("containerd", "containerd", "--config", str(self.folder / "containerd.toml"))
        self.ctr("images", "import", str(self.cluster.images))

    def ctr(self, *words: str) -> None:
        """containerd's own command, among Kubernetes' containers."""
        inside = self.walls.inside("ctr", "--namespace", "k8s.io", "--address", SOCKET, *words)
        env = {**os.environ, "PATH": self.cluster.path}
        until(lambda: self.walls_have(SOCKET), self.said)
        subprocess.run(inside, env=env, check=True, capture_output=True)

    def walls_have(self, path: str) -> bool:
        """Whether a file is there, as the node's processes see it."""
        return subprocess.run(self.walls.inside("test", "-e", path), check=False).returncode == 0

    def start_kubelet(self) -> None:
        """Start the kubelet (again)."""
        pki, me = self.cluster.pki, f"system:node:{self.name}"
        shown = pki.server([self.name, self.address], me)
        config: dict[str, Any] = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "failCgroupV1": False, "protectKernelDefaults": True,
            "cgroupDriver": "cgroupfs", "cgroupRoot": self.cgroup,
            "containerRuntimeEndpoint": f"unix://{SOCKET}", "resolvConf": "", "oomScoreAdj": 0,
            "clusterDNS": [names.ADDRESS], "clusterDomain": names.DOMAIN,
            "authentication": {
                "anonymous": {"enabled": False}, "x509": {"clientCAFile": str(pki.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(shown.certificate), "tlsPrivateKeyFile": str(shown.key),
            "evictionHard": {"memory.available": "50Mi"},  # the machine's disk is not the node's
        }  # fmt: skip
        (self.folder / "kubelet.yaml").write_text(json.dumps(config))
        mine = pki.client(me, ("system:nodes",))
        kubeconfig = yaml.safe_load(self.cluster.admin.read_text())
        kubeconfig["clusters"][0]["cluster"]["server"] = f"https://{SERVICE}:443"
        kubeconfig["users"][0]["user"] = {
            "client-certificate": str(mine.certificate), "client-key": str(mine.key),
        }  # fmt: skip
        (self.folder / "kubelet.kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        self.kubelet = self._start(
            "kubelet", str(plane.binary()), "kubelet",
            f"--config={self.folder / 'kubelet.yaml'}", f"--hostname-override={self.name}",
            f"--kubeconfig={self.folder / 'kubelet.kubeconfig'}", f"--node-ip={self.address}",
        )  # fmt: skip

    def _start(self, what: str, *words: str) -> int:
        with (self.folder / f"{what}.log").open("ab") as log:
            return self.walls.start(log, *words, PATH=self.cluster.path)

    def said(self) -> str:
        """The ends of its logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text()[-3000:]}" for log in logs)


class Cluster:
    """The control plane with its bridge, and the nodes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.software = containers.folder()
        commands = [str(self.software / part) for part in containers.COMMANDS]
        self.path = os.pathsep.join([*commands, os.environ["PATH"]])
        self.images = images.archive(folder)
        self.pki = Pki(folder / "authority", SystemClock().now())
        no_cgroups()
        stack.callback(no_cgroups)
        self.walls = Walls(stack)
        self._bridge()
        flags = [
            *trusting(self.pki), "--enable-aggregator-routing=true",
            "--kubelet-preferred-address-types=InternalIP",
            "--bind-address=0.0.0.0", "--advertise-address=127.0.0.1",  # for its certificate
        ]  # fmt: skip
        enter = self.walls.inside(network_only=True)
        self.admin = stack.enter_context(
            plane.running("-scheduler", "--", *flags, within=enter, port=443)
        )
        self._names()
        self.nodes = {name: Node(self, name, n) for n, name in enumerate(NODES, 1)}

    def _bridge(self) -> None:
        run = self.walls.run
        run("ip", "link", "add", "nodes", "type", "bridge")
        run("ip", "address", "add", f"{PLANE}/24", "dev", "nodes")
        for service in (SERVICE, names.ADDRESS):
            run("ip", "address", "add", f"{service}/32", "dev", "lo")
        run("ip", "link", "set", "nodes", "up")
        run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def _names(self) -> None:
        words = (sys.executable, "-m", "tests.nodes.names", str(self.admin))
        with (self.folder / "names.log").open("wb") as log:
            process = subprocess.Popen(
                self.walls.inside(*words, network_only=True),
                stdout=log, stderr=log, process_group=guard.group(),
            )  # fmt: skip
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def run(self, *words: str, text: str = "", fails: bool | None = False) -> str:
        """What a command prints where the control plane is; `fails` None: it may."""
        env = {**os.environ, "KUBECONFIG": str(self.admin), "HOME": str(self.folder),
               "NO_COLOR": "1", "COLUMNS": "200"}  # fmt: skip
        env.pop("ATHANOR_DATA", None)
        done = subprocess.run(
            self.walls.inside(*words, network_only=True), env=env, cwd=self.folder, input=text,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        told = f"{words}: {done.stdout}{done.stderr}"
        assert fails is None or (done.returncode != 0) == fails, f"{told}\n{self.said()}"
        return done.stdout + (done.stderr if fails else "")

    def kubectl(self, *words: str, text: str = "", fails: bool | None = False) -> str:
        """What kubectl says."""
        return self.run(str(plane.kubectl()), *words, text=text, fails=fails)

    def athanor(self, *words: str, fails: bool | None = False) -> str:
        """What athanor says."""
        return self.run(str(worlds.ATHANOR), "--kubeconfig", str(self.admin), *words, fails=fails)

    def get(self, *words: str) -> Any:
        """Objects as they are."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def said(self) -> str:
        """What there is, and the ends of the nodes' logs."""
        there = [str(plane.kubectl()), "get", "athanor,pods,events", "-A", "-o", "wide"]
        done = subprocess.run(
            self.walls.inside(*there, network_only=True), text=True, capture_output=True,
            env={**os.environ, "KUBECONFIG": str(self.admin)}, check=False,
        )  # fmt: skip
        logs = "\n".join(f"{name}: {node.said()}" for name, node in self.nodes.items())
        named = (self.folder / "names.log").read_text()
        return f"{done.stdout}{done.stderr}\n{logs}\nnames: {named}"

    def until(self, true: Any, within: float = 180.0) -> Any:
        """What `true` finds, as soon as it finds something."""
        return until(true, self.said, within)


def hierarchies() -> list[Path]:
    """Where this machine's control groups are mounted, of both versions."""
    rows = [row.split() for row in Path("/proc/mounts").read_text().splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")]


def no_cgroups() -> None:
    """Remove the groups of this test's nodes, and of tests that were killed.

    Raises OSError while something is in one.
    """
    for root in hierarchies():
        for mine in root.glob(f"{GROUPS}*"):
            owner = int(mine.name.removeprefix(GROUPS))
            if owner == os.getpid() or not Path(f"/proc/{owner}").exists():
                for path in sorted(mine.rglob("*/"), reverse=True):
                    path.rmdir()
                mine.rmdir()


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster whose nodes are Ready and given to Athanor. Raises NotAvailable."""
    with ExitStack() as stack:
        made = Cluster(folder, stack)
        ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        made.until(lambda: made.kubectl("get", "nodes", "-o", ready) == "True True")
        made.kubectl("label", "node", "--all", "athanor.dev/pool=default")
        yield made
