"""What `${…}` stands for in the steps of a workflow."""

from __future__ import annotations

from msgspec import Struct

from athanor.api.workflows import Step, StepStatus, Workflow
from athanor.features.workflows.rows import Rows, step_phase
from athanor.kit import fill


class Names(Struct, frozen=True, kw_only=True):
    """A lookup for one row of a workflow. `root` is where artifacts are seen by pods."""

    workflow: Workflow
    rows: Rows
    root: str
    outcome: str = "Running"
    row: StepStatus | None = None

    def __call__(self, name: str) -> fill.Json:
        """The value of a name. Raises fill.Absent and fill.Unknown."""
        space, _, rest = name.partition(".")
        if space == "parameters":
            return self._parameter(rest)
        if space == "workflow":
            return self._workflow(rest)
        if space == "artifacts":
            return f"{self.root}/{rest}"
        if space == "item" and self.row is not None:
            return self.row.item if rest == "value" else self.row.index
        if space == "steps":
            step, _, part = rest.partition(".")
            return self._step(step, part)
        raise fill.Unknown(name)

    def _parameter(self, name: str) -> fill.Json:
        for parameter in self.workflow.spec.parameters:
            if parameter.name == name:
                return parameter.value
        raise fill.Unknown(f"parameters.{name}")

    def _workflow(self, part: str) -> fill.Json:
        if part == "name":
            return self.workflow.metadata.name
        if part == "phase":
            return self.outcome
        return ",".join(
            s.name for s in self.workflow.spec.steps if step_phase(s, self.rows) == "Failed"
        )

    def _step(self, name: str, part: str) -> fill.Json:
        step = _find(self.workflow, name)
        mine = [row for (n, _), row in sorted(self.rows.items()) if n == name]
        if part == "phase":
            return step_phase(step, self.rows)
        what, _, key = part.partition(".")
        if len(mine) == 1 and mine[0].index is None:
            return _of(mine[0], what, key)
        return [_of(row, what, key) for row in mine]


def _find(workflow: Workflow, name: str) -> Step:
    for step in workflow.spec.steps:
        if step.name == name:
            return step
    raise fill.Unknown(f"steps.{name}")


def _of(row: StepStatus, what: str, key: str) -> fill.Json:
    if what == "metrics":
        return row.metrics.get(key)
    if what == "outputs":
        return row.outputs.get(key)
    return row.object if what == "object" else row.message
