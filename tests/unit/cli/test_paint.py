"""Columns line up; colours only where they are wanted."""

from __future__ import annotations

import io

import pytest

from athanor.cli import paint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_columns_line_up_and_end_without_blanks() -> None:
    lines = paint.columns(["NAME", "N"], [["a", "1"], ["longer", ""]], io.StringIO())
    assert lines == ["NAME     N", "a        1", "longer"]


def test_a_terminal_cuts_long_lines() -> None:
    lines = paint.columns(["A"], [["x" * 50]], io.StringIO(), width=20)
    assert lines[1] == "x" * 19 + "…"


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint.paint("x", paint.RED, io.StringIO()) == "x"
    assert paint.paint("x", paint.RED, Terminal()) == "\x1b[31mx\x1b[0m"
    assert "\x1b[32mRunning" in paint.columns([], [["a", "Running"]], Terminal())[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint.paint("x", paint.RED, Terminal()) == "x"
