"""What examinations start ends with them, whatever ends them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTS = """
import subprocess, sys
from tests.conformance.kube import guard
with subprocess.Popen(["sleep", "600"], process_group=guard.group()) as sleeper:
    print(sleeper.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_it_ends_with_whoever_started_it(how: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", STARTS], stdin=pipe, stdout=pipe) as starter:
        assert starter.stdout is not None
        sleeper = Path("/proc") / starter.stdout.readline().decode().strip()
        assert sleeper.exists()
        getattr(starter, how)()
    while sleeper.exists() and " Z " not in (sleeper / "stat").read_text():
        time.sleep(0.01)
