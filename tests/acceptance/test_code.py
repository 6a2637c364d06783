"""What a job takes along on a real platform: uploaded code, git, mounts, secrets, shared memory."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.console import Console

SAY = "import os, sys, helper; print(helper.WORD, os.getcwd(), *sys.argv[1:])"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("code")) as up:
        (up.project / "train.py").write_text(SAY)
        (up.project / "helper.py").write_text("WORD = 'first'")
        (up.project / ".gitignore").write_text("outputs/\nsecret.txt\n")
        (up.project / "secret.txt").write_text("-")
        yield up


def said(console: Console, name: str) -> list[str]:
    console.run("wait", name, "--timeout", "2m", code=None)
    assert f"{name} is Succeeded" in console.run("wait", name), console.run("why", name, code=None)
    return [line.partition("] ")[2] for line in console.run("logs", name).splitlines()]


def test_later_edits_do_not_change_a_job_that_was_submitted(console: Console) -> None:
    submit = ("submit", "generic", "--cpu", "100m", "--code", ".", "--workers", "2")
    assert "uploaded" in console.run(*submit, "--name", "up", "--suspended", "--", "python",
                                     "train.py", "x")  # fmt: skip
    (console.project / "helper.py").write_text("WORD = 'second'")
    (console.project / "train.py").unlink()
    console.run("resume", "up")
    assert said(console, "up") == ["first /athanor/code x"] * 2
    (console.project / "train.py").write_text(SAY)
    (console.project / "helper.py").write_text("WORD = 'first'")
    again = console.run(*submit, "--name", "again", "--", "sh", "-c", "ls -A")
    assert "uploaded before" in again
    assert said(console, "again") == [".gitignore", "helper.py", "train.py"] * 2
    wrong = console.run("submit", "generic", "--code", "nowhere", "--", "true", code=2)
    assert "nowhere is no folder" in wrong


def test_git_is_cloned_at_its_ref(console: Console, tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "train.py").write_text("print('tagged')")
    git("add", ".")
    git("commit", "-m", "one")
    git("tag", "v1")
    git("update-server-info")
    frozen = (
        "submit",
        "generic",
        "--name",
        "here",
        "--cpu",
        "100m",
        "--code",
        f"file://{tmp_path}@v1",
    )
    console.run(*frozen, "--", "python", "train.py")
    assert said(console, "here") == ["tagged"]
    # ranks clone themselves: from a server that another job is, there being no other network
    serve = "cd /repo && exec python -m http.server 8000"
    bare = console.project / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(tmp_path), str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "update-server-info"], check=True)
    mount = f"{bare}:/repo:ro"
    console.run("submit", "generic", "--name", "serve", "--cpu", "100m", "--mount", mount,
                "--", "sh", "-c", serve)  # fmt: skip
    console.run("wait", "serve", "--for", "running")
    get = (
        "submit",
        "generic",
        "--cpu",
        "100m",
        "--retries",
        "9",
        "--git",
        "http://serve:8000/@v1",
    )
    console.run(*get, "--name", "clone", "--", "python", "train.py")
    assert said(console, "clone") == ["tagged"]
    console.run("delete", "serve", "--yes")


def test_mounts_secrets_and_shared_memory(console: Console) -> None:
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "data": {"PASSWORD": base64.b64encode(b"hunter2").decode()},
    }  # fmt: skip
    with console.client() as client:
        client.create(console.kind("secrets"), secret)
    (console.project / "data").mkdir()
    (console.project / "data" / "x").write_text("hello data")
    look = (
        "cat /in/x; echo; echo $PASSWORD; cat /login/PASSWORD; echo; "
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null && ls -s /dev/shm | tail -1; "
        "touch /in/y 2>/dev/null || echo read-only"
    )
    console.run(
        "submit", "generic", "--name", "mounted", "--cpu", "100m", "--shm", "16Mi",
        "--mount", f"{console.project}/data:/in:ro", "--secret", "login",
        "--mount", "secret/login:/login", "--", "sh", "-c", look,
    )  # fmt: skip
    data, env, file, shared, locked = said(console, "mounted")
    assert (data, env, file, locked) == ("hello data", "hunter2", "hunter2", "read-only")
    assert shared.split() == ["8192", "x"]
    assert "hunter2" not in json.dumps(console.run("get", "trainingjob", "mounted", "-o", "json"))
