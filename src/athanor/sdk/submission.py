"""What a person asks to be run, and the TrainingJob that says so. Pure: needs no server."""

from __future__ import annotations

import re

from athanor.api.meta import API_VERSION, JSON, ObjectMeta, to_manifest
from athanor.api.training import (
    Checkpoints,
    Code,
    Elastic,
    Environment,
    RanksRule,
    RunPolicy,
    Scheduling,
    TensorBoard,
    TrainingJob,
    TrainingJobSpec,
)
from athanor.sdk.asked import Submission as Submission
from athanor.sdk.shapes import LEADS, roles

_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 44  # pods are named {job}-{role}-{rank}, and a pod's name is a host name


def training_job(asked: Submission) -> TrainingJob:
    """The object that `asked` becomes. Raises ValueError naming what is wrong and the way out."""
    _check(asked)
    whole = asked.gpus.isdecimal()
    wanted = roles(asked)
    elastic = None
    if asked.max_workers is not None:
        name = LEADS.get(asked.framework, ("", "worker"))[1]
        elastic = Elastic(min=asked.min_workers or 1, max=asked.max_workers, role=name)
    success = {role: list(ranks) for role, ranks in asked.success.items()}
    spec = TrainingJobSpec(
        framework=asked.framework,
        roles=wanted,
        processes_per_replica=asked.processes or (max(1, int(asked.gpus)) if whole else 1),
        run_policy=RunPolicy(
            backoff_limit=asked.retries,
            retryable_exit_codes=list(asked.retry_on),
            active_deadline_seconds=asked.deadline,
            starting_deadline_seconds=asked.starting_deadline,
            ttl_seconds_after_finished=asked.ttl,
            clean_pods=asked.clean,
        ),
        success_rules=[RanksRule(ranks=success)] if success else [],
        elastic=elastic,
        suspend=asked.suspend,
        debug=asked.debug,
        service=asked.service,
        environment=_environment(asked),
        code=_code(asked),
        outputs=asked.outputs,
        tensorboard=_tensorboard(asked),
        checkpoints=_checkpoints(asked),
        progress_pattern=asked.progress_pattern,
        scheduling=Scheduling(
            queue=asked.queue,
            priority_class_name=asked.priority,
            pools=list(asked.pools),
            max_runtime_seconds=asked.max_runtime,
            max_start_seconds=asked.max_start,
            estimated_runtime_seconds=asked.estimated_runtime,
        ),
    )
    meta = ObjectMeta(
        name=asked.name,
        generate_name="" if asked.name else f"{asked.framework}-",
        namespace=asked.namespace,
        labels=dict(asked.labels),
    )
    return TrainingJob(api_version=API_VERSION, kind="TrainingJob", metadata=meta, spec=spec)


def manifest(asked: Submission) -> JSON:
    """`training_job(asked)` as it is sent."""
    body = to_manifest(training_job(asked))
    body.pop("status", None)
    spec = {"framework": asked.framework, **body["spec"]}
    kept = ("tensorboard",)  # an empty one is a wish, too
    body["spec"] = {key: value for key, value in spec.items() if value != {} or key in kept}
    return body


def _code(asked: Submission) -> Code | None:
    if asked.bundle:
        return Code(bundle=asked.bundle)
    if asked.git:
        return Code(git=asked.git, ref=asked.ref)
    return Code(directory=asked.directory) if asked.directory else None


def _tensorboard(asked: Submission) -> TensorBoard | None:
    if not asked.tensorboard:
        return None
    return TensorBoard(log_dir=asked.logdir, image=asked.tensorboard_image)


def _environment(asked: Submission) -> Environment | None:
    if not asked.requirements:
        return None
    return Environment(
        interpreter=asked.image or asked.venv, requirements=list(asked.requirements),
        wheels=asked.wheels,
    )  # fmt: skip


def _checkpoints(asked: Submission) -> Checkpoints | None:
    if not asked.checkpoint_dir and asked.checkpoint_grace is None:
        return None
    return Checkpoints(
        enabled=True,
        directory=asked.checkpoint_dir,
        grace_seconds=30 if asked.checkpoint_grace is None else asked.checkpoint_grace,
    )


def _check(asked: Submission) -> None:
    if not asked.command:
        raise ValueError(
            "no command was given; write it after --, for instance: -- python train.py"
        )
    if asked.name and (not _NAME.fullmatch(asked.name) or len(asked.name) > _LONGEST_NAME):
        raise ValueError(
            f"name {asked.name!r} must be lower-case letters, digits and '-', start and end with a "
            f"letter or digit, and have at most {_LONGEST_NAME} characters"
        )
    if asked.workers < 1:
        raise ValueError(f"workers must be at least 1, not {asked.workers}")
    if asked.processes is not None and asked.processes < 1:
        raise ValueError(f"processes must be at least 1, not {asked.processes}")
    if asked.retry_on and asked.restart != "ExitCode":
        raise ValueError("retry_on counts under restart ExitCode alone: ask for that, too")
    if isinstance(asked.command, str):
        raise ValueError(f"command {asked.command!r} must be a list of words")
    amounts = {"cpu": asked.cpu, "memory": asked.memory, "shared_memory": asked.shared_memory}
    for what, amount in amounts.items():
        if amount and not _QUANTITY.fullmatch(amount):
            raise ValueError(
                f"{what} {amount!r} is no quantity; write for instance 500m, 4 or 16Gi"
            )
    for role in asked.roles:
        if not _NAME.fullmatch(role.name) or role.replicas < 0:
            raise ValueError(f"role {role.name!r}: write for instance ps=2 or chief=1,cpu=2")
        if role.gpus:
            _check_gpus(role.gpus)
    if asked.ref and not asked.git:
        raise ValueError("a ref needs the git repository it belongs to")
    if asked.wheels and not (asked.requirements and (asked.bundle or asked.git)):
        raise ValueError(
            "wheels come along with the code, for the requirements: say those two, as well"
        )
    if asked.bundle and asked.git:
        raise ValueError("uploaded code and a git repository were given; a job has one of them")
    if (asked.logdir or asked.tensorboard_image) and not asked.tensorboard:
        raise ValueError("logdir and tensorboard_image are TensorBoard's: ask for tensorboard, too")
    if asked.progress_pattern and "(?P<step>" not in asked.progress_pattern:
        raise ValueError(
            f"progress pattern {asked.progress_pattern!r} has no group named step; write for "
            "instance 'step (?P<step>[0-9]+)/(?P<total>[0-9]+), loss (?P<loss>[0-9.]+)'"
        )
    _check_elastic(asked)
    _check_gpus(asked.gpus)
    if asked.image and asked.venv:
        raise ValueError("an image and a venv were given; a job has one of them")


def _check_elastic(asked: Submission) -> None:
    least, most = asked.min_workers, asked.max_workers
    if least is not None and most is None:
        raise ValueError("min_workers needs max_workers: how many may there be?")
    if most is not None and not 1 <= (least or 1) <= most:
        raise ValueError(f"min_workers {least} must be between 1 and max_workers {most}")


def _check_gpus(gpus: str) -> None:
    try:
        share = float(gpus)
    except ValueError:
        raise ValueError(f"gpus {gpus!r} is no number; write for instance 2 or 0.5") from None
    if gpus.isdecimal():
        return
    if not 0.001 <= share < 1:
        raise ValueError(f"gpus {gpus!r} must be a whole number, or a share below 1 such as 0.5")
