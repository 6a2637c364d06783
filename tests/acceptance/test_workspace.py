"""JupyterLab in a real browser, through the gateway: used, idle, stopped, started again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.console import Console
from tests.acceptance.door import ask
from tests.acceptance.environments import NotAvailable, environment

HERE = Path(__file__).parent
RESUMED = 30.0
"""Seconds until a workspace that was stopped runs again, on a busy machine; bench has the bar."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("workspace")) as up:
        yield up


def needed(name: str) -> Path:
    try:
        return environment(name)
    except NotAvailable as why:
        pytest.skip(str(why))


def browser() -> str:
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium here: apt-get install chromium-headless-shell")


def status(console: Console, name: str) -> dict[str, object]:
    found: dict[str, dict[str, object]] = json.loads(
        console.run("workspace", "get", name, "-o", "json")
    )
    return found.get("status", {})


def phase(console: Console, name: str, wanted: str, seconds: float = 120) -> None:
    console.until(lambda: True if status(console, name).get("phase") == wanted else None, seconds)


def test_a_command_of_ones_own_behind_the_door(console: Console) -> None:
    serve = (
        "import http.server, os; os.chdir('/'); "
        "H = type('H', (http.server.BaseHTTPRequestHandler,), {'do_GET': lambda s: ("
        "s.send_response(200), s.end_headers(), s.wfile.write(s.path.encode()))}); "
        "port = int(os.environ['ATHANOR_WORKSPACE_PORT']); "
        "http.server.HTTPServer(('127.0.0.1', port), H).serve_forever()"
    )
    console.run(
        "workspace", "create", "app", "--app", "command", "--cpu", "100m", "--",
        "python", "-c", serve,
    )  # fmt: skip
    phase(console, "app", "Running")
    link = console.run("workspace", "open", "app").strip()
    base = link.partition("?")[0]
    assert ask(base)[0] == 401, "nobody enters without a link"
    forged = link[:-1] + ("1" if link.endswith("0") else "0")
    assert ask(forged)[0] == 401, "nobody makes a link of his own"
    code, _, cookie = ask(link)
    assert code == 302

    def answers() -> str | None:
        code, body, _ = ask(f"{base}some/page?x=1", cookie)
        return body if code == 200 else None

    assert console.until(answers) == "/workspaces/default/app/some/page?x=1"
    assert ask(base.replace("/app/", "/other/"), cookie)[0] == 401, "a cookie is for one workspace"
    console.run("workspace", "stop", "app")
    phase(console, "app", "Stopped")
    assert "cannot be opened" in console.run("workspace", "open", "app", code=1)
    started = time.monotonic()
    console.run("workspace", "start", "app")
    phase(console, "app", "Running")
    assert time.monotonic() - started < RESUMED
    console.run("workspace", "delete", "app", "--yes")


def test_a_tensorboard_beside_a_job(console: Console) -> None:
    venv = needed("tensorboard")
    write = (
        "import os, time\n"
        "from tensorboard.compat.proto.event_pb2 import Event\n"
        "from tensorboard.compat.proto.summary_pb2 import Summary\n"
        "from tensorboard.summary.writer.event_file_writer import EventFileWriter\n"
        "writer = EventFileWriter(os.environ['ATHANOR_OUTPUT_DIR'])\n"
        "for step in range(5):\n"
        "    value = Summary.Value(tag='loss', simple_value=1 / (step + 1))\n"
        "    summary = Summary(value=[value])\n"
        "    writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))\n"
        "writer.close()\n"
    )
    said = console.run(
        "submit", "generic", "--name", "curve", "--cpu", "100m", "--venv", str(venv),
        "--tensorboard", "--", "python", "-c", write,
    )  # fmt: skip
    assert "athanor workspace open curve-tb" in said
    console.run("wait", "curve", "--timeout", "2m")
    phase(console, "curve-tb", "Running")

    def curve() -> str | None:
        link = console.run("workspace", "open", "curve-tb").strip()
        code, _, cookie = ask(link)
        base = link.partition("?")[0]
        found = ask(f"{base}data/plugin/timeseries/tags", cookie) if code == 302 else (code, "", "")
        return found[1] if found[0] == 200 and "loss" in found[1] else None

    assert json.loads(console.until(curve, 120))["scalars"]["tagDescriptions"] is not None
    console.run("delete", "curve", "--yes")
    console.until(lambda: "curve-tb" not in console.run("workspace", "list") or None)


def test_jupyterlab_in_a_browser(console: Console) -> None:
    jupyter, playwright, chromium = needed("jupyter"), needed("browser"), browser()
    console.run(
        "workspace", "create", "lab", "--venv", str(jupyter), "--idle", "10s", "--idle-stop", "25s"
    )
    phase(console, "lab", "Running")

    def browse(what: str) -> str:
        def page() -> bool | None:
            code, _, cookie = ask(console.run("workspace", "open", "lab").strip())
            base = str(status(console, "lab")["url"])
            return True if code == 302 and ask(f"{base}lab", cookie)[0] == 200 else None

        console.until(page)
        link = console.run("workspace", "open", "lab").strip()
        ran = subprocess.run(
            [str(playwright / "bin" / "python"), str(HERE / "browse.py"), link, what, chromium],
            capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        return ran.stdout

    assert browse("work").strip() == "42"

    def told() -> bool | None:
        done = status(console, "lab").get("activity")
        return True if isinstance(done, dict) and done.get("web") else None

    console.until(told)
    phase(console, "lab", "Stopped", seconds=180)
    found = status(console, "lab")
    assert found["reason"] == "Idle" and "nobody has used it" in str(found["message"])
    assert "No resources" in console.run("get", "pods", "-o", "name") or (
        "ws-lab" not in console.run("get", "pods", "-o", "name")
    )
    console.run("workspace", "start", "lab")
    phase(console, "lab", "Running")
    assert "Untitled.ipynb" in browse("look"), "the home is the same"
    console.run("workspace", "delete", "lab", "--yes")
