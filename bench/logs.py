"""`athanor logs -f` of 64 ranks that write 200 lines a second each, across a restart of the agent.

CPU is that of the command, of the API server and of the agent together, over the seconds in which
all ranks write, as parts of one core. Every line is numbered: none may be lost, none come twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from athanor.assembly import processes
from athanor.assembly.layout import DataDir
from athanor.sdk.client import Client
from athanor.sdk.submission import Submission
from bench.harness import Figure, cpu_seconds
from bench.up import WARM, command, platform

RANKS, RATE = 64, 200
WRITE = """\
import sys, time
end, number = int(sys.argv[1]), 0
start = time.monotonic()
while number < end:
    print(*(f"line {n} of a training's log" for n in range(number, number + 20)), sep="\\n")
    sys.stdout.flush()
    number += 20
    time.sleep(max(0.0, start + number / 200 - time.monotonic()))
"""


def run(full: bool) -> list[Figure]:
    """What it costs, and whether all lines came once."""
    with platform() as (data, client):
        return measure(data, client, 60 if full else 20)


def measure(data: DataDir, client: Client, seconds: int) -> list[Figure]:
    """Follow, watch the processes for a while, then kill the agent, and count in the end."""
    lines = RATE * (seconds + 15)
    client.submit(
        Submission(
            framework="generic", name="talk", workers=RANKS, cpu="10m",
            command=["python3", "-c", WRITE, str(lines)],
        )
    )  # fmt: skip
    told = data.root / "told"
    with told.open("wb") as out:
        follow = subprocess.Popen(
            command(data, "logs", "-f", "talk"), stdout=out, stderr=out, env=WARM
        )
        client.wait("talk", until="running", timeout=120)
        time.sleep(3)
        pids = [
            follow.pid,
            *(processes.read(data.run / f"{p}.pid").pid for p in ("server", "agent")),
        ]
        before, began = [cpu_seconds(pid) for pid in pids], time.perf_counter()
        time.sleep(seconds)
        spent = time.perf_counter() - began
        used = [cpu_seconds(pid) - b for pid, b in zip(pids, before, strict=True)]
        os.kill(pids[-1], signal.SIGKILL)
        client.wait("talk", timeout=120)
        follow.wait(60)
    wrong = _wrong(told, lines)
    return [
        Figure(name="logs_follow_cpu", value=100 * sum(used) / spent, unit="% of a core", limit=50,
               better="low"),
        Figure(name="logs_lost_or_doubled", value=wrong, unit=f"of {RANKS * lines} lines", limit=0,
               better="low"),
    ]  # fmt: skip


def _wrong(told: Path, lines: int) -> int:
    """How many lines are missing, how many there more than once."""
    seen = Counter(told.read_text().splitlines())
    wanted = {
        f"[worker-{rank}] line {n} of a training's log"
        for rank in range(RANKS)
        for n in range(lines)
    }
    return (
        len(wanted - seen.keys())
        + sum(count - 1 for count in seen.values())
        + len(seen.keys() - wanted)
    )
