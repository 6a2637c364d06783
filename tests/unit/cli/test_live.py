"""What a terminal shows while the platform is up."""

from __future__ import annotations

import io

from athanor.cli import live

PARTS = [
    {"name": "server", "ready": True, "running": True},
    {"name": "agent", "ready": False, "running": True},
]
NODE = {
    "name": "vm", "ready": True, "cordoned": False, "simulated": True, "pods": 1,
    "resources": {"cpu": {"asked": 0.5, "of": 2.0}, "nvidia.com/gpu": {"asked": 2, "of": 4}},
}  # fmt: skip
SAID = {"processes": PARTS, "nodes": [NODE], "jobs": {"Running": 1, "Queued": 2}}
JOB = ["default", "fit", "generic", "Running", "1/1", "default", "-", "5s"]


def test_parts_node_jobs_and_the_last_word_are_shown() -> None:
    assert live.frame(SAID, [JOB], "12:00:00 agent ended", 100, 30) == [
        "platform   server ready, agent starting",
        "node       vm ready, 1 pods; cpu 0.5 of 2, nvidia.com/gpu 2 of 4 (simulated)",
        "jobs       2 Queued, 1 Running",
        "last       12:00:00 agent ended",
        "NAMESPACE   NAME   FRAMEWORK   PHASE     RANKS   QUEUE     PROGRESS   AGE",
        "default     fit    generic     Running   1/1     default   -          5s",
    ]


def test_nothing_is_wider_or_higher_than_the_terminal() -> None:
    lines = live.frame(SAID, [JOB] * 20, "x" * 200, 40, 12)
    assert len(lines) < 12
    assert max(map(len, lines)) < 40
    assert lines[-1] == "… and 15 more: athanor list -A"


def test_a_screen_writes_over_what_it_showed_and_only_when_that_changed() -> None:
    terminal = io.StringIO()
    screen = live.Screen(terminal)
    screen.draw(["a", "b"])
    screen.draw(["a", "b"])
    screen.draw(["c"])
    assert terminal.getvalue() == "a\nb\n\x1b[2A\r\x1b[Jc\n"
