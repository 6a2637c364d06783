"""What the types of crons, sweeps and workflows cannot say: rules, list keys, printer columns.

Part of the tables of `athanor.api.crd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from msgspec import Struct

from athanor.api import sweeps, templates, training, workflows, workspaces
from athanor.api.meta import JSON

Columns = list[tuple[str, str, str, int]]

MAKERS = ("Cron", "Sweep", "Workflow", "Workspace")
"""Kinds after whose objects others are named."""


def _rule(rule: str, message: str, path: str = "") -> JSON:
    said: JSON = {"rule": rule, "message": message}
    return {**said, "fieldPath": path} if path else said


def _above_zero(field: str, what: str) -> JSON:
    """A quantity, written as a number or as text, that is not below or at 0."""
    return _rule(
        f"!has(self.{field}) || (type(self.{field}) == int ? self.{field} > 0 : "
        f"quantity(string(self.{field})).isGreaterThan(quantity('0')))",
        f"must be above 0: {what}",
        f".{field}",
    )


_KNOWN = (
    "[self.steps.map(t, t.name)].all(names, self.steps.all(s, !has(s.dependsOn) || "
    "s.dependsOn.all(d, d in names)))"
)
ROUNDS = 12
"""How many steps may stand in a row before a circle that is still seen: CEL knows no loops."""


def _no_circle() -> str:
    """Steps without dependencies can run, then those that depend on them, and so on: in a circle
    none ever can. Each round's names are bound by a list of one.
    """
    check = f"size(l{ROUNDS}) > size(l{ROUNDS - 1})"  # a long row: the controller sees its end
    for number in range(ROUNDS, 0, -1):
        before = f"l{number - 1}"
        ready = "!has(s.dependsOn) || size(s.dependsOn) == 0"
        if number > 1:
            ready = f"s.name in {before} || {ready} || s.dependsOn.all(d, d in {before})"
        grown = f"size(l{number}) > {f'size({before})' if number > 1 else 0}"
        if number < ROUNDS:
            check = f"({grown} && {check})"
        check = (
            f"[self.steps.filter(s, {ready}).map(s, s.name)].all(l{number}, "
            f"size(l{number}) == size(self.steps) || {check})"
        )
    return f"!({_KNOWN}) || {check}"


LIST_KEYS: Mapping[type[Struct], str] = {
    sweeps.SweepParameter: "name", sweeps.Trial: "number",
    workflows.Step: "name", workflows.WorkflowParameter: "name",
}  # fmt: skip

RULES: Mapping[type[Struct], list[JSON]] = {
    sweeps.SweepParameter: [
        _rule(
            "self.type == 'Choice' ? (has(self.choices) && size(self.choices) > 0) : "
            "(has(self.min) && has(self.max) && self.min <= self.max)",
            "an Int or Float needs min and max, min not above max; a Choice needs choices",
        ),
        _rule(
            "!has(self.log) || !self.log || (has(self.min) && self.min > 0.0)",
            "a logarithmic scale needs a min above 0",
            ".min",
        ),
        _rule(
            "!has(self.step) || self.step > 0.0",
            "step must be above 0; without one every value between min and max may be drawn",
            ".step",
        ),
        _rule(
            "self.type != 'Int' || !has(self.min) || !has(self.max) || "
            "(double(int(self.min)) == self.min && double(int(self.max)) == self.max)",
            "an Int lies between whole numbers: use Float, or whole min and max",
            ".min",
        ),
        _rule(
            "!has(self.when) || self.when.parameter != self.name",
            "a parameter cannot depend on itself: name another one",
            ".when",
        ),
    ],
    sweeps.SweepSpec: [
        _rule(
            "self.parameters.all(p, !has(p.when) || "
            "self.parameters.exists(q, q.name == p.when.parameter))",
            "when.parameter must name another parameter",
            ".parameters",
        ),
    ],
    sweeps.SweepBudget: [_above_zero("gpuHours", "a budget of some GPU-hours, for instance 100")],
    templates.ObjectTemplate: [
        _rule(
            "self.kind != 'TrainingJob' || "
            "(has(self.spec) && has(self.spec.roles) && size(self.spec.roles) > 0)",
            "a TrainingJob needs roles: what athanor submit --dry-run -o yaml prints has them",
            ".spec",
        ),
        _rule(
            "self.kind != 'TrainingJob' || !has(self.spec) || !has(self.spec.framework) || "
            f"self.spec.framework in {list(get_args(training.Framework))} || "
            "self.spec.framework.contains('${')",
            f"supported frameworks are {', '.join(get_args(training.Framework))}",
            ".spec.framework",
        ),
    ],
    workflows.WorkflowSpec: [
        _rule(_KNOWN, "dependsOn must name other steps", ".steps"),
        _rule(
            _no_circle(),
            "steps wait for each other in a circle: none of them could ever run (athanor flow run "
            "names them)",
            ".steps",
        ),
        _rule(
            "!has(self.resumes) || !has(oldSelf.resumes) || self.resumes >= oldSelf.resumes",
            "resumes only grows: raise it by one",
            ".resumes",
        ),
    ],
    workspaces.WorkspaceSpec: [
        _above_zero("storage", "the size of its home, for instance 10Gi"),
        _rule(
            "self.app != 'command' || (has(self.command) && size(self.command) > 0)",
            "app command needs the command that serves $(ATHANOR_WORKSPACE_PORT) of its loopback",
            ".command",
        ),
        _rule(
            "!has(self.starts) || !has(oldSelf.starts) || self.starts >= oldSelf.starts",
            "starts only grows: raise it by one",
            ".starts",
        ),
    ],
    workspaces.Idle: [
        _rule(
            "!has(self.afterSeconds) || !has(self.stopAfterSeconds) || self.stopAfterSeconds == 0 "
            "|| self.afterSeconds <= self.stopAfterSeconds",
            "a workspace is idle before it is stopped for it",
            ".afterSeconds",
        ),
    ],
    workflows.Step: [
        _rule(
            "!has(self.dependsOn) || !(self.name in self.dependsOn)",
            "a step cannot wait for itself",
            ".dependsOn",
        ),
        _rule(
            "!(has(self.withItems) && size(self.withItems) > 0 && has(self.withParam) && "
            "self.withParam != '')",
            "give either withItems or withParam",
            ".withParam",
        ),
    ],
}

_AGE = ("Age", "date", ".metadata.creationTimestamp", 0)

COLUMNS: Mapping[str, Columns] = {
    "Cron": [
        ("Schedule", "string", ".spec.schedule", 0),
        ("Time-Zone", "string", ".spec.timeZone", 0),
        ("Kind", "string", ".spec.template.kind", 0),
        ("Phase", "string", ".status.phase", 0),
        ("Active", "integer", ".status.running", 0),
        ("Next", "string", ".status.nextScheduleTime", 0),
        ("Last", "string", ".status.lastScheduleTime", 1),
        ("Message", "string", ".status.message", 1),
        _AGE,
    ],
    "Sweep": [
        ("Phase", "string", ".status.phase", 0),
        ("Metric", "string", ".spec.objective.metric", 0),
        ("Best", "number", ".status.best.value", 0),
        ("Done", "string", ".status.done", 0),
        ("Running", "integer", ".status.running", 0),
        ("GPU-Hours", "string", ".status.gpuHours", 1),
        ("Message", "string", ".status.message", 1),
        _AGE,
    ],
    "Workflow": [
        ("Phase", "string", ".status.phase", 0),
        ("Done", "string", ".status.done", 0),
        ("Running", "integer", ".status.running", 0),
        ("Reason", "string", ".status.reason", 0),
        ("Message", "string", ".status.message", 1),
        _AGE,
    ],
    "Workspace": [
        ("App", "string", ".spec.app", 0),
        ("Phase", "string", ".status.phase", 0),
        ("Reason", "string", ".status.reason", 0),
        ("GPUs", "string", ".status.gpus", 0),
        ("Last-Used", "date", ".status.lastActivity", 0),
        ("Use", "string", ".status.use", 0),
        ("URL", "string", ".status.url", 1),
        ("Message", "string", ".status.message", 1),
        _AGE,
    ],
}

SELECTABLE: Mapping[str, list[str]] = {kind: [".status.phase"] for kind in MAKERS}
