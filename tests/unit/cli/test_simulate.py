"""A replay is printed beside what really happened; what nobody knows is no number."""

from __future__ import annotations

import json

import pytest

from athanor.api.core import ConfigMap
from athanor.cli.verbs import simulate
from athanor.cli.world import Output, World
from athanor.features.scheduling import replay
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.record import Recorder
from tests.unit.features.scheduling.test_record import records
from tests.unit.features.scheduling.test_replay import NOW, RUNS, gang, machine, world


def printed(output: Output, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a gang that was evicted once, and would not be again."""
    made, _ = Recorder("home")([gang("a", NOW, RUNS)], [], NOW)
    past: list[ConfigMap] = records(made)
    found = replay.history(world(machine("n")), Policy(), NOW + 600.0, past)
    asked = World()
    asked.output = output
    simulate._play(asked, {"as it is": found.scenario}, 1e6, "", found.recorded)
    return capsys.readouterr().out


def test_what_happened_and_the_replay_are_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {line[:16].strip(): line[16:].split() for line in printed("table", capsys).splitlines()}
    assert rows["evictions"] == ["1", "0"]
    assert rows["fragmented"][0] == "-"


def test_the_document_has_both(capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(printed("json", capsys))
    assert [said[name]["evictions"] for name in ("recorded", "as it is")] == [1, 0]
    assert said["recorded"]["fragmented"] is None
    assert "stuck" not in said["recorded"] and said["as it is"]["stuck"] == 0
