"""TrainingJob: one kind for every framework, from submission to the last checkpoint.

The framework decides the wiring (environment, Services, launchers); everything else is common.
Later changes only add fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.amounts import Name
from athanor.api.ends import RankFailure
from athanor.api.meta import Base, Condition, Object
from athanor.api.numbers import NonNegative, Positive
from athanor.api.pod_template import Template
from athanor.api.scheduling import CheckpointPolicy, Gpu, PodCounts, Progress, Topology

Framework = Literal[
    "pytorch", "tensorflow", "jax", "mpi", "horovod", "deepspeed", "xgboost", "lightgbm",
    "ray", "spark", "flink", "generic",
]  # fmt: skip

ExitCode = Annotated[int, Meta(ge=1, le=255)]

RestartPolicy = Literal["Never", "OnFailure", "Always", "ExitCode"]


OUTPUTS = "outputs"
"""The folder of a job's claim that its outputs are in."""


class Role(Base, frozen=True, kw_only=True):
    """`replicas` equal ranks of a job, for instance its workers."""

    name: Name = "worker"
    replicas: NonNegative = 1
    template: Template = field(default_factory=dict)
    restart_policy: RestartPolicy = "Never"
    topology: Topology | None = None
    gpu: Gpu | None = None


class Pace(Base, frozen=True, kw_only=True):
    """Where an attempt's progress began: with the progress of now it gives the speed."""

    step: int = 0
    at: str = ""


class RanksRule(Base, frozen=True, kw_only=True):
    """All of these: role → ranks (an empty list means every rank of the role)."""

    ranks: Annotated[
        dict[str, Annotated[list[NonNegative], Meta(max_length=256)]],
        Meta(min_length=1, max_length=8),
    ] = field(default_factory=dict)


Rules = Annotated[list[RanksRule], Meta(max_length=8)]


class RunPolicy(Base, frozen=True, kw_only=True):
    """Limits and manners of a whole run. Seconds are whole seconds."""

    backoff_limit: NonNegative = 3
    retryable_exit_codes: Annotated[list[ExitCode], Meta(max_length=64)] = field(
        default_factory=list
    )
    restarts: NonNegative = 0
    active_deadline_seconds: Positive | None = None
    starting_deadline_seconds: Positive | None = None
    ttl_seconds_after_finished: NonNegative | None = None
    clean_pods: Literal["None", "All", "Unfinished"] = "Unfinished"


class Elastic(Base, frozen=True, kw_only=True):
    """How few and how many ranks of the elastic role may run."""

    min: Positive
    max: Positive
    role: Name = "worker"


class Scheduling(Base, frozen=True, kw_only=True):
    """What the Gang takes over as it is."""

    queue: str = ""
    priority_class_name: str = ""
    preemptible: bool | None = None
    pools: list[str] = field(default_factory=list)
    max_runtime_seconds: Positive | None = None
    max_start_seconds: Positive | None = None
    estimated_runtime_seconds: Positive | None = None


class Environment(Base, frozen=True, kw_only=True):
    """Where the code finds its interpreter and libraries.

    `interpreter` is an image, `python:3.12` by the node's table, or the path of a venv;
    `requirements` are pip requirements, laid over it and cached by content hash; with `wheels`, a
    folder of the code, they come from there alone.
    """

    interpreter: str = ""
    requirements: list[str] = field(default_factory=list)
    wheels: str = ""


BundleName = Annotated[str, Meta(pattern="^(sha256:[0-9a-f]{64})?$")]


class Code(Base, frozen=True, kw_only=True):
    """Where the code comes from: a directory of the machine, a git reference, or an upload.

    The last two are fetched before a rank starts; it then works in /athanor/code.
    """

    directory: str = ""
    git: str = ""
    ref: str = ""
    bundle: BundleName = ""


class Checkpoints(CheckpointPolicy, frozen=True, kw_only=True):
    """`directory` survives attempts; ranks find it as ATHANOR_CHECKPOINT_DIR."""

    directory: str = ""


class TensorBoard(Base, frozen=True, kw_only=True):
    """A TensorBoard beside the job: a Workspace `JOB-tb`, stopped when nobody looks.

    Without a `logDir` it reads the outputs, else the checkpoints; without an `image` it runs in
    that of the first role.
    """

    log_dir: str = ""
    image: str = ""
    stop_after_seconds: NonNegative = 3600


class TrainingJobSpec(Base, frozen=True, kw_only=True):
    """What to train, with what, and by which rules it succeeds or fails.

    Success and failure rules are lists of alternatives: any rule whose ranks all succeeded (or
    failed) decides. Without rules: success when all ranks succeeded, failure when one failed and
    no retry is left. Without `service`, ranks have no names for each other (see GangSpec).
    """

    framework: Framework = "generic"
    roles: Annotated[list[Role], Meta(min_length=1, max_length=64)] = field(default_factory=list)
    processes_per_replica: Positive = 1
    run_policy: RunPolicy = field(default_factory=RunPolicy)
    success_rules: Rules = field(default_factory=list)
    failure_rules: Rules = field(default_factory=list)
    elastic: Elastic | None = None
    suspend: bool = False
    debug: bool = False
    environment: Environment | None = None
    code: Code | None = None
    outputs: str = ""
    tensorboard: TensorBoard | None = None
    checkpoints: Checkpoints | None = None
    progress_pattern: Annotated[str, Meta(max_length=512)] = ""
    scheduling: Scheduling = field(default_factory=Scheduling)
    service: bool = True


JobPhase = Literal[
    "Pending", "Queued", "Starting", "Running", "Restarting", "Suspended", "Succeeded", "Failed",
]  # fmt: skip


class TrainingJobStatus(Base, frozen=True, kw_only=True):
    """All of it by the training controller."""

    observed_generation: int = 0
    phase: JobPhase = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = field(default_factory=list)
    attempt: NonNegative = 0
    retries: NonNegative = 0
    pods: list[PodCounts] = field(default_factory=list)
    ready: str = ""
    failures: list[RankFailure] = field(default_factory=list)
    progress: Progress | None = None
    pace: Pace | None = None
    queued_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class TrainingJob(Object, frozen=True, kw_only=True):
    """A training run of any framework."""

    spec: TrainingJobSpec = field(default_factory=TrainingJobSpec)
    status: TrainingJobStatus = field(default_factory=TrainingJobStatus)


def claim_of(job: str) -> str:
    """The name of the claim that a job's outputs and checkpoints lie in, on a cluster."""
    return f"{job}-checkpoints"
