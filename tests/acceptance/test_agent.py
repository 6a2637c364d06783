"""The node agent against the real API server, both as processes: one pod's life, and kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from athanor.api import core
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.sync import SyncHttp
from athanor.local.agent.launch import tag
from athanor.wire import calls
from athanor.wire.status import ApiError
from bench.harness import Served, api_server

PODS, NODES = of(core.Pod), of(core.Node)
PATIENCE = 60.0


class World:
    """An API server, an agent, and somebody who asks."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.client = SyncHttp(served.admin)
        self.boot()
        self.until(lambda: self.conditions().get("Ready") == "True")

    def boot(self) -> None:
        with (self.served.folder / "agent.log").open("ab") as log:
            self.agent = self.start(log)

    def start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "athanor.local.agent", "--kubeconfig",
             str(self.served.folder / "admin"), "--data", str(self.served.folder),
             "--node-name", "here"],
            stdout=log, stderr=log,
        )  # fmt: skip

    def conditions(self) -> dict[str, str]:
        try:
            found = self.client(calls.get(core.Node, "here"))
        except ApiError:
            return {}
        return {c.type: c.status for c in found.status.conditions}

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, (self.served.folder / "agent.log").read_text()
            time.sleep(0.05)

    def pod(self, name: str) -> JSON | None:
        try:
            return self.client(calls.raw("GET", PODS.path("default", name)))
        except ApiError as error:
            assert error.code == 404
            return None

    def phase(self, name: str) -> str:
        found = self.pod(name)
        return str((found or {}).get("status", {}).get("phase", ""))

    def create(self, name: str, script: str, policy: str = "Never", **spec: Any) -> None:
        container = {"name": "main", "image": "host", "command": ["sh", "-c", script]}
        manifest: JSON = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "nodeName": "here", "restartPolicy": policy, "containers": [container],
                "terminationGracePeriodSeconds": 2, **spec,
            },
        }  # fmt: skip
        self.client(calls.create(PODS, manifest))

    def log(self, name: str) -> str:
        call = calls.raw("GET", PODS.path("default", name, "log"))
        return self.client.send(call.request).body.decode()

    def delete(self, name: str) -> None:
        self.client(calls.delete(PODS, name, "default"))
        self.until(lambda: self.pod(name) is None)

    def supervisor(self) -> int:
        found = self.supervisors()
        assert found, "there is no supervisor"
        return found[0]

    def supervisors(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if f"{self.served.folder}/run".encode() in line and b"--tag" in line:
                    found.append(int(entry.name))
        return found

    def leftovers(self) -> list[str]:
        folder = self.served.folder
        left = [str(p) for part in ("pods", "logs") for p in (folder / "node" / part).iterdir()]
        for base in Path("/sys/fs/cgroup").rglob(f"athanor-{tag(folder)}"):
            left += [str(group) for group in base.iterdir() if group.is_dir()]
        return left

    def close(self) -> None:
        self.client.close()
        self.agent.send_signal(signal.SIGTERM)
        self.agent.wait(PATIENCE)
        subprocess.run(["kill", str(self.supervisor())], check=False)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with api_server() as served:
        made = World(served)
        yield made
        made.close()


def test_a_pod_runs_speaks_and_ends(world: World) -> None:
    world.create("one", "echo hello; exit 3")
    world.until(lambda: world.phase("one") == "Failed")
    found = world.pod("one")
    assert found is not None
    ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert world.log("one") == "hello\n"
    world.delete("one")
    world.until(lambda: world.leftovers() == [])


def test_a_pod_that_fills_more_than_it_may_is_evicted(world: World) -> None:
    script = "dd if=/dev/zero of=/data/much bs=1M count=3 2>&1; sleep 3600"
    container = {
        "name": "main", "image": "host", "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    volumes = [{"name": "data", "emptyDir": {"sizeLimit": "2Mi"}}]
    world.create("full", "", containers=[container], volumes=volumes)
    world.until(lambda: world.phase("full") == "Failed")
    status = (world.pod("full") or {})["status"]
    assert (status["reason"], status["message"]) == (
        "Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "2Mi". '
    )  # fmt: skip
    world.delete("full")


def test_what_asks_for_another_user_is_refused_and_said(world: World) -> None:
    world.create("root", "id", securityContext={"runAsUser": 0})

    def why() -> str:
        found = (world.pod("root") or {}).get("status", {}).get("containerStatuses") or [{}]
        waiting = found[0].get("state", {}).get("waiting", {})
        return f"{waiting.get('reason')} {waiting.get('message')}"

    world.until(lambda: why().startswith("CreateContainerConfigError runAsUser 0: "))
    world.delete("root")


def test_a_command_that_is_not_there_ends_as_a_kubelet_says(world: World) -> None:
    container = {"name": "main", "image": "host", "command": ["nosuch-program"]}
    world.create("none", "", containers=[container])
    world.until(lambda: world.phase("none") == "Failed")
    found = world.pod("none")
    assert found is not None
    ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "nosuch-program" in ended["message"]
    world.delete("none")


def test_a_container_is_told_to_end_by_the_signal_that_it_names(world: World) -> None:
    script = "trap 'exit 0' USR1; trap '' TERM; echo up; while :; do sleep 0.1; done"
    container = {
        "name": "main", "image": "host", "command": ["sh", "-c", script],
        "lifecycle": {"stopSignal": "SIGUSR1"},
    }  # fmt: skip
    world.create("asks", "", containers=[container], os={"name": "linux"},
                 terminationGracePeriodSeconds=3600)  # fmt: skip
    world.until(lambda: world.phase("asks") == "Running" and world.log("asks") == "up\n")
    world.delete("asks")  # SIGTERM would be waited for an hour


def test_an_agent_that_is_killed_loses_no_exit_and_no_line(world: World) -> None:
    world.create("ends", "echo first; sleep 1; echo last; exit 7")
    world.create("stays", "echo up; sleep 3600")
    world.until(lambda: world.phase("ends") == world.phase("stays") == "Running")
    before = world.pod("stays")
    world.agent.kill()
    world.agent.wait()
    time.sleep(1.2)
    world.boot()
    world.until(lambda: world.phase("ends") == "Failed")
    world.until(lambda: world.log("stays") == "up\n")
    assert world.log("ends") == "first\nlast\n"
    after = world.pod("stays")
    assert before is not None and after is not None
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    for name in ("ends", "stays"):
        world.delete(name)
    world.until(lambda: world.leftovers() == [])


def test_a_supervisor_that_is_killed_takes_its_pods_along_and_it_is_said(world: World) -> None:
    world.create("dies", "sleep 3600")
    world.create("again", "sleep 3600", policy="Always")
    world.until(lambda: world.phase("dies") == world.phase("again") == "Running")
    old = world.supervisor()
    subprocess.run(["kill", "-9", str(old)], check=True)
    world.until(lambda: world.phase("dies") == "Failed")
    found = world.pod("dies")
    assert found is not None
    ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")

    def restarted() -> bool:
        status = (world.pod("again") or {})["status"]["containerStatuses"][0]
        return bool(status["restartCount"] == 1 and "running" in status["state"])

    world.until(restarted)
    for name in ("dies", "again"):
        world.delete(name)
    world.until(lambda: world.leftovers() == [])


def test_pods_that_come_while_the_supervisor_is_replaced_run_or_are_lost(world: World) -> None:
    names = [f"comes-{number}" for number in range(24)]
    for number, name in enumerate(names):
        world.create(name, "sleep 3600")
        if number in (6, 12):
            world.until(lambda: bool(world.supervisors()))
            subprocess.run(["kill", "-9", str(world.supervisor())], check=True)
        time.sleep(0.03)
    world.until(lambda: all(world.phase(name) in ("Running", "Failed") for name in names))
    for name in names:
        found = world.pod(name)
        assert found is not None
        if found["status"]["phase"] == "Failed":
            ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
            assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown"), name
    assert [world.phase(name) for name in names[-4:]] == ["Running"] * 4
    for name in names:
        world.delete(name)
    world.until(lambda: world.leftovers() == [])
