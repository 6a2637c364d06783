"""Whole answers: a real Kubernetes gives the recorded ones, ours the same but as declared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from athanor.local.apiserver.refusals import DEPARTURES, REFUSALS
from tests.conformance import compare
from tests.conformance.differences import declared

QUESTIONS = list(compare.collect())


class Asked:
    """One world's answers: a module's are asked for together, once."""

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = str(kubeconfig)
        self._known: dict[str, Mapping[str, Any]] = {}

    def answers(self, module: str) -> Mapping[str, Any]:
        """By the titles of the scenarios."""
        if module not in self._known:
            self._known[module] = asyncio.run(compare.ask_all(self.kubeconfig, module))
        return self._known[module]


@pytest.fixture(scope="session")
def asked(bare: tuple[str, Path]) -> Asked:
    """A world that is asked."""
    return Asked(*bare)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_recorded_answers(asked: Asked, name: str) -> None:
    module, _, title = name.partition(".")
    found, recorded = asked.answers(module)[title], compare.recorded(module)[title]
    assert not isinstance(found, BaseException), repr(found)
    wrong = compare.problems(name, found, recorded, theirs_again=asked.name == "kube")
    assert not wrong, "\n  ".join(wrong)


def test_nothing_is_declared_that_is_not_asked() -> None:
    titles = set(QUESTIONS)
    assert [d for d in declared() if d.scenario not in titles] == []
    for difference in declared():
        module, _, title = difference.scenario.partition(".")
        theirs = compare.recorded(module)[title][difference.step - 1]
        assert compare.differences(difference.ours, theirs), f"{difference} is no difference"
        assert not compare.needless(difference.ours, theirs), f"{difference} says too much"


def test_a_hundred_questions_are_of_chance() -> None:
    assert sum(name.startswith("generated.") for name in QUESTIONS) >= 100


def test_every_difference_names_a_listed_refusal_and_each_is_needed() -> None:
    listed = {entry.what for entry in (*REFUSALS, *DEPARTURES)}
    assert [d for d in declared() if d.why not in listed] == []
    named = {d.why for d in declared()}
    assert [d.what for d in DEPARTURES if d.what not in named] == []
