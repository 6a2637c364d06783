"""A real control plane as separate processes, with our installation in it, metered.

The binary is that of `make kube`. What is not measured is switched off for everybody: leader
election of Kubernetes' own parts, node leases, client rate limits.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import yaml
from msgspec import Struct

from athanor.client.kubeconfig import load
from athanor.client.sync import SyncHttp
from athanor.client.target import Target
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.harness import Served, cpu_seconds
from tests.conformance.kube import guard
from tests.conformance.kube.plane import binary, free_port

ATHANOR = str(Path(sys.executable).parent / "athanor")
HOME = "athanor-system"
PATIENCE = 120.0
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_BUSY = re.compile(r"(POST|PATCH|APPLY) (?!leases|tokenreviews|subjectaccessreviews)")
USERS = {"admin": "system:masters", "controller-manager": "", "scheduler": ""}
"""Token users and their groups; the two parts have the names that RBAC knows them by."""
_SCHEDULER = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {{leaderElect: false}}
clientConnection: {{kubeconfig: {kubeconfig}, qps: 5000, burst: 10000}}
"""


class Plane(Struct):
    """A running control plane: its folder, its processes by name, its address."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]]
    stack: ExitStack

    def kubeconfig(self, user: str = "admin") -> Path:
        """A user's kubeconfig."""
        return self.folder / f"{user}.kubeconfig"

    def target(self, user: str = "admin") -> Target:
        """Where and as whom to connect."""
        return load([self.kubeconfig(user)]).target()

    def start(self, name: str, *command: str | Path) -> subprocess.Popen[bytes]:
        """One more process; it ends with the plane."""
        log: IO[bytes] = self.stack.enter_context((self.folder / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=log, cwd=self.folder,
            process_group=guard.group(),
        )  # fmt: skip
        self.processes[name] = process
        self.stack.callback(_end, process)
        return process

    def stop(self, name: str) -> None:
        """End a process before the plane ends."""
        _end(self.processes.pop(name))

    def kill(self, name: str) -> None:
        """End a process without a word, as a crash does."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def again(self, process: subprocess.Popen[bytes], name: str) -> None:
        """Start what was killed again."""
        assert isinstance(process.args, list)
        self.start(name, *process.args)
        if name == "kube-apiserver":
            answering(self)

    def cpu(self) -> dict[str, float]:
        """CPU-seconds of every process so far."""
        return {name: cpu_seconds(one.pid) for name, one in self.processes.items()}

    def since(self, before: Mapping[str, float]) -> dict[str, float]:
        """CPU-seconds of every process after `before` was taken."""
        return {n: round(v - before.get(n, 0.0), 2) for n, v in self.cpu().items()}

    def calls(self) -> Counter[str]:
        """Requests that the API server answered so far, by verb and resource; no watches."""
        client = SyncHttp(self.target())
        text = client(calls.text(calls.raw("GET", "/metrics").request)).decode()
        client.close()
        found: Counter[str] = Counter()
        for line in text.splitlines():
            if line.startswith("apiserver_request_total{"):
                said = dict(_LABEL.findall(line))
                if said["verb"] != "WATCH":
                    what = "/".join(filter(None, (said["resource"], said["subresource"])))
                    failed = "" if said["code"].startswith("2") else f" {said['code']}"
                    found[f"{said['verb']} {what}{failed}"] += int(float(line.rpartition(" ")[2]))
        return found

    def settle(self, rest: float = 3.0) -> None:
        """Wait until nobody writes any more: controllers have seen to new nodes."""
        before = -1
        while (now := sum(n for what, n in self.calls().items() if _BUSY.match(what))) != before:
            before = now
            time.sleep(rest)

    def resident(self, name: str) -> float:
        """Resident memory of a process, MB."""
        status = Path(f"/proc/{self.processes[name].pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:  # an API server whose etcd is gone does not end by itself
        process.kill()
        process.wait()


@contextmanager
def plane(*parts: str) -> Iterator[Plane]:
    """etcd, kube-apiserver and the named parts ("controller-manager", "scheduler")."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="athanor-plane-")))
        made = Plane(folder, free_port(), {}, stack)
        _users(made)
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
             str(folder / "sa.key")], check=True, capture_output=True,
        )  # fmt: skip
        _etcd_and_server(made)
        for part in parts:
            start_part(made, part)
        yield made


def _users(made: Plane) -> None:
    lines = []
    for user, group in USERS.items():
        token = secrets.token_hex(20)
        name = user if group else f"system:kube-{user}"
        lines.append(f"{token},{name},{user},{group}")
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "k",
            "clusters": [{"name": "k", "cluster": {
                "server": f"https://127.0.0.1:{made.port}",
                "certificate-authority": str(made.folder / "apiserver.crt")}}],
            "contexts": [{"name": "k", "context": {"cluster": "k", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }  # fmt: skip
        made.kubeconfig(user).write_text(yaml.safe_dump(config))
        made.kubeconfig(user).chmod(0o600)
    tokens = made.folder / "tokens.csv"
    tokens.touch(0o600)
    tokens.write_text("\n".join(lines))


def _etcd_and_server(made: Plane) -> None:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    made.start(
        "etcd", binary(), "etcd", "--data-dir", "etcd", "--quota-backend-bytes", "8589934592",
        "--log-level", "error", "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", f"default={peer}",
    )  # fmt: skip
    made.start(
        "kube-apiserver", binary(), "apiserver", f"--etcd-servers={client}",
        "--bind-address=127.0.0.1", f"--secure-port={made.port}", f"--cert-dir={made.folder}",
        "--token-auth-file=tokens.csv", "--authorization-mode=Node,RBAC", "--allow-privileged=true",
        "--endpoint-reconciler-type=none", "--advertise-address=192.0.2.1",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=sa.key", "--service-account-signing-key-file=sa.key",
    )  # fmt: skip
    answering(made)


def answering(made: Plane) -> None:
    """Wait until the API server answers."""
    deadline = time.monotonic() + PATIENCE
    while not _answers(made):
        if made.processes["kube-apiserver"].poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((made.folder / "kube-apiserver.log").read_text()[-2000:])
        time.sleep(0.1)


def _answers(made: Plane) -> bool:
    if not (made.folder / "apiserver.crt").exists():
        return False
    transport = SyncHttp(made.target(), timeout=5)
    try:
        return transport.send(calls.raw("GET", "/readyz").request).status == 200
    except ApiError:
        return False
    finally:
        transport.close()


def start_part(made: Plane, part: str, *flags: str) -> None:
    """Start one of Kubernetes' own controllers; later flags win."""
    config = made.kubeconfig(part)
    if part == "controller-manager":
        made.start(
            f"kube-{part}", binary(), part, f"--kubeconfig={config}", "--secure-port=0",
            "--leader-elect=false", "--use-service-account-credentials=true",
            "--service-account-private-key-file=sa.key", "--root-ca-file=apiserver.crt",
            "--kube-api-qps=5000", "--kube-api-burst=10000", "--node-monitor-grace-period=24h",
            *flags,
        )  # fmt: skip
        return
    settings = made.folder / "scheduler.yaml"
    settings.write_text(_SCHEDULER.format(kubeconfig=config))
    made.start(
        f"kube-{part}", binary(), part, f"--config={settings}", "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
    )  # fmt: skip


def install(made: Plane) -> None:
    """Athanor as `athanor install` puts it into a cluster."""
    subprocess.run(
        [ATHANOR, "--kubeconfig", str(made.kubeconfig()), "install", "--image", "athanor:bench",
         "--wait", "0"], check=True, capture_output=True,
    )  # fmt: skip


@contextmanager
def served() -> Iterator[Served]:
    """The plane alone with our kinds in it, as experiments on our own API server take theirs."""
    with plane() as made:
        install(made)
        made.kubeconfig().rename(made.folder / "admin")
        target = load([made.folder / "admin"]).target()
        yield Served(made.processes["kube-apiserver"].pid, made.folder, target, target)


def account(made: Plane, name: str, server: str = "") -> Path:
    """A kubeconfig with the rights of the installed controllers; `server` where not the plane's."""
    client = SyncHttp(made.target())
    path = f"/api/v1/namespaces/{HOME}/serviceaccounts/athanor-controllers/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 36000}}  # fmt: skip
    token = client(calls.raw("POST", path, body=body))["status"]["token"]
    client.close()
    config = yaml.safe_load(made.kubeconfig().read_text())
    config["users"] = [{"name": "u", "user": {"token": token}}]
    if server:
        config["clusters"][0]["cluster"] = {"server": server}
    mine = made.kubeconfig(name)
    mine.write_text(yaml.safe_dump(config))
    return mine


def start_controllers(made: Plane, name: str = "athanor") -> subprocess.Popen[bytes]:
    """Our controllers with the installed service account's rights, leading; returned when ready."""
    port = free_port()
    process = made.start(
        name, ATHANOR, "--kubeconfig", account(made, name), "controllers", "--identity", name,
        "--listen", f"127.0.0.1:{port}",
    )  # fmt: skip
    _leads(process, port, made.folder / f"{name}.log")
    return process


def _leads(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    probe = SyncHttp(Target(server=f"http://127.0.0.1:{port}"), timeout=5)
    while process.poll() is None and time.monotonic() < deadline:
        try:
            metrics = probe.send(calls.raw("GET", "/metrics").request).body
            ready = probe.send(calls.raw("GET", "/readyz").request).status == 200
        except ApiError:
            metrics, ready = b"", False
        if ready and b"athanor_leader 1" in metrics:
            probe.close()
            return
        time.sleep(0.05)
    raise RuntimeError(log.read_text()[-2000:])
