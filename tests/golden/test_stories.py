"""Every story of this folder: its commands print exactly what it says they print.

`ATHANOR_GOLDEN=write pytest tests/golden` writes the stories anew; read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.golden.console import Console

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```(console|world)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

QUEUES = """\
apiVersion: athanor.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {parent: all, fairShare: {weight: 2}}
---
apiVersion: athanor.dev/v1alpha1
kind: Queue
metadata: {name: all}
"""
"""What is kept in a file beside the program."""


@pytest.mark.parametrize("story", sorted(HERE.glob("*.md")), ids=lambda path: path.stem)
def test_story(story: Path, tmp_path: Path) -> None:
    text = story.read_text(encoding="utf-8")
    world = next((body for kind, body in BLOCK.findall(text) if kind == "world"), "")
    said = yaml.safe_load(world) or {}
    nodes = said.get("nodes") or {"laptop": {"cpu": "8", "memory": "32Gi", "pods": "110"}}
    (tmp_path / "train.py").write_text("print('training')\n")
    (tmp_path / "queues.yaml").write_text(QUEUES)
    with Console(nodes, said.get("lives") or {}) as console:

        def play(match: re.Match[str]) -> str:
            if match[1] == "world":
                return match[0]
            commands = [row[2:] for row in match[2].splitlines() if row.startswith("$ ")]
            played = "".join(f"$ {line}\n{console.run(line, tmp_path)}" for line in commands)
            return f"```console\n{played}```"

        now = BLOCK.sub(play, text)
    if os.environ.get("ATHANOR_GOLDEN") == "write":
        story.write_text(now, encoding="utf-8")
        return
    assert now == text
