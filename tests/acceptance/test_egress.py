"""Pods reach other machines and no doors of this one; tried in namespaces of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_pods_reach_the_world_and_not_this_machines_own_doors(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.outside", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    if "skip" in seen:
        pytest.skip(seen["skip"])
    nobody = 65534 if os.getuid() == 0 else os.getuid()
    assert seen == {
        "missing": "",
        "before": [],
        "far": "HELLO",
        "much": "5000000 bytes, XXX",
        "nobody": "refused",
        "metadata": "refused",
        "door": "refused",
        "own": "refused",
        "asks": ["answered", "answered"],
        "users": [nobody],
        "after": [],
    }
