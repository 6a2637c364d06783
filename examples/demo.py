"""The whole story on real input, checked step by step: `make demo`.

Two teams share this machine under a quota. One trains a classifier of handwritten digits with JAX
on two processes; a worker is killed on the way; the job goes on from its checkpoint. Every claim
printed with a tick was checked against the platform; the first that does not hold ends the demo
with exit code 1.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from athanor import Client
from athanor.api.core import Pod
from athanor.api.registry import find
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.wire import calls
from athanor.wire.status import ApiError

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / ".demo"
ATHANOR = [sys.executable, "-m", "athanor.cli"]
EPOCHS = 40
GOOD = 0.93
"""Accuracy on held-out digits that the training must reach; it reaches about 0.97."""

T = TypeVar("T")
started = time.monotonic()


def title(text: str) -> None:
    print(f"\n\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def fact(text: str) -> None:
    print(f"  ✓ {text}  [{time.monotonic() - started:.0f}s]", flush=True)


def fail(text: str) -> NoReturn:
    raise SystemExit(f"  ✗ {text}")


def must(holds: object, text: str, otherwise: str = "") -> None:
    if not holds:
        fail(f"did not happen: {text}" + (f" ({otherwise})" if otherwise else ""))
    fact(text)


class Demo:
    """The platform in a scratch folder, and a person at its command line."""

    def __init__(self, scratch: Path, venv: Path) -> None:
        self.scratch = scratch
        self.venv = venv
        self.data = scratch / "athanor"
        self.project = scratch / "project"
        self.project.mkdir()
        shutil.copy(ROOT / "examples" / "train_jax.py", self.project)

    def athanor(self, *words: str, show: bool = True, ok: bool = True) -> str:
        """Run a command as a person would; its output is printed."""
        if show:
            print(f"  $ athanor {' '.join(words)}", flush=True)
        ran = subprocess.run(
            [*ATHANOR, "--data", str(self.data), *words], cwd=self.project, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if show:
            print("".join(f"    {line}\n" for line in ran.stdout.splitlines()), end="", flush=True)
        if ok and ran.returncode != 0:
            fail(f"athanor {words[0]} ended with exit code {ran.returncode}: {ran.stdout}")
        return ran.stdout

    def client(self) -> Client:
        return Client(kubeconfig=str(self.data / "admin.kubeconfig"))

    def until(self, what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
        """What `look` finds, as soon as it finds something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if (found := look()) is not None:
                    return found
            except ApiError as problem:
                if problem.reason != "NotFound":
                    raise
            time.sleep(0.2)
        print(self.athanor("list", "-A", "-o", "wide", show=False))
        fail(f"in {seconds:.0f} s there was no: {what}")


def environment() -> Path:
    """A virtual environment with jax and scikit-learn, kept for the next time."""
    wanted = ROOT / "requirements" / "demo.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = HERE / f"venv-{digest}"
    if (venv / ".complete").exists():
        fact(f"jax and scikit-learn are in {venv}")
        return venv
    shutil.rmtree(venv, ignore_errors=True)
    HERE.mkdir(exist_ok=True)
    uv = shutil.which("uv") or next(iter(map(str, ROOT.glob(".venv/bin/uv"))), None)
    python = str(venv / "bin" / "python")
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", str(wanted)], check=True)
    (venv / ".complete").touch()
    fact(f"jax and scikit-learn are installed in {venv}")
    return venv


def submit(demo: Demo, queue: str, name: str, workers: int, cpu: str, *command: str) -> None:
    demo.athanor(
        "submit", "jax" if workers > 1 else "generic", "--name", name, "--queue", queue,
        "--workers", str(workers), "--cpu", cpu, "--venv", str(demo.venv), "--", *command,
    )  # fmt: skip


def teams(demo: Demo, client: Client) -> None:
    queues = find("queues")
    assert queues is not None
    for team, limit in (("vision", "1"), ("speech", "500m")):
        spec = {"pools": [{"pool": "default", "deserved": {"cpu": limit}, "limit": {"cpu": limit}}]}
        client.create(queues, {"metadata": {"name": team}, "spec": spec})
    demo.athanor("queue")


def gang(client: Client, name: str) -> Gang:
    found: Gang = client.driver.run((lambda: (yield calls.get(Gang, name, "default")))())
    return found


def pods(client: Client, name: str) -> list[Pod]:
    page = client.driver.run(
        (lambda: (yield calls.list_(Pod, "default", labels=f"athanor.dev/job={name}")))()
    )
    items: list[Pod] = page.items
    return items


def processes_of(demo: Demo, job: str, rank: str) -> list[int]:
    """The processes of a rank of this demo, found by the environment the platform gave it."""
    wanted = {f"ATHANOR_JOB={job}".encode(), f"ATHANOR_RANK={rank}".encode()}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            given = (entry / "environ").read_bytes()
            if str(demo.data).encode() in given and wanted <= set(given.split(b"\0")):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended while we looked, or is not ours to see
    return found


def accuracies(text: str) -> list[float]:
    return [float(value) for value in re.findall(r"accuracy[ =:]+([01]\.\d+)", text)]


def queueing(demo: Demo, client: Client) -> None:
    title("Two teams submit; vision asks for more than its quota")
    train = ("python", "train_jax.py", "--epochs", str(EPOCHS), "--pause", "0.2")
    submit(demo, "vision", "digits", 2, "500m", *train)
    submit(demo, "vision", "evaluate", 1, "500m", "python", "-c", "print('evaluated')")
    submit(demo, "speech", "transcribe", 1, "500m", "python", "-c", "print('hello, speech')")
    demo.until("admission of digits", lambda: gang(client, "digits").status.admission)
    fact("vision's training is admitted: both of its processes or none")
    waiting = demo.until("a reason for evaluate", lambda: gang(client, "evaluate").status.reasons)
    must(gang(client, "evaluate").status.admission is None, "vision's second job waits")
    demo.athanor("why", "evaluate")
    must(any("uota" in r.code or "imit" in r.code for r in waiting), "…because of its team's quota",
         ", ".join(r.code for r in waiting))  # fmt: skip
    job = client.wait("transcribe", timeout=60)
    must(job.status.phase == "Succeeded", "speech's job ran at once: its own quota was free")
    must("hello, speech" in demo.athanor("logs", "transcribe"), "…and its log can be read")


def hurting(demo: Demo, client: Client) -> None:
    title("The training runs on two processes; then one of them is killed")

    def checkpointed() -> int | None:
        progress = client.job("digits").status.progress
        step = progress.last_checkpoint_step if progress else None
        return step if step is not None and step >= 2 else None

    saved = demo.until("a checkpoint of digits", checkpointed, 150)
    demo.athanor("list")
    before = demo.athanor("logs", "digits", "--tail", "3")
    first = {pod.metadata.uid for pod in pods(client, "digits")}
    must(len(first) == 2, "two ranks are running")
    fact(f"a checkpoint of step {saved} is on disk; accuracy {max(accuracies(before)):.3f}")
    victims = processes_of(demo, "digits", "1")
    must(victims, "rank 1 is a process of this machine")
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    fact(f"kill -9 {' '.join(map(str, victims))}")

    def restarted() -> TrainingJob | None:
        job = client.job("digits")
        return job if job.status.retries > 0 or job.status.attempt > 0 else None

    demo.until("a restart of digits", restarted)
    fact("the platform saw it, and restarts both ranks under the same admission")
    demo.athanor("why", "digits")


def recovering(demo: Demo, client: Client) -> None:
    title("The job goes on from its checkpoint, to the end")
    job = client.wait("digits", timeout=240)
    log = demo.athanor("logs", "digits", show=False)
    print("".join(f"    {line}\n" for line in log.splitlines()[-8:]), end="")
    must(job.status.phase == "Succeeded", "the training succeeded", job.status.message)
    resumed = re.search(r"resum\w+ (?:from|at) (?:checkpoint of )?(?:epoch|step) (\d+)", log)
    must(resumed and int(resumed[1]) > 0, f"it resumed from step {resumed and resumed[1]}, not 0")
    rising = accuracies(log)
    must(len(rising) > 2 and rising[-1] >= rising[0], "accuracy rose in the log")
    must(rising[-1] >= GOOD, f"final accuracy {rising[-1]:.3f} on digits it had not seen")
    models = [p for p in (demo.project / "outputs" / "digits").rglob("*") if p.is_file()]
    must(models and models[0].stat().st_size > 1000, f"the model: {models and models[0]}")
    last = client.wait("evaluate", timeout=60)
    must(last.status.phase == "Succeeded", "vision's second job ran when its quota was free again")
    demo.athanor("list")


def main() -> int:
    title("Setting up")
    venv = environment()
    HERE.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=HERE))
    demo = Demo(scratch, venv)
    try:
        title("athanor up: a Kubernetes API, a scheduler and a node on this machine")
        demo.athanor("up", "--detach", "--port", "0", "--allow-host-path", str(scratch))
        client = demo.client()
        nodes = find("nodes")
        assert nodes is not None
        must(client.list(nodes, everywhere=True)["items"], "a node is registered")
        teams(demo, client)
        queueing(demo, client)
        hurting(demo, client)
        recovering(demo, client)
        client.close()
    finally:
        title("Tearing down")
        demo.athanor("down", "--yes", ok=False)
    must(not processes_of(demo, "digits", "0"), "no process is left")
    shutil.rmtree(scratch)
    print(f"""
Done in {time.monotonic() - started:.0f} s. Try next:
  . .venv/bin/activate && athanor up --detach
  athanor submit generic --name hello --workers 2 -- python -c "print('hello')"
  athanor up --detach --simulate-gpus 8xA100     # queueing for GPUs without having any
  athanor kubeconfig                             # for kubectl, k9s, your own operators
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
