"""A job as notebooks show it: a card with a bar, which moves while a cell waits for the job.

The door to IPython, which is never imported unless it runs already.
"""

from __future__ import annotations

import html
import importlib
import sys
from typing import Protocol

from athanor.api.training import TrainingJob
from athanor.kit.spans import show_span
from athanor.sdk.progress import metrics_of

ENDED = ("Succeeded", "Failed", "Suspended")


class Shown(Protocol):
    """A piece of a cell's output that changes in place."""

    def update(self, value: object) -> None:
        """Show this instead."""


class Card:
    """A job, drawn by the notebook."""

    def __init__(self, job: TrainingJob) -> None:
        self.job = job

    def _repr_html_(self) -> str:
        return as_html(self.job)

    def __repr__(self) -> str:
        return as_text(self.job)


def live(job: TrainingJob) -> Shown | None:
    """Show a job below the cell that runs, to be updated. None outside of notebooks."""
    core = sys.modules.get("IPython")
    shell = core.get_ipython() if core is not None else None
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    shown: Shown = importlib.import_module("IPython.display").display(Card(job), display_id=True)
    return shown


def as_text(job: TrainingJob) -> str:
    """One line: name, phase, steps, numbers."""
    return "  ".join(word for word in _words(job) if word)


def as_html(job: TrainingJob) -> str:
    """A row with a bar; below it what the job says of its phase, when that is worth a line."""
    share = metrics_of(job).share
    if job.status.phase == "Succeeded":
        share = 1.0
    value = "" if share is None else f' value="{share:.3f}"'
    bar = "" if share is None and job.status.phase in ENDED else f"<progress{value}></progress>"
    row = "".join(f"<td>{html.escape(cell)}</td>" for cell in _words(job))
    message = html.escape(job.status.message) if job.status.phase != "Running" else ""
    below = f'<tr><td colspan="6"><small>{message}</small></td></tr>' if message else ""
    return f"<table><tr>{row}<td>{bar}</td></tr>{below}</table>"


def _words(job: TrainingJob) -> list[str]:
    told = metrics_of(job)
    running = sum(pods.running for pods in job.status.pods)
    total = sum(role.replicas for role in job.spec.roles)
    ranks = f"{running} of {total} ranks" if job.status.phase in ("Starting", "Running") else ""
    steps = f"{told.step}/{told.total}" if told.total else str(told.step or "")
    numbers = ", ".join(f"{key} {value:.4g}" for key, value in told.values.items())
    running_still = told.eta is not None and job.status.phase not in ENDED
    left = f"{show_span(told.eta or 0)} left" if running_still else ""
    return [
        job.metadata.name, job.status.phase, ranks, steps, ", ".join(filter(None, [numbers, left])),
    ]  # fmt: skip
