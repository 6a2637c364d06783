"""The sweeps controller as data, for a manager to run."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from athanor.api.sweeps import Sweep
from athanor.features.sweeps.observe import Observed, observe
from athanor.features.sweeps.plan import plan
from athanor.features.sweeps.question import Question
from athanor.features.sweeps.space import Value, draw
from athanor.runtime.children import watches
from athanor.runtime.controller import Controller, Watch


class Model(Protocol):
    """What suggests parameters from what was seen; it may take a while to load."""

    def state(self) -> str:
        """How it stands: "ready", "loading", or why there is none. Begins to load it."""

    def suggest(self, question: Question) -> dict[str, Value]:
        """The parameters of a trial, when it is ready."""


class NoModel:
    """Draws at random whatever was seen."""

    def state(self) -> str:
        """Always there."""
        return "ready"

    def suggest(self, question: Question) -> dict[str, Value]:
        """A draw."""
        return draw(question.parameters, question.seed, question.number)


def controller(model: Model | None = None) -> Controller[Observed]:
    """Sweeps: parameters → trials → status."""
    used = model or NoModel()
    return Controller(
        name="sweeps",
        watches=(Watch(Sweep), *watches("Sweep")),
        observe=partial(observe, model=used.state),
        plan=partial(plan, suggest=used.suggest),
    )
