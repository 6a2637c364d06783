"""Sweep: a search for good parameters. Each trial is an object of its own, made from a template.

What the trials report (`status.progress.metrics`) decides. Later changes only add fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.amounts import Amount
from athanor.api.meta import JSON, Base, Condition, Object
from athanor.api.numbers import NonNegative, Number, Positive
from athanor.api.templates import ObjectTemplate

ParameterName = Annotated[
    str, Meta(min_length=1, max_length=63, pattern="^[A-Za-z_][A-Za-z0-9_-]*$")
]
Choice = Annotated[
    str | int,
    Meta(extra_json_schema={"x-kubernetes-int-or-string": True, "maxLength": 256}),
]


class When(Base, frozen=True, kw_only=True):
    """Another parameter, and the values of it for which this one exists."""

    parameter: ParameterName
    values: Annotated[list[Choice], Meta(min_length=1, max_length=64)]


class SweepParameter(Base, frozen=True, kw_only=True):
    """One dimension: whole numbers or numbers from `min` to `max`, or one of `choices`."""

    name: ParameterName
    type: Literal["Int", "Float", "Choice"] = "Float"
    min: float | None = None
    max: float | None = None
    step: float | None = None
    log: bool = False
    choices: Annotated[list[Choice], Meta(max_length=64)] = field(default_factory=list)
    when: When | None = None


class Objective(Base, frozen=True, kw_only=True):
    """The metric that trials report, and which way is better."""

    metric: Annotated[str, Meta(min_length=1, max_length=128)]
    goal: Literal["Minimize", "Maximize"] = "Minimize"


class Algorithm(Base, frozen=True, kw_only=True):
    """How parameters are chosen. `startup`: trials at random before TPE models anything."""

    name: Literal["Random", "Grid", "TPE"] = "TPE"
    seed: Number = 0
    startup: NonNegative = 10


class EarlyStop(Base, frozen=True, kw_only=True):
    """ASHA: at `minSteps` × `reduction`^k steps only the best 1/`reduction` go on.

    Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), in the form that
    stops trials instead of pausing them.
    """

    name: Literal["ASHA"] = "ASHA"
    min_steps: Positive = 1
    reduction: Annotated[int, Meta(ge=2, le=16)] = 3


class SweepBudget(Base, frozen=True, kw_only=True):
    """What all trials together may cost."""

    gpu_hours: Amount


class SweepSpec(Base, frozen=True, kw_only=True):
    """What to search for, how, and with how much. `${parameters.NAME}` stands in the template."""

    parameters: Annotated[list[SweepParameter], Meta(min_length=1, max_length=64)]
    objective: Objective
    algorithm: Algorithm = field(default_factory=Algorithm)
    early_stop: EarlyStop | None = None
    max_trials: Annotated[int, Meta(ge=1, le=2000)] = 20
    parallelism: Annotated[int, Meta(ge=1, le=500)] = 4
    max_failed: NonNegative = 3
    budget: SweepBudget | None = None
    suspend: bool = False
    ttl_seconds_after_finished: NonNegative | None = None
    template: ObjectTemplate


TrialState = Literal["Running", "Succeeded", "Pruned", "Failed", "Stopped"]


class Trial(Base, frozen=True, kw_only=True):
    """One trial. `rungs`: its value when it first reached each rung of the early stop."""

    number: NonNegative
    state: TrialState = "Running"
    parameters: JSON = field(default_factory=dict)
    value: float | None = None
    step: int | None = None
    rungs: list[float] = field(default_factory=list)
    gpu_seconds: float = 0.0
    message: str = ""
    since: str = ""


class Best(Base, frozen=True, kw_only=True):
    """The best trial that succeeded."""

    trial: str
    value: float
    parameters: JSON = field(default_factory=dict)


SweepPhase = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed"]


class SweepStatus(Base, frozen=True, kw_only=True):
    """All of it by the sweeps controller; with the trials' objects it is all the sweep's memory."""

    observed_generation: int = 0
    phase: SweepPhase = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    running: NonNegative | None = None
    done: str = ""
    best: Best | None = None
    gpu_hours: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class Sweep(Object, frozen=True, kw_only=True):
    """A search for the parameters that make a metric best."""

    spec: SweepSpec
    status: SweepStatus = field(default_factory=SweepStatus)
