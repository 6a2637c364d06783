"""`athanor.train(fn, …)`: a function as a job, and the job as a thing to hold on to.

`Job` and `AsyncJob` have the same operations: those of the client, about this job.
"""

from __future__ import annotations

import html
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from athanor.api.meta import JSON
from athanor.api.training import Framework, TrainingJob
from athanor.kit.ids import RandomIds
from athanor.sdk import jobs, life, logs, shipping, why
from athanor.sdk.asked import Submission
from athanor.sdk.client import AsyncClient, Client
from athanor.sdk.jobs import Scope
from athanor.sdk.progress import Metrics, metrics_of
from athanor.sdk.steps import Op
from athanor.sdk.submission import manifest

P = ParamSpec("P")
T = TypeVar("T")


class Mine(Generic[P, T]):
    """An operation of the client about the job that it is taken from."""

    def __init__(self, of: Callable[Concatenate[Scope, str, P], Op[T]]) -> None:
        self.of = of
        self.__doc__ = of.__doc__

    @overload
    def __get__(self, job: Job, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, job: AsyncJob, owner: type) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, job: None, owner: type) -> Mine[P, T]: ...
    def __get__(self, job: Any, owner: type) -> Any:
        """The operation, bound to a job."""
        if job is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return job.client.driver.run(self.of(job.scope, job.name, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


def _metrics(scope: Scope, name: str) -> Op[Metrics]:
    """What the job says of itself: step, total, numbers, and how long it will still take."""
    found = yield from jobs.job(scope, name)
    return metrics_of(found)


class _Job:
    """A job on the server."""

    status = Mine(jobs.job)
    wait = Mine(jobs.wait)
    metrics = Mine(_metrics)
    suspend = Mine(jobs.suspend)
    resume = Mine(jobs.resume)
    restart = Mine(life.restart)
    resize = Mine(life.resize)
    delete = Mine(jobs.delete_job)
    why = Mine(why.why)

    def __init__(self, client: Any, name: str, namespace: str, outputs: str = "") -> None:
        self.client = client
        self.name = name
        self.namespace = namespace
        self.outputs = outputs

    @property
    def scope(self) -> Scope:
        """Where its operations look."""
        return Scope(self.namespace)

    def result(self) -> Any:
        """What the function returned, once the job has succeeded. Raises FileNotFoundError."""
        return json.loads((Path(self.outputs) / shipping.RESULT).read_text())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace}/{self.name}>"


class Job(_Job):
    """A job; its operations are plain calls."""

    client: Client

    def logs(self, *, follow: bool = False) -> Iterator[logs.LogLine]:
        """The lines of all ranks; `follow` until it has finished."""
        return self.client.logs(self.name, follow=follow, namespace=self.namespace)

    def _repr_html_(self) -> str:
        return as_html(self.status())


class AsyncJob(_Job):
    """A job; its operations are to be awaited."""

    client: AsyncClient

    def logs(self, *, follow: bool = False) -> AsyncIterator[logs.LogLine]:
        """The lines of all ranks; `follow` until it has finished."""
        return self.client.logs(self.name, follow=follow, namespace=self.namespace)


def as_html(job: TrainingJob) -> str:
    """A job as notebooks show it: a row with a bar."""
    told = metrics_of(job)
    bar = f'<progress value="{told.share:.3f}"></progress>' if told.share is not None else ""
    numbers = ", ".join(f"{key} {value:.4g}" for key, value in told.values.items())
    steps = f"{told.step}/{told.total}" if told.total else ("" if told.step is None else told.step)
    cells = [job.metadata.name, job.spec.framework, job.status.phase, steps, numbers]
    row = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
    return f"<table><tr>{row}<td>{bar}</td></tr></table>"


def train(
    function: Callable[..., object],
    *,
    framework: Framework = "generic",
    arguments: Mapping[str, object] | None = None,
    client: Client | None = None,
    **asked: Any,
) -> Job:
    """Run a function as a training job, in this environment and folder.

    `asked` are the fields of a Submission: workers, gpus, cpu, memory, queue, image, … Raises
    NotShippable when the function cannot go, ApiError when the server refuses.
    """
    client = client or Client()
    body, outputs = _prepared(function, framework, arguments or {}, client.scope, asked)
    made = client.submit(body)
    return Job(client, made.metadata.name, made.metadata.namespace, outputs)


async def train_async(
    function: Callable[..., object],
    *,
    framework: Framework = "generic",
    arguments: Mapping[str, object] | None = None,
    client: AsyncClient | None = None,
    **asked: Any,
) -> AsyncJob:
    """`train` for an event loop."""
    client = client or AsyncClient()
    body, outputs = _prepared(function, framework, arguments or {}, client.scope, asked)
    made = await client.submit(body)
    return AsyncJob(client, made.metadata.name, made.metadata.namespace, outputs)


def _prepared(
    function: Callable[..., object],
    framework: Framework,
    arguments: Mapping[str, object],
    scope: Scope,
    asked: JSON,
) -> tuple[JSON, str]:
    """The manifest, and where the outputs will be."""
    said = dict(asked)
    text = shipping.packed(function, arguments)
    base = function.__name__.replace("_", "-").strip("-<>").lower() or "train"
    name = said.pop("name", "") or f"{base[:30]}-{RandomIds().suffix()}"
    directory = os.path.abspath(said.pop("directory", os.getcwd()))
    outputs = said.pop("outputs", os.path.join(directory, "outputs", name))
    if not said.get("image") and "venv" not in said and sys.prefix != sys.base_prefix:
        said["venv"] = sys.prefix
    env = {**said.pop("env", {}), "ATHANOR_PROGRAM": text}
    spread = framework == "pytorch" and (
        (said.get("processes") or 1) > 1 or said.get("max_workers") is not None
        or str(said.get("gpus", "0")) not in ("0", "1")
    )  # fmt: skip
    said.setdefault("namespace", scope.namespace)
    submission = Submission(
        framework=framework, name=name, directory=directory, outputs=outputs, env=env,
        command=_torchrun() if spread else ["python", "-c", shipping.RUN], **said,
    )  # fmt: skip
    return manifest(submission), outputs


def _torchrun() -> list[str]:
    """torchrun starts files only: the program becomes one first."""
    script = (
        'at=$(mktemp -d)/train.py; printf %s "$ATHANOR_PROGRAM" | base64 -d > "$at"; '
        'exec torchrun "$at"'
    )
    return ["sh", "-c", script]
