"""Every command of the README and the guides runs, in order, on a real platform."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.console import open_way

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    "README.md",
    *(f"docs/{name}.md" for name in ("laptop", "workstation", "training", "makers", "workspaces")),
]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SET_UP = ("make ",)
"""Commands that make the environment which the others run in; `make demo` is its own stage."""


def commands(page: str) -> list[str]:
    """The commands of a page, in order."""
    text = (ROOT / page).read_text()
    rows = [row[2:] for block in BLOCK.findall(text) for row in block.splitlines()
            if row.startswith("$ ")]  # fmt: skip
    return [row for row in rows if not row.startswith(SET_UP)]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of(page: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("print('training')\n")
    open_way(tmp_path)
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "ATHANOR_EXAMPLES_DIR": str(ROOT / "examples"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(Path(sys.executable).parent.parent),
    }
    env.pop("KUBECONFIG", None)
    try:
        for command in commands(page):
            done = subprocess.run(
                ["bash", "-c", command], cwd=project, env=env, capture_output=True, text=True,
                timeout=180, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    finally:
        subprocess.run(["athanor", "down", "--yes"], env=env, check=False, capture_output=True)
    assert commands(page)
