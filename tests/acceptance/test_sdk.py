"""`athanor.train` where people call it: a script, `python -c`, an event loop, a notebook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import athanor
from tests.acceptance.console import Console
from tests.acceptance.environments import NotAvailable, environment

KERNEL = Path(__file__).with_name("kernel.py")
SOURCES = str(Path(athanor.__file__).parent.parent)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("sdk")) as up:
        yield up


def surroundings(console: Console) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(console.data.admin), "PYTHONUNBUFFERED": "1"}


def python(console: Console, *words: str, venv: Path | None = None) -> str:
    """What a Python program prints, both streams; in another environment with ours beside it."""
    beside = os.pathsep.join([SOURCES, sysconfig.get_path("purelib")])
    program = str(venv / "bin" / "python") if venv else sys.executable
    more = {"PYTHONPATH": beside} if venv else {}
    ran = subprocess.run(
        [program, *words], cwd=console.project, env={**surroundings(console), **more}, text=True,
        timeout=180, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def written(console: Console, name: str, text: str) -> str:
    file = console.project / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return name


SCRIPT = """
import athanor, near                     # a module beside the script

SCALE = 3

class Net:
    def __init__(self, size): self.size = size

def fit(steps):
    import athanor_progress as progress
    for step in range(steps):
        progress.report(step + 1, steps, loss=1 / (step + 1))
        print("step", step)
    return {"size": Net(SCALE).size, "near": near.WORD}

def outer(word):
    return lambda: word

if __name__ == "__main__":
    job = athanor.train(
        fit, framework="pytorch", workers=2, cpu="100m", arguments={"steps": 3}
    )
    for line in job.logs(follow=True):
        print(line)
    print(job.wait(timeout=60).status.phase, job.result())
    print(job.metrics().step, job.metrics().values)
    print([line.text for line in job.logs(rank=1, search="step [12]", tail=1)])
    for function in (outer("closed over"), lambda: "a lambda"):
        job = athanor.train(function, cpu="100m")
        job.wait(timeout=60)
        print(job.result())
"""


def test_a_script(console: Console) -> None:
    written(console, "sub/near.py", 'WORD = "beside"\n')
    said = python(console, written(console, "sub/fit.py", SCRIPT)).splitlines()
    for rank in (0, 1):
        mine = [line for line in said if line.startswith(f"[worker-{rank}]")]
        assert mine == [f"[worker-{rank}] step {step}" for step in range(3)]
    assert said[-5:] == [
        "Succeeded {'size': 3, 'near': 'beside'}",
        "3 {'loss': 0.3333333333333333}",
        "['step 2']",
        "closed over",
        "a lambda",
    ]


def test_a_program_without_a_file(console: Console) -> None:
    code = (
        "import athanor\ndef f(x): return x + 1\n"
        "job = athanor.train(f, cpu='100m', arguments={'x': 41})\n"
        "job.wait(timeout=60)\nprint(job.result())"
    )
    assert python(console, "-c", code) == "42\n"


def test_an_error_in_the_function_is_told(console: Console) -> None:
    code = (
        "import athanor\ndef bad(): raise RuntimeError('boom')\n"
        "job = athanor.train(bad, cpu='100m', retries=0)\n"
        "print(job.wait(timeout=60).status.phase)\n"
        "try: job.result()\nexcept athanor.NoResult as told: print(told)\n"
        "print(job.why().log[-1])"
    )
    failed, told, last = python(console, "-c", code).splitlines()
    assert (failed, last) == ("Failed", "RuntimeError: boom")
    assert "worker-0 ended with exit code 1" in told
    assert "job.why()" in told


EVENT_LOOP = """
import asyncio, athanor

async def main():
    jobs = await asyncio.gather(
        *(athanor.train_async(lambda: 7, cpu="100m") for _ in range(3))
    )
    phases = [(await job.wait(timeout=60)).status.phase for job in jobs]
    print(phases, [await job.result() for job in jobs])
    talk = await athanor.train_async(lambda: print("hello"), cpu="100m")
    print([line.text async for line in talk.logs(follow=True)])
    try:
        slow = await athanor.train_async(lambda: __import__("time").sleep(60), cpu="100m")
        await slow.wait(timeout=0.5)
    except athanor.WaitTimeout:
        await slow.delete()
        print("not yet")

asyncio.run(main())
"""


def test_an_event_loop(console: Console) -> None:
    said = python(console, "-W", "default", "-c", EVENT_LOOP).splitlines()
    assert said == [f"{['Succeeded'] * 3} {[7] * 3}", "['hello']", "not yet"]


@pytest.mark.parametrize("call", ["job.wait()", "print(*job.logs(follow=True))"])
def test_ctrl_c_ends_the_waiting_and_not_the_job(console: Console, call: str) -> None:
    code = (
        "import athanor, time\n"
        "job = athanor.train(lambda: time.sleep(600), cpu='100m')\n"
        f"print(job.name)\n{call}"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code], cwd=console.project, env=surroundings(console), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        # what runs in the background of a shell has inherited that Ctrl-C is ignored
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert started.stdout is not None
    name = started.stdout.readline().strip()
    with console.client() as client:
        client.wait(name, until="running", timeout=60)
        started.send_signal(signal.SIGINT)
        said, _ = started.communicate(timeout=60)
        assert said.rstrip().endswith("KeyboardInterrupt")
        assert client.job(name).status.phase == "Running"
        client.delete_job(name)


TORCH = """
import athanor

def fit(start):
    import os
    import torch, torch.distributed as dist
    dist.init_process_group("gloo")
    total = torch.ones(1) * (start + dist.get_rank())
    dist.all_reduce(total)
    dist.destroy_process_group()
    return total.item(), int(os.environ["WORLD_SIZE"])

job = athanor.train(
    fit, framework="pytorch", workers=2, processes=2, cpu="200m", arguments={"start": 1}
)
job.wait(timeout=150)
print(job.result())
"""


@pytest.mark.skipif(
    "ATHANOR_FULL" not in os.environ, reason="several GB of packages: make acceptance-full"
)
def test_torch_reduces_over_two_processes_of_two_ranks(console: Console) -> None:
    try:
        venv = environment("torch")
    except NotAvailable as why:
        pytest.skip(str(why))
    assert python(console, "-c", TORCH, venv=venv).splitlines()[-1] == "[10.0, 4]"


CELLS: Sequence[tuple[str, float | None]] = (
    ("import athanor, time\nclass Net:\n    size = 3", None),
    (
        "def fit(steps):\n    import athanor_progress as progress\n"
        "    for step in range(steps):\n        progress.report(step + 1, steps, loss=0.5)\n"
        "        time.sleep(0.3)\n    return Net.size",
        None,
    ),
    ("job = athanor.train(fit, workers=2, cpu='100m', arguments={'steps': 8})\njob", None),
    ("done = job.wait(timeout=60)", None),
    ("print(done.status.phase, job.result())", None),
    ("other = await athanor.train_async(lambda: 5, cpu='100m')\nother", None),
    ("await other.wait(timeout=60)\nprint(await other.result())", None),
    ("endless = athanor.train(lambda: time.sleep(600), cpu='100m')\nendless.wait()", 3.0),
    ("print(endless.status().status.phase)\nendless.delete()\nprint(endless)", None),
)


def test_a_notebook(console: Console) -> None:
    try:
        jupyter = environment("jupyter")
    except NotAvailable as why:
        pytest.skip(str(why))
    paths = os.pathsep.join([SOURCES, sysconfig.get_path("purelib")])
    ran = subprocess.run(
        [jupyter / "bin" / "python", KERNEL], cwd=console.project,
        env={**surroundings(console), "PYTHONPATH": paths}, input=json.dumps(CELLS), text=True,
        timeout=100, check=False, capture_output=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told: list[dict[str, Any]] = json.loads(ran.stdout)
    made, waited, value, _, awaited, stopped, after = told[2:]
    assert "<progress" in made["html"][-1]
    assert len(waited["html"]) > 3, "the bar moves while the cell waits"
    assert any('value="0.' in html and "loss 0.5" in html for html in waited["html"])
    assert 'value="1.000"' in waited["html"][-1]
    assert value["text"] == "Succeeded 3\n"
    assert awaited["text"].endswith("\n5\n")
    assert (stopped["status"], "KeyboardInterrupt" in stopped["text"]) == ("error", True)
    assert after["text"].splitlines()[0] == "Running"
    assert all(cell["status"] == "ok" for cell in (*told[:7], after))
