"""The platform as a person meets it: real processes, ports, signals."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor import Client
from athanor.api.core import PersistentVolumeClaim
from athanor.api.registry import of
from athanor.local.agent.claims import volume_of
from tests.acceptance.console import Console, open_way

HELLO = ("submit", "generic", "--name", "hello", "--workers", "2", "--cpu", "100m", "--")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("up")) as up:
        yield up


@pytest.mark.smoke
def test_the_five_minutes_of_the_readme(console: Console) -> None:
    console.run(*HELLO, "python", "-c", "print('hello')")
    assert "hello is Succeeded" in console.run("wait", "hello", "--timeout", "1m")
    said = sorted(console.run("logs", "hello").splitlines())
    assert said == ["[worker-0] hello", "[worker-1] hello"]
    assert "Succeeded" in console.run("list")
    assert "it succeeded" in console.run("why", "hello")
    console.run("delete", "hello", "--yes")
    console.run("wait", "hello", "--for", "deleted", "--timeout", "30s")
    assert "no jobs" in console.run("list")
    # its pods are gone, what they wrote is not
    console.until(
        lambda: sorted(console.run("logs", "hello", code=None).splitlines()) == said or None
    )
    assert sorted(console.run("logs", "hello", "--search", "hel+o").splitlines()) == said


def test_logs_follow_to_the_end(console: Console) -> None:
    code = "import time\nfor n in range(5): print('line', n); time.sleep(0.1)"
    console.run("submit", "generic", "--name", "talk", "--workers", "2", "--", "python", "-c", code)
    said = console.run("logs", "-f", "talk").splitlines()
    for rank in ("worker-0", "worker-1"):
        assert [line for line in said if rank in line] == [f"[{rank}] line {n}" for n in range(5)]
    assert len(console.run("logs", "talk", "--rank", "1", "--tail", "2").splitlines()) == 2


def test_why_a_job_failed(console: Console) -> None:
    console.run(
        "submit", "generic", "--name", "bad", "--retries", "0", "--", "python", "-c", "import nope"
    )
    console.run("wait", "bad", "--timeout", "1m", code=1)
    said = console.run("why", "bad")
    assert "worker-0 failed first: exit code 1" in said
    assert "No module named 'nope'" in said
    assert "--requirements" in said


def test_why_a_job_waits(console: Console) -> None:
    console.run("submit", "generic", "--name", "big", "--cpu", "4000", "--", "true")
    console.run("wait", "big", "--for", "running", "--timeout", "2s", code=5)
    assert "cpu" in console.run("why", "big")
    console.run("suspend", "big")
    console.run("delete", "big", "--yes")


def test_outputs_land_beside_the_code(console: Console) -> None:
    code = "import os; open(os.environ['ATHANOR_OUTPUT_DIR'] + '/model', 'w').write('weights')"
    console.run("submit", "generic", "--name", "save", "--", "python", "-c", code)
    console.run("wait", "save", "--timeout", "1m")
    assert (console.project / "outputs" / "save" / "model").read_text() == "weights"


def test_status_doctor_and_the_rest_answer(console: Console) -> None:
    said = json.loads(console.run("status", "-o", "json"))
    assert said["up"]
    assert all(part["ready"] and part["running"] for part in said["processes"])
    assert json.loads(console.run("whoami", "-o", "json"))["user"] == "athanor-admin"
    for words in (
        ("doctor",), ("top", "node"), ("top", "queue"), ("queue",), ("events", "-A"), ("version",),
        ("get", "nodes"), ("get", "pods", "-A"), ("describe", "node", said["nodes"][0]["name"]),
        ("kubeconfig", "--path"), ("gc", "--dry-run"), ("completion", "bash"), ("watch", "-A"),
    ):  # fmt: skip
        assert console.run(*words)


def test_what_each_rank_uses_is_measured(console: Console) -> None:
    hold = "x = bytearray(50 << 20)\nwhile True: pass"
    console.run("submit", "generic", "--name", "hot", "--cpu", "100m", "--", "python", "-c", hold)
    console.run("wait", "hot", "--for", "running")

    def used() -> bool | None:
        (rank,) = json.loads(console.run("top", "job", "hot", "-o", "json"))["ranks"]
        return True if rank["cpu"] and rank["memory"] > 50 << 20 else None

    console.until(used)
    assert "worker-0" in console.run("watch", "hot")
    console.run("delete", "hot", "--yes")


def test_people_get_a_namespace_a_queue_and_no_more(console: Console) -> None:
    file = console.project / "ada.kubeconfig"
    console.run("user", "add", "ada", "--team", "vision", "--out", str(file), "--limit", "cpu=2")
    assert file.stat().st_mode & 0o077 == 0
    assert "ada" in console.run("user", "list")
    asada = ("--kubeconfig", str(file))
    open_way(console.project)
    shared = console.project / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    job = ("submit", "generic", "--cpu", "100m", "--output-dir", str(shared / "hers"))
    console.run(*asada, *job, "--name", "hers", "--", "true")
    assert " vision " in console.run(*asada, "list")
    console.run(*asada, "wait", "hers", "--timeout", "1m")
    for words in (["status"], ["top"], ["top", "node"], ["top", "gpu"]):
        assert "of namespace vision alone" in console.run(*asada, *words)
    others = str(console.data.checkpoints / "default")
    theirs = ("submit", "generic", "--cpu", "100m", "--output-dir", others)
    console.run(*asada, *theirs, "--name", "greedy", "--", "true")
    console.until(lambda: "belongs to the platform" in console.run(*asada, "why", "greedy") or None)
    assert "cannot list" in console.run(*asada, "list", "-n", "default", code=1)
    assert "cannot list" in console.run(*asada, "get", "secrets", "-n", "kube-system", code=1)
    console.run("user", "remove", "ada", "--yes")
    assert "cannot list" in console.run(*asada, "list", code=1)


def test_gc_leaves_what_a_claim_holds(console: Console) -> None:
    claims = of(PersistentVolumeClaim)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    with Client(kubeconfig=str(console.data.admin)) as client:
        made = client.create(claims, {"metadata": {"name": "keep"}, "spec": spec})
        folder = console.data.node / "claims" / volume_of(made)
        console.until(lambda: folder.exists() or None)
        (folder / "weights").write_text("dear")
        console.run("gc", "--older", "0s", "--yes")
        assert (folder / "weights").read_text() == "dear"
        client.delete(claims, "keep")
        console.until(lambda: not folder.exists() or None)


def test_a_second_up_is_refused(console: Console) -> None:
    said = console.run("up", "--detach", code=1)
    assert "is already up" in said


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    other = Console(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} of 127.0.0.1 is taken" in other.run("up", "--port", port, code=1)


def test_a_wish_that_means_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    said = Console(tmp_path).run("up", "--detach", "--simulate-gpus", "lots", code=1)
    assert "--simulate-gpus 'lots'" in said


def test_on_a_terminal_up_shows_how_it_is_until_ctrl_c(tmp_path: Path) -> None:
    other = Console(tmp_path)
    words = ["-m", "athanor.cli", "--data", str(other.data.root), "up", "--port", "0"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, *words])
    shown = b""
    while b"controllers ready" not in shown:
        shown += os.read(terminal, 1 << 16)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the far end of a terminal goes with an error
        while data := os.read(terminal, 1 << 16):
            shown += data
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    assert b"athanor is down" in shown
    assert not other.process("supervisor").alive()


@pytest.mark.parametrize("part", ["server", "controllers", "agent"])
def test_a_killed_process_costs_no_job_anything(console: Console, part: str) -> None:
    name = f"lives-{part}"
    code = "import time\nfor n in range(30): print(n); time.sleep(0.1)"
    console.run("submit", "generic", "--name", name, "--retries", "0", "--", "python", "-c", code)
    console.run("wait", name, "--for", "running", "--timeout", "1m")
    console.kill(part)
    console.run("wait", name, "--timeout", "1m")
    assert [line.split()[-1] for line in console.run("logs", name).splitlines()] == [
        str(n) for n in range(30)
    ]


def test_a_killed_supervisor_takes_its_pods_along_and_they_start_again(console: Console) -> None:
    code = "import time; time.sleep(2); print('done')"
    console.run("submit", "generic", "--name", "sup", "--retries", "0", "--", "python", "-c", code)
    console.run("wait", "sup", "--for", "running", "--timeout", "1m")
    console.kill("supervisor")
    assert "sup is Succeeded" in console.run("wait", "sup", "--timeout", "2m")


def test_backup_and_restore(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    console.run("submit", "generic", "--name", "kept", "--suspended", "--", "true")
    console.run("backup", str(file))
    assert "exists already" in console.run("backup", str(file), code=1)
    console.run("delete", "kept", "--yes")
    assert "is up" in console.run("restore", str(file), "--yes", code=1)
    console.run("down", "--yes")
    console.run("restore", str(file), "--yes")
    console.run("up", "--detach")
    assert "kept" in console.run("list")


def test_jobs_go_on_after_down_and_up(tmp_path: Path) -> None:
    code = "import time; time.sleep(3); print('done')"
    with Console(tmp_path) as up:
        up.run("submit", "generic", "--name", "on", "--retries", "0", "--", "python", "-c", code)
        up.run("wait", "on", "--for", "running", "--timeout", "1m")
        up.run("down", "--yes")
        up.run("up", "--detach")
        assert "on is Succeeded" in up.run("wait", "on", "--timeout", "1m")
        assert "done" in up.run("logs", "on")


def test_down_leaves_nothing(tmp_path: Path) -> None:
    with Console(tmp_path) as up:
        up.run(*HELLO, "sleep", "600")
        up.run("wait", "hello", "--for", "running", "--timeout", "1m")
        seen = [up.process(part) for part in ("server", "controllers", "agent", "supervisor")]
        assert all(process.alive() for process in seen)
        up.run("down", "--yes")
        assert not any(process.alive() for process in seen)
        mounts = Path("/proc/mounts").read_text(encoding="utf-8")
        assert str(up.data.root) not in mounts
        assert "nothing was running" in up.run("down")
