"""Loads what sweeps use to model a search when the first sweep asks for it, beside the loop.

Optuna takes seconds and tens of megabytes to import: nobody pays for it without a sweep.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from types import ModuleType

from athanor.features.sweeps.question import Question
from athanor.features.sweeps.space import Value

MISSING = (
    "spec.algorithm.name: TPE needs Optuna, which is not installed: pip install 'athanor[sweeps]', "
    "or use Random or Grid"
)


class LazyModel:
    """`athanor.features.sweeps.tpe`, once it is wanted."""

    def __init__(self, module: str = "athanor.features.sweeps.tpe") -> None:
        self._name = module
        self._thread: threading.Thread | None = None
        self._module: ModuleType | None = None
        self._missing = ""

    def state(self) -> str:
        """How it stands; the first question begins to load it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._load, name="load-model", daemon=True)
            self._thread.start()
        if self._missing:
            return self._missing
        return "loading" if self._module is None else "ready"

    def suggest(self, question: Question) -> dict[str, Value]:
        """What the model suggests; see `tpe`."""
        assert self._module is not None, "asked before it was ready"
        answer: Mapping[str, Value] = self._module.suggest(question)
        return dict(answer)

    def _load(self) -> None:
        try:
            self._module = importlib.import_module(self._name)
        except ImportError:
            self._missing = MISSING
