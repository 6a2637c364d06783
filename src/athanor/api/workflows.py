"""Workflow: steps that are objects of any kind of ours, each when those before it have ended.

`${parameters.NAME}`, `${steps.NAME.…}`, `${item}` and `${artifacts.NAME}` stand in templates. Later
changes only add fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.meta import Base, Condition, Object
from athanor.api.numbers import NonNegative
from athanor.api.sweeps import ParameterName
from athanor.api.templates import ObjectTemplate

StepName = Annotated[
    str, Meta(min_length=1, max_length=30, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
StepNames = Annotated[list[StepName], Meta(max_length=20)]


class WorkflowParameter(Base, frozen=True, kw_only=True):
    """A value that whoever runs the workflow may choose."""

    name: ParameterName
    value: Annotated[str, Meta(max_length=4096)] = ""


class Retries(Base, frozen=True, kw_only=True):
    """How often a failed step is made anew, and how long it waits (doubling)."""

    limit: Annotated[int, Meta(ge=0, le=20)] = 0
    backoff_seconds: NonNegative = 0


class Step(Base, frozen=True, kw_only=True):
    """One object, or one for each item.

    `when` is a condition (see the guide); a step whose condition does not hold is skipped.
    `withItems` is a list; `withParam` names one, for instance `${steps.split.outputs.parts}`.
    """

    name: StepName
    depends_on: StepNames = field(default_factory=list)
    when: Annotated[str, Meta(max_length=1024)] = ""
    with_items: Annotated[
        list[str | int],
        Meta(max_length=500, extra_json_schema={"items": {
            "x-kubernetes-int-or-string": True, "maxLength": 1024
        }}),
    ] = field(default_factory=list)  # fmt: skip
    with_param: Annotated[str, Meta(max_length=256)] = ""
    parallelism: NonNegative = 0
    retries: Retries = field(default_factory=Retries)
    continue_on_failure: bool = False
    template: ObjectTemplate


class WorkflowSpec(Base, frozen=True, kw_only=True):
    """The steps, what they have in common, and what runs at the end whatever happened.

    Raising `resumes` lets a failed workflow go on from its failed steps.
    """

    parameters: Annotated[list[WorkflowParameter], Meta(max_length=64)] = field(
        default_factory=list
    )
    steps: Annotated[list[Step], Meta(min_length=1, max_length=100)]
    on_exit: Step | None = None
    parallelism: NonNegative = 0
    suspend: bool = False
    resumes: NonNegative = 0
    ttl_seconds_after_finished: NonNegative | None = None


StepPhase = Literal["Waiting", "Running", "Succeeded", "Failed", "Skipped", "Omitted"]


class StepStatus(Base, frozen=True, kw_only=True):
    """One step, or one item of a step (`index`).

    `attempt` counts objects made for it; `first` is the attempt that its retries are counted from.
    """

    name: str
    index: int | None = None
    item: str = ""
    phase: StepPhase = "Waiting"
    attempt: NonNegative = 0
    first: NonNegative = 0
    object: str = ""
    message: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    since: str = ""
    finished_at: str = ""


WorkflowPhase = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed"]


class WorkflowStatus(Base, frozen=True, kw_only=True):
    """All of it by the workflows controller."""

    observed_generation: int = 0
    phase: WorkflowPhase = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = field(default_factory=list)
    steps: list[StepStatus] = field(default_factory=list)
    done: str = ""
    running: NonNegative | None = None
    resumes: NonNegative = 0
    started_at: str | None = None
    finished_at: str | None = None


class Workflow(Object, frozen=True, kw_only=True):
    """Steps in an order, as a directed graph without cycles."""

    spec: WorkflowSpec
    status: WorkflowStatus = field(default_factory=WorkflowStatus)
