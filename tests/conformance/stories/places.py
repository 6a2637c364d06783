"""The two worlds of the stories, each with one machine that runs processes, and nodes at will.

`laptop` is `athanor up`. `cluster` is a real control plane with `athanor install`, our parts with
their installed rights, and the machine joined by `athanor agent`. Both give the machine alone to
the pool `default`, so that a story's own nodes are its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from athanor.api.core import Node, PersistentVolumeClaim, Pod
from athanor.api.meta import JSON
from athanor.api.registry import by_kind, of
from athanor.assembly import processes
from athanor.client.http import Http
from athanor.client.kubeconfig import load
from athanor.client.protocol import Client
from athanor.kit.clock import SystemClock
from athanor.testing.nodes import Life, SimulatedNode
from athanor.wire import calls
from athanor.wire.status import ApiError
from tests.conformance import product, worlds
from tests.conformance.kube import plane

POOL = "athanor.dev/pool"


class Place(Struct):
    """A world: the kubeconfig whose context has its name, a folder that its pods may mount, the
    node that runs processes and how its agent is killed and started again, nodes that are
    simulated, what its parts wrote; whom web browsers are to trust beside the usual.
    """

    name: str
    kubeconfig: Path
    shared: Path
    machine: str
    restart_agent: Callable[[], None]
    simulated: Simulated
    said: Callable[[], str]
    trust: Path | None = None

    def kubectl(self, *words: str, text: str = "") -> str:
        """What kubectl says to an administrator."""
        command = [str(plane.kubectl()), "--kubeconfig", str(self.kubeconfig),
                   "--cache-dir", str(self.kubeconfig.parent / "cache"), *words]  # fmt: skip
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


class Simulated:
    """Nodes of the stories' own, in a thread: they play pods as the stories say.

    `lives` are by the beginnings of pods' names, the longest that fits; others run on and on.
    `strict`: nodes refuse what they have no room for.
    """

    def __init__(self, kubeconfig: Path, *, strict: bool = False) -> None:
        self._kubeconfig, self._strict = kubeconfig, strict
        self.lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __enter__(self) -> Simulated:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated nodes")
        self._thread.start()
        self._transport = self._do(self._connect())
        return self

    async def _connect(self) -> Http:
        return Http(load([self._kubeconfig]).target())

    def __exit__(self, *_: object) -> None:
        for name in list(self._tasks):
            self.remove(name)
        self._do(self._transport.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def _life(self, pod: Pod) -> Life:
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        fits = [start for start in self.lives if name.startswith(start)]
        return self.lives[max(fits, key=len)] if fits else Life()

    def add(self, name: str, capacity: JSON, labels: Mapping[str, str]) -> None:
        """Switch a machine on, and wait until it is registered."""
        self._do(self._add(name, {"pods": "110", **capacity}, dict(labels)))

    async def _add(self, name: str, capacity: JSON, labels: JSON) -> None:
        node = SimulatedNode(
            Client(self._transport), name, SystemClock(), self._life,
            capacity=capacity, labels=labels, strict=self._strict,
        )  # fmt: skip
        self._tasks[name] = asyncio.ensure_future(node.run())
        await node.registered.wait()

    def kill(self, name: str) -> None:
        """Its agent says no more."""
        self._do(self._kill(name))

    async def _kill(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task  # what a node died of comes to light here

    def remove(self, name: str) -> None:
        """Take it out of the cluster."""
        if name in self._tasks:
            self.kill(name)
        with suppress(ApiError):
            self._do(Client(self._transport)(calls.delete(of(Node), name)))


@contextmanager
def laptop(folder: Path) -> Iterator[Place]:
    """`athanor up`."""
    data, shared = folder / "data", folder / "shared"
    shared.mkdir()
    with worlds.ours(data, "--allow-host-path", str(shared)) as admin, Simulated(admin) as nodes:
        config = _context("laptop", admin, folder)
        name = json.loads(_run(config, "get", "nodes", "-o", "json"))["items"][0]["metadata"][
            "name"
        ]
        pool = {"spec": {"nodeSelector": {POOL: "default"}}}
        _run(config, "patch", "pool", "default", "--type=merge", "-p", json.dumps(pool))
        _run(config, "label", "node", name, f"{POOL}=default")

        def restart() -> None:
            os.kill(processes.read(data / "run" / "agent.pid").pid, signal.SIGKILL)

        yield Place("laptop", config, shared, name, restart, nodes, lambda: _logs(data))


@contextmanager
def cluster(folder: Path, *more: str, address: str = "") -> Iterator[Place]:
    """A real control plane with the product on it; `more` nodes than one, at an address."""
    shared = folder / "shared"
    shared.mkdir()
    flags = ("--label", f"{POOL}=default", "--allow-host-path", str(shared))
    flags += ("--address", address) if address else ()
    with product.cluster(folder) as made, ExitStack() as stack:
        made.install()
        node, *_ = [made.node(name, *flags) for name in ("machine", *more)]
        config = _context("cluster", made.admin, folder)
        stack.enter_context(_volumes(made.admin, shared / "volumes"))
        nodes = stack.enter_context(Simulated(made.admin))

        def restart() -> None:
            node.agent.kill()
            node.agent.wait()
            node.start()

        def said() -> str:
            return f"{made.said()}agent: {node.said()[-3000:]}"

        trust = folder / "kept" / "pki" / "ca.crt"  # an Ingress would show a certificate of its own
        yield Place("cluster", config, shared, node.name, restart, nodes, said, trust)


@contextmanager
def beside_kube(folder: Path) -> Iterator[Place]:
    """A real control plane with kube-scheduler at work, too; all its nodes are simulated.

    Our parts are processes: their Deployments would take room on the nodes.
    """
    shared = folder / "shared"
    shared.mkdir()
    with product.cluster(folder, "-scheduler") as made:
        made.install()
        none = ("scale", "deployment", "--all", "--replicas=0")
        made.kubectl("-n", product.HOME, *none)
        config = _context("cluster", made.admin, folder)
        with Simulated(made.admin, strict=True) as nodes:
            yield Place("cluster", config, shared, "", lambda: None, nodes, made.said)


@contextmanager
def _volumes(admin: Path, root: Path) -> Iterator[None]:
    """A default StorageClass whose claims become folders below `root`, as a cluster has one."""
    made = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "provisioner": "example.com/folders",
        "metadata": {"name": "folders",
                     "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    }  # fmt: skip
    _run(admin, "create", "-f", "-", text=json.dumps(made))
    root.mkdir()
    ended = threading.Event()
    thread = threading.Thread(target=_provision, args=(admin, root, ended), name="volumes")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _provision(admin: Path, root: Path, ended: threading.Event) -> None:
    async def main() -> None:
        transport = Http(load([admin]).target())
        client, volumes = Client(transport), by_kind("v1", "PersistentVolume")
        assert volumes is not None
        while not ended.is_set():
            found = await client(calls.raw("GET", of(PersistentVolumeClaim).path(None)))
            for claim in found["items"]:
                spec = claim["spec"]
                if spec.get("volumeName") or spec.get("storageClassName") != "folders":
                    continue
                path = root / claim["metadata"]["uid"]
                path.mkdir(exist_ok=True)
                path.chmod(0o777)
                volume = _volume(claim, path)
                with suppress(ApiError):
                    await client(calls.create(volumes, volume))
            await asyncio.sleep(0.3)
        await transport.close()

    asyncio.run(main())


def _volume(claim: JSON, path: Path) -> JSON:
    meta, spec = claim["metadata"], claim["spec"]
    whose = {"kind": "PersistentVolumeClaim", **{k: meta[k] for k in ("namespace", "name", "uid")}}
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"pvc-{meta['uid']}"},
        "spec": {
            "capacity": spec["resources"]["requests"], "accessModes": spec["accessModes"],
            "storageClassName": "folders", "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(path)}, "claimRef": whose,
        },
    }  # fmt: skip


def _run(kubeconfig: Path, *words: str, text: str = "") -> str:
    command = [str(plane.kubectl()), "--kubeconfig", str(kubeconfig), *words]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def _context(name: str, admin: Path, folder: Path) -> Path:
    """The administrator's kubeconfig, its context called after the world."""
    config = yaml.safe_load(admin.read_text())
    config["contexts"] = [{"name": name, "context": config["contexts"][0]["context"]}]
    config["current-context"] = name
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def _logs(data: Path) -> str:
    found = [log for log in (data / "logs").glob("*.log") if log.name != "audit.log"]
    return "\n".join(f"{log.name}: {log.read_text()[-3000:]}" for log in found)
