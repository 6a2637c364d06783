"""Trainings by people's own frameworks, with their own collectives and launchers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tests.acceptance.trainings import EXAMPLES, jax_learned, regression_agrees, trees_agree
from tests.conformance.stories.teller import Teller

SMALL = ("--cpu", "100m")


def submitted(
    story: Teller, venv: str, framework: str, name: str, *words: str, first: Sequence[str] = ()
) -> None:
    """Submit an example to two workers. `words`: options, then -- and its arguments; `first`:
    the beginning of its command line.
    """
    at = words.index("--")
    program = f"train_{framework}.py"
    shutil.copy(EXAMPLES / program, story.folder)
    story.athanor(
        "submit", framework, "--name", name, "--venv", venv, "--workers", "2", *words[:at],
        "--", *first, "python", program, *words[at + 1 :],
    )  # fmt: skip


def log_of(story: Teller, name: str) -> str:
    """The log of a job, as soon as it has succeeded."""
    story.reaches("trainingjob", name, "Succeeded")
    return story.athanor("logs", name)


def test_jax_learns_on_two_ranks(story: Teller, venv: str) -> None:
    submitted(story, venv, "jax", "digits", *SMALL, "--", "--epochs", "20")
    jax_learned(log_of(story, "digits"))


def test_xgboost_grows_the_same_trees_on_two_ranks(story: Teller, venv: str) -> None:
    submitted(story, venv, "xgboost", "trees", *SMALL, "--")
    trees_agree(log_of(story, "trees"))


def test_mpi_is_launched_without_ssh(story: Teller, venv: str) -> None:
    submitted(story, venv, "mpi", "fit", *SMALL, "--")
    regression_agrees(log_of(story, "fit"), "fit-worker-0", "fit-worker-1")
