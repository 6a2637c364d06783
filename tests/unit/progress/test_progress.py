"""What a job says, and what it is asked."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

import athanor_progress as progress
from athanor.api.scheduling import Progress


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "progress.json"
    monkeypatch.setenv("ATHANOR_PROGRESS_FILE", str(path))
    for name, value in (("_said", {}), ("_written", -1e9), ("_answered", 0.0)):
        monkeypatch.setattr(progress, name, value)
    monkeypatch.setattr(progress, "_terminating", False)
    return path


def test_what_is_written_is_the_platforms_progress(file: Path) -> None:
    progress.report(3, 10, loss=0.5, bad=float("nan"))
    progress.saved(3)
    told = msgspec.json.decode(file.read_bytes(), type=Progress)
    assert (told.step, told.total, told.metrics) == (3, 10, {"loss": 0.5})
    assert told.last_checkpoint_step == 3
    assert told.last_checkpoint_time is not None
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_mere_steps_are_written_now_and_then_the_last_at_once(file: Path) -> None:
    for step in range(100):
        progress.report(step, 100)
        if step == 50:
            assert json.loads(file.read_text())["step"] < 50
    assert json.loads(file.read_text())["step"] == 99


def test_a_request_lasts_until_it_is_answered(file: Path) -> None:
    progress.report(0)
    assert not msgspec.json.decode(file.read_bytes(), type=Progress).listens
    assert not progress.checkpoint_requested()
    assert msgspec.json.decode(file.read_bytes(), type=Progress).listens
    request = file.parent / "checkpoint-requested"
    request.write_text("2027-01-15T08:00:00Z")
    assert progress.checkpoint_requested()
    progress.saved(1)
    assert not progress.checkpoint_requested()
    os.utime(request, (1, 1))  # asked again
    assert progress.checkpoint_requested()
    request.unlink()
    assert not progress.checkpoint_requested()


def test_sigterm_can_be_a_request(file: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        progress.catch_sigterm()
        signal.raise_signal(signal.SIGTERM)
        assert progress.checkpoint_requested()
        progress.saved(1)
        assert not progress.checkpoint_requested()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_of_a_job_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATHANOR_PROGRESS_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    progress.report(1)
    progress.saved(1)
    assert not progress.checkpoint_requested()
    monkeypatch.setenv("ATHANOR_CHECKPOINT_DIR", str(tmp_path / "c"))
    assert progress.checkpoint_dir() == str(tmp_path / "c")
    assert (tmp_path / "c").is_dir()


def test_a_full_disk_does_not_end_a_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_PROGRESS_FILE", str(file / "not" / "there"))
    progress.report(1, 2)
