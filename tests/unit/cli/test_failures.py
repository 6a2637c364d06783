"""Every error is one line with a way out and an exit code; no traceback reaches a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from athanor.cli import failures
from athanor.cli.failures import Failure, guard
from athanor.client.target import Unreachable
from athanor.wire.status import ApiError, from_response


def raiser(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Failure("no", hint="yes"), failures.FAILED, "try: yes"),
        (Failure("gone", code=3), failures.NOT_FOUND, "gone"),
        (click.UsageError("which?"), failures.USAGE, "which?"),
        (ApiError("NotFound", 'trainingjobs "a" not found'), failures.NOT_FOUND, "athanor list"),
        (ApiError("NotFound", 'namespaces "x" not found'), failures.NOT_FOUND, "get namespaces"),
        (
            Unreachable("ServiceUnavailable", "no connection to https://127.0.0.1:7443: nobody"),
            failures.UNREACHABLE,
            "athanor up",
        ),
        (
            Unreachable("ServiceUnavailable", "no connection to https://far:6443: nobody"),
            failures.UNREACHABLE,
            "--context",
        ),
        (
            Unreachable("ServiceUnavailable", "https://127.0.0.1:1: certificate is not trusted"),
            failures.UNREACHABLE,
            "SSL_CERT_FILE",
        ),
        (ApiError("ServiceUnavailable", "disk is full"), failures.FAILED, "disk is full"),
        (ApiError("Forbidden", "not you"), failures.FAILED, "not you"),
        (ApiError("Invalid", "spec:\nbad"), failures.FAILED, "spec: bad"),
        (KeyboardInterrupt(), failures.INTERRUPTED, "interrupted"),
        (click.Abort(), failures.INTERRUPTED, "stopped"),
        (PermissionError(13, "Permission denied", "/x"), failures.FAILED, "/x: Permission denied"),
        (RuntimeError("odd"), failures.FAILED, "-vv"),
    ],
)
def test_errors(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard(raiser(error), []) == code
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert said.startswith("error: ")


def test_a_cluster_without_athanor_is_named_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bare = from_response(404, b"404 page not found\n")
    assert guard(raiser(bare), [], lambda: "lab") == failures.UNREACHABLE
    several = guard(lambda: failures.each(["a", "b"], lambda _: raiser(bare)()), [], lambda: "lab")
    assert several == failures.UNREACHABLE
    said = (
        "error: Athanor is not installed on this cluster (context lab)\n"
        "  try: athanor install, see docs/cluster.md\n"
    )
    assert capsys.readouterr().err == 2 * said


def test_twice_verbose_shows_where() -> None:
    with pytest.raises(RuntimeError):
        guard(raiser(RuntimeError("odd")), ["list", "-vv"])
    assert guard(raiser(RuntimeError("odd")), ["submit", "--", "x", "-vv"]) == failures.FAILED


def test_an_interrupted_verb_does_not_say_that_nothing_was_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def verb() -> None:
        raise KeyboardInterrupt

    assert guard(lambda: verb([], standalone_mode=False), []) == failures.INTERRUPTED
    assert capsys.readouterr().err.strip() == "error: interrupted"


def test_a_folder_that_is_gone_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert guard(os.getcwd, []) == failures.FAILED
    assert "exists no more" in capsys.readouterr().err


def test_a_number_is_the_exit_code() -> None:
    assert guard(lambda: 5, []) == 5
    assert guard(lambda: None, []) == 0
    assert sys.stdout is not None
