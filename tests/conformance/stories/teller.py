"""A person at a terminal, in a namespace of a story's own; only the context tells the world."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

import athanor
from athanor.client import kubeconfig
from athanor.client.target import Target
from athanor.testing.nodes import Life
from tests.conformance import product, worlds
from tests.conformance.kube import plane
from tests.conformance.stories.places import POOL, Place

LONG = 240.0
"""Seconds that anything may take here; what is quick is measured in `bench`."""


class Teller:
    """Types commands as somebody; `folder` is where."""

    def __init__(self, place: Place, namespace: str, folder: Path, stack: ExitStack,
                 config: Path | None = None) -> None:  # fmt: skip
        self.place, self.namespace, self.folder, self.stack = place, namespace, folder, stack
        self.config = config or place.kubeconfig

    venv = str(Path(sys.executable).parent.parent)
    """A virtual environment that there is."""

    def athanor(self, *words: str, fails: bool | None = False, text: str = "") -> str:
        """What athanor prints, both streams. `fails`: whether its exit code is not 0."""
        to = ("--kubeconfig", str(self.config), "--context", self.place.name)
        return self._run([str(worlds.ATHANOR), *to, *words], fails, text)

    def kubectl(self, *words: str, fails: bool | None = False, text: str = "") -> str:
        """What kubectl prints."""
        to = ("--kubeconfig", str(self.config), "--context", self.place.name,
              "--cache-dir", str(self.place.kubeconfig.parent / "cache"))  # fmt: skip
        return self._run([str(plane.kubectl()), *to, "-n", self.namespace, *words], fails, text)

    def python(self, *words: str) -> str:
        """What a program with the SDK prints."""
        return self._run([sys.executable, *words], False, "")

    def _run(self, command: list[str], fails: bool | None, text: str) -> str:
        libraries = [str(Path(athanor.__file__).parent.parent), sysconfig.get_path("purelib")]
        env = {
            **os.environ,
            "KUBECONFIG": str(self.config),
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(libraries),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        env.pop("ATHANOR_DATA", None)
        if self.place.trust is not None:
            env["SSL_CERT_FILE"] = str(self.place.trust)
        done = subprocess.run(
            command, cwd=self.folder, env=env, input=text, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = f"{' '.join(command[-8:])}: {done.stdout}"
        assert "Traceback (most recent" not in done.stdout or command[0] == sys.executable, said
        assert fails is None or (done.returncode != 0) == fails, f"{said}\n{self.place.said()}"
        return done.stdout

    def get(self, *words: str) -> Any:
        """Objects as they are."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """An object's status."""
        found: dict[str, Any] = self.get(kind, name).get("status") or {}
        return found

    def phase(self, kind: str, name: str) -> str:
        """An object's phase."""
        return str(self.status(kind, name).get("phase", ""))

    def apply(self, *manifests: dict[str, Any]) -> None:
        """kubectl apply."""
        self.kubectl(
            "apply",
            "-f",
            "-",
            text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}),
        )

    def until(self, true: Callable[[], Any], within: float = LONG) -> Any:
        """What `true` finds, as soon as it finds something."""
        return product.until(true, lambda: f"{self.everything()}\n{self.place.said()}", within)

    def reaches(self, kind: str, name: str, phase: str, within: float = LONG) -> None:
        """Wait for a phase."""
        self.until(lambda: self.phase(kind, name) == phase, within)

    def everything(self) -> str:
        """What there is in the namespace."""
        return self.kubectl("get", "athanor,pods", "-o", "wide", fails=None) + self.kubectl(
            "get", "events", fails=None
        )

    def why(self, name: str) -> str:
        """What `athanor why` says."""
        return self.athanor("why", name)

    def person(self, name: str, role: str = "edit") -> Teller:
        """Somebody with a role in the namespace: an account's token, as any cluster gives them."""
        self.kubectl("create", "serviceaccount", name)
        account = f"{self.namespace}:{name}"
        self.kubectl("create", "rolebinding", name, f"--clusterrole={role}",
                     f"--serviceaccount={account}")  # fmt: skip
        token = self.kubectl("create", "token", name).strip()
        there = kubeconfig.load([self.place.kubeconfig]).target()
        home = self.folder / name
        home.mkdir()
        config = home / "config"
        target = Target(server=there.server, ca=there.ca, token=token)
        kubeconfig.write(config, self.place.name, target)
        self._begins_here(config)
        return Teller(self.place, self.namespace, home, self.stack, config)

    def _begins_here(self, path: Path) -> None:
        config = yaml.safe_load(path.read_text())
        for context in config["contexts"]:
            context["context"]["namespace"] = self.namespace
        path.write_text(yaml.safe_dump(config))

    def neighbour(self, name: str) -> Teller:
        """The same administrator in another namespace."""
        return tell(self.place, f"{self.namespace}-{name}", self.folder / f"in-{name}", self.stack)

    def nodes(self, *names: str, pool: str = "", levels: str = "", cpu: str = "8",
              gpus: str = "", **labels: str) -> str:  # fmt: skip
        """A pool of simulated nodes of the story's own; its name."""
        pool = pool or self.namespace
        level = [word for key in levels.split(",") if key for word in ("--level", key)]
        if not self.kubectl("get", "pool", pool, "--ignore-not-found"):
            self.athanor("pool", "create", pool, "--nodes", f"{POOL}={pool}", *level)
            self.stack.callback(self.kubectl, "delete", "pool", pool, "--ignore-not-found")
        for name in names:
            capacity = {"cpu": cpu, "memory": "32Gi", **({"nvidia.com/gpu": gpus} if gpus else {})}
            node = f"{self.namespace}-{name}"
            self.place.simulated.add(node, capacity, {POOL: pool, **labels})
            self.stack.callback(self.place.simulated.remove, node)
        return pool

    def queue(self, name: str, *words: str) -> str:
        """A queue of the story's own; its name."""
        named = f"{self.namespace}-{name}"
        self.athanor("queue", "create", named, *words)
        self.stack.callback(self.kubectl, "delete", "queue", named, "--ignore-not-found")
        return named

    def lives(self, start: str, **life: Any) -> None:
        """How simulated pods live whose names begin so."""
        self.place.simulated.lives[f"{self.namespace}/{start}"] = Life(**life)

    def submit(
        self, name: str, *words: str, command: str = "true", framework: str = "generic"
    ) -> str:
        """athanor submit, of a job for simulated nodes."""
        asked = ("--name", name, "--image", "busybox", *words, "--", "sh", "-c", command)
        return self.athanor("submit", framework, *asked)

    def placed(self, name: str) -> list[str]:
        """Where a job's pods are, without what names the story."""
        pods = self.get("pods", "-l", f"athanor.dev/job={name}")["items"]
        nodes = [pod["spec"].get("nodeName", "") for pod in pods]
        return sorted(re.sub(f"^{self.namespace}-", "", node) for node in nodes)


def tell(place: Place, namespace: str, folder: Path, stack: ExitStack) -> Teller:
    """Begin a story in a namespace of its own, which goes with it."""
    folder.mkdir(exist_ok=True)
    place.kubectl("create", "namespace", namespace)
    stack.callback(place.kubectl, "delete", "namespace", namespace, "--wait=false")
    config = folder / "config"
    config.write_text(place.kubeconfig.read_text())
    teller = Teller(place, namespace, folder, stack, config)
    teller._begins_here(config)
    return teller
