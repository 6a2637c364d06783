"""The supervisor as a real process: starts, ends, kills whole trees, remembers, leaves nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.local.agent.launch import supervisor_command, tag

PATIENCE = 20.0


class Host:
    """A supervisor in a scratch folder, and one connection to it."""

    def __init__(self, data: Path, isolation: str) -> None:
        self.data, self.isolation = data, isolation
        self.numbers = 0
        self.events: list[dict[str, Any]] = []
        self.boot()

    def boot(self) -> None:
        self.process = subprocess.Popen(supervisor_command(self.data, isolation=self.isolation))
        path = self.data / "run" / "supervisor.sock"
        until(lambda: self.connects(path))
        self.hello = self.ask("hello")
        self.ask("sandbox", pod="p", hostname="p", address="10.88.0.2")

    def connects(self, path: Path) -> bool:
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            return False
        self.file = self.socket.makefile("r")
        return True

    def ask(self, op: str, **more: Any) -> dict[str, Any]:
        self.numbers += 1
        line = json.dumps({"id": self.numbers, "op": op, **more})
        self.socket.sendall(line.encode() + b"\n")
        while True:
            message: dict[str, Any] = json.loads(self.file.readline())
            if message.get("id") == self.numbers:
                return message
            self.events.append(message)

    def start(self, key: str, script: str, **more: Any) -> dict[str, Any]:
        uid = 65_000 if os.getuid() == 0 else os.getuid()
        spec = {
            "pod": "p", "group": key.replace("/", "_"), "log": str(self.log(key)),
            "argv": ["sh", "-c", script], "cwd": "/", "uid": uid, "gid": uid, "mounts": [],
            "env": {"PATH": "/usr/bin:/bin", "ATHANOR_CONTAINER": key}, "walls": ["seccomp"],
            "limits": {"memory": 64 << 20, "pids": 64}, **more,
        }  # fmt: skip
        return self.ask("start", key=key, spec=spec)

    def exit(self, key: str) -> dict[str, Any]:
        while True:
            for event in self.events:
                if event["key"] == key:
                    found: dict[str, Any] = event["exit"]
                    return found
            self.events.append(json.loads(self.file.readline()))

    def log(self, key: str) -> Path:
        return self.data / "logs" / (key.replace("/", "_") + ".log")

    def text(self, key: str) -> str:
        lines = self.log(key).read_text().splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    def close(self) -> None:
        self.socket.close()
        self.file.close()
        self.process.terminate()
        self.process.wait(PATIENCE)


def until(true: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def alive(mark: str) -> list[str]:
    """The processes that carry a mark in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found


@pytest.fixture(params=["best", "process"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, request.param)
    yield made
    made.close()
    groups = [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if tag(tmp_path) in folder]
    assert groups == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_container_from_start_to_end(host: Host) -> None:
    assert host.start("p/a/0", "echo out; echo err >&2; id -u; exit 3")["ok"]
    found = host.exit("p/a/0")
    assert (found["code"], found["signal"], found["oom"]) == (3, 0, False)
    assert sorted(host.text("p/a/0").split()) == sorted(
        ["out", "err", "65000" if os.getuid() == 0 else str(os.getuid())]
    )
    assert host.start("p/a/0", "echo again")["known"]
    listed = host.ask("list")["containers"]
    assert [(c["key"], c["exit"]["code"]) for c in listed] == [("p/a/0", 3)]
    assert host.ask("forget", keys=["p/a/0"])["ok"] and host.ask("list")["containers"] == []


def test_the_whole_tree_dies_sessions_of_its_own_too(host: Host) -> None:
    mark = f"3600.{os.getpid() % 1000:03d}"
    script = (
        f"setsid sleep {mark} & setsid setsid sh -c 'sleep {mark} & sleep {mark}' & sleep {mark}"
    )
    assert host.start("p/a/0", script)["ok"]
    until(lambda: len(alive(mark)) >= 4)
    host.ask("stop", key="p/a/0", signal=int(signal.SIGTERM), grace=0)
    assert host.exit("p/a/0")["code"] == 137
    until(lambda: not alive(mark))


def test_a_process_without_a_handler_ends_at_once(host: Host) -> None:
    assert host.start("p/a/0", "exec sleep 3600")["ok"]
    host.ask("stop", key="p/a/0", signal=int(signal.SIGTERM), grace=60)
    assert (host.exit("p/a/0")["code"], host.exit("p/a/0")["signal"]) == (143, 15)


def test_a_handler_gets_its_grace_and_then_the_end(host: Host) -> None:
    assert host.start(
        "p/a/0", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    )
    assert host.start("p/b/0", "trap '' TERM; echo up; while :; do sleep 0.02; done")["ok"]
    until(lambda: all(host.log(k).exists() and host.log(k).read_text() for k in ("p/a/0", "p/b/0")))
    host.ask("stop", key="p/a/0", signal=15, grace=60)
    host.ask("stop", key="p/b/0", signal=15, grace=0.2)
    assert host.exit("p/a/0")["code"] == 5 and host.text("p/a/0").endswith("bye")
    assert host.exit("p/b/0")["code"] == 137


def test_what_cannot_start_says_why(host: Host) -> None:
    refused = host.start("p/a/0", "", argv=["/no/such/program"])
    assert not refused["ok"] and "/no/such/program" in refused["error"]
    found = host.exit("p/a/0")
    assert (found["code"], found["failed"]["doing"]) == (127, "start")
    refused = host.start("p/b/0", "", argv=["nosuch"])
    assert refused["error"] == 'exec: "nosuch": executable file not found in $PATH'


def test_exits_survive_a_supervisor_that_is_killed_and_its_pods_do_not(host: Host) -> None:
    mark = f"3601.{os.getpid() % 1000:03d}"
    host.start("p/a/0", "exit 4")
    host.exit("p/a/0")
    host.start("p/b/0", f"sleep {mark}")
    until(lambda: alive(mark))
    host.process.kill()
    host.process.wait()
    if host.hello["isolation"] != "process":
        until(lambda: not alive(mark))
    host.file.close()
    host.socket.close()
    host.boot()
    until(lambda: not alive(mark))  # its groups are swept by the next one
    listed = {c["key"]: c["exit"]["code"] for c in host.ask("list")["containers"]}
    assert listed == {"p/a/0": 4}


def test_an_exit_that_the_disk_does_not_take_is_told_when_it_does(host: Host) -> None:
    exits = host.data / "run" / "exits"
    host.start("p/a/0", "read x", stdin=True)
    limit = resource.prlimit(host.hello["pid"], resource.RLIMIT_FSIZE)
    resource.prlimit(host.hello["pid"], resource.RLIMIT_FSIZE, (0, limit[1]))
    host.ask("stop", key="p/a/0", signal=9, grace=0)
    until(lambda: not Path(f"/proc/{host.ask('list')['containers'][0]['pid']}/root").exists())
    time.sleep(0.05)
    assert [c["exit"] for c in host.ask("list")["containers"]] == [None]
    assert exits.read_text() == "" and host.events == []
    resource.prlimit(host.hello["pid"], resource.RLIMIT_FSIZE, limit)
    assert host.exit("p/a/0")["code"] == 137
    assert json.loads(exits.read_text())["key"] == "p/a/0"


def test_nothing_starts_outside_its_pod(host: Host) -> None:
    if host.hello["isolation"] == "process":
        pytest.skip("plain processes have no sandbox")
    said = host.start("q/a/0", "true", pod="q")
    assert (said["ok"], said["unborn"]) == (False, True) and "no sandbox" in said["error"]
    assert host.ask("list")["containers"] == []


def test_a_second_one_is_refused(host: Host) -> None:
    again = subprocess.run(
        supervisor_command(host.data), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert again.returncode == 1 and "already serves" in again.stderr


def test_wrong_requests_are_answered(host: Host) -> None:
    for op, more in (
        ("nothing", {}), ("start", {}), ("start", {"key": "k", "spec": {}}), ("stop", {"key": 1}),
        ("execute", {"key": "x", "spec": {"container": "none"}}), ("stdin", {"key": "none"}),
    ):  # fmt: skip
        assert host.ask(op, **more)["ok"] is False
    host.socket.sendall(b"not json\n")
    assert json.loads(host.file.readline())["ok"] is False
    assert host.ask("hello")["ok"]


def test_commands_run_inside_and_their_files_are_handed_over(host: Host) -> None:
    host.start("p/a/0", "sleep 3600")
    spec = {
        "container": "p/a/0",
        "argv": ["sh", "-c", "read x; echo got $x; exit 9"],
        "stdin": True,
    }
    line = json.dumps({"id": 99, "op": "execute", "key": "e", "spec": spec}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(host.data / "run" / "supervisor.sock"))
        door.sendall(line)
        said, files, _, _ = socket.recv_fds(door, 1 << 16, 8)
        ends = dict(zip(json.loads(said)["files"], files, strict=True))
    os.write(ends["stdin"], b"word\n")
    with os.fdopen(ends["stdout"]) as output:
        assert output.read() == "got word\n"
    os.close(ends["stdin"])
    os.close(ends["stderr"])
    assert host.exit("e")["code"] == 9


def test_too_much_memory_is_told(host: Host) -> None:
    if "memory" not in host.hello["cgroups"]:
        pytest.skip("this machine lets us limit no memory")
    hog = "x=a; while :; do x=$x$x; done"
    host.start("p/a/0", hog)
    found = host.exit("p/a/0")
    assert found["oom"] and found["code"] != 0


def test_a_pod_of_its_own_network(host: Host) -> None:
    if host.hello["isolation"] == "process":
        pytest.skip("plain processes share the machine's network")
    for pod, address in (("p", "10.88.0.2"), ("q", "10.88.0.3")):
        host.ask("sandbox", pod=pod, hostname=pod, address=address)

    serve = (
        "import socket; s = socket.create_server(('', 29500)); print('up', flush=True); "
        "c, _ = s.accept(); c.sendall(b'hello'); c.close()"
    )
    for pod in ("p", "q"):
        argv = [sys.executable, "-c", serve]
        env = {"PATH": os.environ["PATH"]}
        host.start(f"{pod}/a/0", "", pod=pod, argv=argv, env=env, uid=os.getuid(), gid=os.getgid())
    until(lambda: all("up" in host.log(f"{p}/a/0").read_text() for p in ("p", "q")))
    dial = (
        "import socket; print(socket.create_connection(('10.88.0.2', 29500)).recv(9).decode(), "
        "socket.gethostname())"
    )
    line = json.dumps({"id": 99, "op": "socket", "pod": "q", "udp": True}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(host.data / "run" / "supervisor.sock"))
        door.sendall(line)
        _, files, _, _ = socket.recv_fds(door, 1 << 16, 8)
    with socket.socket(fileno=files[0]) as inside:
        assert inside.type == socket.SOCK_DGRAM
        inside.connect(("10.88.0.2", 53))
        assert inside.getsockname()[0] == "10.88.0.3"
    argv = [sys.executable, "-c", dial]
    host.start("q/b/0", "", pod="q", argv=argv, env=env, uid=os.getuid(), gid=os.getgid())
    assert host.exit("q/b/0")["code"] == 0 and host.text("q/b/0") == "hello q"
