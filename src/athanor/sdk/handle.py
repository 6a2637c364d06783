"""`athanor.train(fn, …)`: a function as a job, and the job as a thing to hold on to.

`Job` and `AsyncJob` have the same operations: those of the client, about this job.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, get_args, overload

import msgspec

from athanor.api.meta import JSON
from athanor.api.training import Framework, TrainingJob
from athanor.kit.ids import RandomIds
from athanor.sdk import connect, jobs, life, logs, notebook, shipping, why
from athanor.sdk.asked import Submission, Wishes, is_foreign
from athanor.sdk.client import AsyncClient, Client
from athanor.sdk.jobs import Scope
from athanor.sdk.progress import Metrics, metrics_of
from athanor.sdk.steps import Op
from athanor.sdk.submission import manifest
from athanor.wire.status import ApiError

P = ParamSpec("P")
T = TypeVar("T")

_UNFIT = re.compile(r"[^a-z0-9]+")
"""What a name in Kubernetes cannot have."""


class Mine(Generic[P, T]):
    """An operation of the client about the job that it is taken from."""

    def __init__(
        self, of: Callable[Concatenate[Scope, str, P], Op[T]], *, shown: bool = False
    ) -> None:
        self.of = of
        self.shown = shown
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
            op = self.of(job.scope, job.name, *args, **kwargs)
            return job.watch(op) if self.shown else job.client.driver.run(op)

        call.__doc__ = self.__doc__
        return call


def _metrics(scope: Scope, name: str) -> Op[Metrics]:
    """What the job says of itself: step, total, numbers, and how long it will still take."""
    found = yield from jobs.job(scope, name)
    return metrics_of(found)


class NoResult(Exception):
    """The job has no result that can be read here; the message says why. `job` is as it was."""

    def __init__(self, message: str, job: TrainingJob) -> None:
        super().__init__(message)
        self.job = job


class _Job:
    """A job on the server. `seen` is how it was last seen."""

    status = Mine(jobs.job)
    wait = Mine(jobs.wait, shown=True)
    metrics = Mine(_metrics)
    suspend = Mine(jobs.suspend)
    resume = Mine(jobs.resume)
    restart = Mine(life.restart)
    resize = Mine(life.resize)
    delete = Mine(jobs.delete_job)
    why = Mine(why.why)

    def __init__(self, client: Any, seen: TrainingJob, outputs: str = "") -> None:
        self.client = client
        self.seen = seen
        self.name = seen.metadata.name
        self.namespace = seen.metadata.namespace
        self.outputs = outputs

    @property
    def scope(self) -> Scope:
        """Where its operations look."""
        return Scope(self.namespace)

    def _look(self, shown: notebook.Shown | None, seen: TrainingJob) -> None:
        self.seen = seen
        if shown is not None:
            shown.update(notebook.Card(seen))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace}/{self.name}>"


class Job(_Job):
    """A job; its operations are plain calls."""

    client: Client

    def watch(self, op: Op[TrainingJob]) -> TrainingJob:
        """Carry out what emits the job as it changes; notebooks show that."""
        shown = notebook.live(self.seen)
        for seen in self.client.driver.iterate(op):
            self._look(shown, seen)
        return self.seen

    def logs(
        self, *, follow: bool = False, rank: str | int = "", tail: int | None = None,
        since_seconds: int | None = None, search: str = "",
    ) -> Iterator[logs.LogLine]:  # fmt: skip
        """The lines of all ranks, or those of a Wish; `follow` until it has finished."""
        wish = logs.Wish(rank=str(rank), tail=tail, since_seconds=since_seconds, search=search)
        return self.client.logs(self.name, follow=follow, wish=wish, namespace=self.namespace)

    def result(self) -> Any:
        """What the function returned, once the job has succeeded. Raises NoResult."""
        return value_of(self.client.driver.run(_seen(self.scope, self.seen)), self.outputs)

    def _repr_html_(self) -> str:
        try:
            self.seen = self.status()
        except ApiError:  # a notebook shows what it can
            return notebook.as_html(self.seen)
        return notebook.as_html(self.seen)


class AsyncJob(_Job):
    """A job; its operations are to be awaited."""

    client: AsyncClient

    async def watch(self, op: Op[TrainingJob]) -> TrainingJob:
        """Carry out what emits the job as it changes; notebooks show that."""
        shown = notebook.live(self.seen)
        async for seen in self.client.driver.iterate(op):
            self._look(shown, seen)
        return self.seen

    def logs(
        self, *, follow: bool = False, rank: str | int = "", tail: int | None = None,
        since_seconds: int | None = None, search: str = "",
    ) -> AsyncIterator[logs.LogLine]:  # fmt: skip
        """The lines of all ranks, or those of a Wish; `follow` until it has finished."""
        wish = logs.Wish(rank=str(rank), tail=tail, since_seconds=since_seconds, search=search)
        return self.client.logs(self.name, follow=follow, wish=wish, namespace=self.namespace)

    async def result(self) -> Any:
        """What the function returned, once the job has succeeded. Raises NoResult."""
        return value_of(await self.client.driver.run(_seen(self.scope, self.seen)), self.outputs)

    def _repr_html_(self) -> str:
        return notebook.as_html(self.seen)


def _seen(scope: Scope, last: TrainingJob) -> Op[TrainingJob]:
    """The job as it is, or as it was when it is gone."""
    try:
        found = yield from jobs.job(scope, last.metadata.name)
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return last
    return found


def value_of(job: TrainingJob, outputs: str) -> Any:
    """The value that rank 0 told, or wrote below the outputs. Raises NoResult."""
    name, phase = job.metadata.name, job.status.phase
    if phase != "Succeeded":
        said = f": {job.status.message}" if job.status.message else ""
        way = "job.why() tells more" if phase == "Failed" else "wait for it: job.wait()"
        raise NoResult(f"job {name!r} is {phase}{said}; {way}", job)
    progress = job.status.progress
    if progress is not None and (told := progress.outputs.get("result")):
        return json.loads(told)
    place = Path(outputs or "no outputs") / shipping.RESULT
    try:
        return json.loads(place.read_text())
    except OSError as wrong:
        raise NoResult(
            f"what job {name!r} returned cannot be read here: {wrong}; give train() as outputs= a "
            "folder that ranks and you see",
            job,
        ) from None


def train(
    function: Callable[..., object],
    *,
    framework: Framework = "generic",
    arguments: Mapping[str, object] | None = None,
    client: Client | None = None,
    **wishes: Unpack[Wishes],
) -> Job:
    """Run a function as a training job, in this environment and folder.

    `wishes` are the fields of a Submission: workers, gpus, cpu, memory, queue, image, … Raises
    NotShippable when the function cannot go, TypeError or ValueError for what is asked wrongly,
    ApiError when the server refuses.
    """
    client = client or Client()
    asked = _prepared(function, framework, arguments or {}, client.scope, {**wishes})
    return Job(client, client.submit(client.placed(asked)), asked.outputs)


async def train_async(
    function: Callable[..., object],
    *,
    framework: Framework = "generic",
    arguments: Mapping[str, object] | None = None,
    client: AsyncClient | None = None,
    **wishes: Unpack[Wishes],
) -> AsyncJob:
    """`train` for an event loop."""
    if client is None:
        driver, namespace = connect.brief(None, None)
        client = AsyncClient(driver=driver, namespace=namespace)
    asked = _prepared(function, framework, arguments or {}, client.scope, {**wishes})
    return AsyncJob(client, await client.submit(await client.placed(asked)), asked.outputs)


def _prepared(
    function: Callable[..., object],
    framework: Framework,
    arguments: Mapping[str, object],
    scope: Scope,
    said: JSON,
) -> Submission:
    """What is asked to be run. Raises NotShippable, TypeError, ValueError."""
    if framework not in get_args(Framework):
        raise ValueError(
            f"there is no framework {framework!r}{_near(framework, get_args(Framework))}"
        )
    _known(said)
    text = shipping.packed(function, arguments, elsewhere=bool(said.get("image")))
    base = _UNFIT.sub("-", shipping.name_of(function).lower()).strip("-")[:30] or "train"
    name = said.pop("name", "") or f"{base}-{RandomIds().suffix()}"
    here = "" if is_foreign(said.get("image", "")) else os.getcwd()
    directory = said.pop("directory", "") or here
    directory = os.path.abspath(directory) if directory else ""
    if directory and not said.get("image") and not os.path.isdir(directory):
        raise ValueError(f"directory {directory!r} is no folder here")
    outputs = said.pop("outputs", "") or (directory and os.path.join(directory, "outputs", name))
    if not said.get("image") and "venv" not in said and sys.prefix != sys.base_prefix:
        said["venv"] = sys.prefix
    for amount in ("gpus", "cpu", "memory"):
        if amount in said:
            said[amount] = str(said[amount])
    spread = framework == "pytorch" and (
        (said.get("processes") or 1) > 1 or said.get("max_workers") is not None
        or said.get("gpus", "0") not in ("0", "1")
    )  # fmt: skip
    asked = {
        "namespace": scope.namespace, **said, "framework": framework, "name": name,
        "directory": directory, "outputs": outputs,
        "env": {**said.get("env", {}), "ATHANOR_PROGRAM": text},
        "command": _torchrun() if spread else ["python", "-c", shipping.RUN],
    }  # fmt: skip
    try:
        found = msgspec.convert(asked, Submission)
        manifest(found)  # refuses what makes no sense, before anybody is asked
    except msgspec.ValidationError as wrong:
        raise TypeError(f"train(): {wrong}") from None
    _fits(function, arguments)
    return found


def _known(said: JSON) -> None:
    """Refuses names that a Submission does not have, with the nearest that it has."""
    for name in said:
        if name not in Wishes.__annotations__:
            raise TypeError(
                f"train() has no argument {name!r}{_near(name, Wishes.__annotations__)}"
            )


def _fits(function: Callable[..., object], arguments: Mapping[str, object]) -> None:
    """Refuses arguments that the function does not take, before a job fails of them."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # a builtin that does not tell
    try:
        signature.bind(**arguments)
    except TypeError as wrong:
        said = f"{shipping.name_of(function)}{signature}: {wrong}"
        raise TypeError(f"train(): arguments do not fit {said}") from None


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f": is {near[0]} meant?" if near else ""


def _torchrun() -> list[str]:
    """torchrun starts files only: the program becomes one first."""
    script = (
        'at=$(mktemp -d)/train.py; printf %s "$ATHANOR_PROGRAM" | base64 -d > "$at"; '
        'exec torchrun "$at"'
    )
    return ["sh", "-c", script]
