"""Reports that go to the gateway."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import athanor_progress as progress
from athanor_progress import distant


class Wire:
    """Takes reports, and answers with when a checkpoint was asked for."""

    def __init__(self) -> None:
        self.answer = ""
        self.away = False
        self.taken: list[dict[str, Any]] = []
        self.came = threading.Event()

    def put(self, said: dict[str, Any]) -> str:
        self.came.set()
        if self.away:
            raise OSError("nobody is there")
        self.taken.append(said)
        return self.answer


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr(distant, "put", made.put)
    monkeypatch.setattr(distant, "EVERY", 3600.0)
    monkeypatch.setattr("atexit.register", lambda at_end: None)
    (tmp_path / "token").write_text("t")
    monkeypatch.setenv("ATHANOR_ACCOUNT", str(tmp_path))
    monkeypatch.delenv("ATHANOR_PROGRESS_FILE", raising=False)
    for name in ("KUBERNETES_SERVICE_HOST", "ATHANOR_JOB", "ATHANOR_ROLE", "ATHANOR_RANK"):
        monkeypatch.setenv(name, "x")
    for name, value in (
        ("_said", {}), ("_written", -1e9), ("_answered", 0.0), ("_distant", None),
        ("_terminating", False),
    ):  # fmt: skip
        monkeypatch.setattr(progress, name, value)
    return made


def test_a_report_goes_out_and_the_answer_may_ask_for_a_checkpoint(wire: Wire) -> None:
    wire.answer = "2026-01-01T00:00:00Z"
    progress.report(1, 10, loss=0.5)
    assert wire.came.wait(5)
    until(progress.checkpoint_requested)
    assert (wire.taken[0]["step"], wire.taken[0]["metrics"]) == (1, {"loss": 0.5})
    progress.saved(1)
    assert not progress.checkpoint_requested(), "it was answered"


def test_the_last_word_goes_out_at_the_end_where_somebody_listens(wire: Wire) -> None:
    reporter = distant.Reporter()
    reporter.tell({"step": 1})
    until(lambda: len(wire.taken) == 1)
    reporter.tell({"step": 2})
    reporter._end()
    assert [said["step"] for said in wire.taken] == [1, 2]
    reporter._end()
    assert len(wire.taken) == 2, "nothing is owed any more"


def test_where_nobody_listens_the_end_is_not_held_up(wire: Wire) -> None:
    wire.away = True
    reporter = distant.Reporter()
    reporter.tell({"step": 1})
    assert wire.came.wait(5)
    until(lambda: reporter._owed)
    wire.came.clear()
    reporter._end()
    assert not wire.came.is_set()


def test_outside_of_a_job_nothing_is_sent(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATHANOR_JOB")
    progress.report(1, 10)
    assert progress._distant is None
    assert not progress.checkpoint_requested()


def until(true: Any) -> None:
    """A thread is on its way."""
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.001)
    assert true()
