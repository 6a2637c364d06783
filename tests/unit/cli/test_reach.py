"""Into pods from the command line: what is asked of the server."""

from __future__ import annotations

import io
import sys
from typing import cast

import msgspec
import pytest

from athanor.api.core import Pod
from athanor.cli import reach
from athanor.cli.world import World
from athanor_progress.remote import ERROR, Channels

POD = msgspec.convert({"metadata": {"name": "p", "namespace": "n"}, "spec": {}}, Pod)


class Ended:
    """Channels of a command that has ended well."""

    def receive(self) -> tuple[int, bytes] | None:
        """Its exit status."""
        return ERROR, b'{"status":"Success"}'


def test_no_terminal_is_asked_for_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def opened(*_: object, tty: bool, **__: object) -> Channels:
        asked.append(tty)
        return cast("Channels", Ended())

    monkeypatch.setattr(reach, "opened", opened)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert reach.interact(World(), POD, "exec", ["sh"], stdin=False, tty=True) == 0
    assert asked == [False]
    assert "no terminal" in capsys.readouterr().err
