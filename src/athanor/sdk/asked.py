"""What a person asks to be run, in a person's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from msgspec import Struct, field, structs

from athanor.api.training import Framework, RestartPolicy


class RoleAsk(Struct, frozen=True, kw_only=True):
    """One role beside the workers, or another size of one that the framework has.

    What is not said is as for the workers. `command` empty: the submission's.
    """

    name: str
    replicas: int = 1
    cpu: str = ""
    memory: str = ""
    gpus: str = ""
    image: str = ""
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


class Submission(Struct, frozen=True, kw_only=True):
    """One training run: what to run, where, with how much. Times are seconds.

    `gpus` of one worker: a whole number, or a share such as "0.5". `image` is a container image,
    `python:3.12`, or empty; `venv` the path of a virtual environment. Without a `name` the server
    makes one up. `roles` are those beside the workers. With `min_workers` and `max_workers` the
    workers come and go. `bundle` is code that was uploaded (see `athanor.sdk.code`), `wheels` the
    folder in it that `requirements` are installed from. `data` are
    mounts, as in "claim:/path:ro". `success`: role → ranks whose success is the job's.
    """

    framework: Framework
    command: Sequence[str]
    name: str = ""
    namespace: str = "default"
    workers: int = 1
    gpus: str = "0"
    gpu_resource: str = "nvidia.com/gpu"
    gpu_models: Sequence[str] = ()
    cpu: str = "1"
    memory: str = ""
    queue: str = ""
    priority: str = ""
    pools: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    venv: str = ""
    requirements: Sequence[str] = ()
    wheels: str = ""
    directory: str = ""
    outputs: str = ""
    checkpoint_dir: str = ""
    checkpoint_grace: int | None = None
    max_runtime: int | None = None
    max_start: int | None = None
    estimated_runtime: int | None = None
    deadline: int | None = None
    retries: int = 3
    ttl: int | None = None
    grace: int | None = None
    processes: int | None = None
    suspend: bool = False
    roles: Sequence[RoleAsk] = ()
    min_workers: int | None = None
    max_workers: int | None = None
    restart: RestartPolicy | None = None
    retry_on: Sequence[int] = ()
    success: Mapping[str, Sequence[int]] = field(default_factory=dict)
    clean: Literal["None", "All", "Unfinished"] = "Unfinished"
    starting_deadline: int | None = None
    debug: bool = False
    service: bool = True
    git: str = ""
    ref: str = ""
    bundle: str = ""
    tensorboard: bool = False
    logdir: str = ""
    progress_pattern: str = ""
    tensorboard_image: str = ""
    data: Sequence[str] = ()
    secrets: Sequence[str] = ()
    shared_memory: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[str] = ()
    pull_secrets: Sequence[str] = ()
    service_account: str = ""
    host: Sequence[Literal["network", "ipc", "pid"]] = ()

    def __post_init__(self) -> None:
        """Amounts may be written as numbers, too."""
        for name in ("gpus", "cpu", "memory"):
            structs.force_setattr(self, name, str(getattr(self, name)))


def is_foreign(image: str) -> bool:
    """Whether an image is a container's: then this machine's folders are not in it."""
    return bool(image) and not re.fullmatch(r"host|venv://.*|python:[\d.]+", image)


class Wishes(TypedDict, total=False):
    """A Submission's fields as keywords: all but its framework and its command."""

    name: str
    namespace: str
    workers: int
    gpus: int | float | str
    gpu_resource: str
    gpu_models: Sequence[str]
    cpu: int | float | str
    memory: str
    queue: str
    priority: str
    pools: Sequence[str]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    image: str
    venv: str
    requirements: Sequence[str]
    wheels: str
    directory: str
    outputs: str
    checkpoint_dir: str
    checkpoint_grace: int
    max_runtime: int
    max_start: int
    estimated_runtime: int
    deadline: int
    retries: int
    ttl: int
    grace: int
    processes: int
    suspend: bool
    roles: Sequence[RoleAsk]
    min_workers: int
    max_workers: int
    restart: RestartPolicy
    retry_on: Sequence[int]
    success: Mapping[str, Sequence[int]]
    clean: Literal["None", "All", "Unfinished"]
    starting_deadline: int
    debug: bool
    service: bool
    git: str
    ref: str
    bundle: str
    tensorboard: bool
    logdir: str
    progress_pattern: str
    tensorboard_image: str
    data: Sequence[str]
    secrets: Sequence[str]
    shared_memory: str
    annotations: Mapping[str, str]
    devices: Mapping[str, str]
    selector: Mapping[str, str]
    tolerations: Sequence[str]
    pull_secrets: Sequence[str]
    service_account: str
    host: Sequence[Literal["network", "ipc", "pid"]]
