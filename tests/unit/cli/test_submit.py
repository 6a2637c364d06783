"""Which environment a job gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from athanor.cli.verbs.submit import _venv


def test_without_any_environment_the_nodes_interpreter_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert _venv(None) == ""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert _venv(None) == str(tmp_path / ".venv")
