"""Operations on training jobs, each written once for both clients (see steps)."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from athanor.api.core import Namespace, PriorityClass
from athanor.api.labels import QUEUE
from athanor.api.meta import JSON, Object, ObjectMeta, Page
from athanor.api.registry import of
from athanor.api.scheduling import PRIORITY, Pool, Queue
from athanor.api.training import TrainingJob
from athanor.sdk.steps import Op, ask, close, emit, now, open_, receive, sleep
from athanor.sdk.submission import Submission, manifest
from athanor.wire import calls, watch
from athanor.wire.status import ApiError

JOBS = of(TrainingJob)
FINISHED = ("Succeeded", "Failed")

Until = Literal["finished", "succeeded", "running", "queued", "suspended", "deleted"]
"""What `wait` waits for."""


class Scope(Struct, frozen=True):
    """Where an operation works when it is not told otherwise."""

    namespace: str = "default"


Named = TypeVar("Named", bound=Object)


class WaitTimeout(Exception):
    """The job was not there in time; `job` is how it was last seen."""

    def __init__(self, message: str, job: TrainingJob) -> None:
        super().__init__(message)
        self.job = job


def submit(scope: Scope, asked: Submission | JSON, *, dry_run: bool = False) -> Op[TrainingJob]:
    """Create a training job from a Submission, or from a whole manifest.

    Raises ApiError: AlreadyExists, Invalid (with the fields), Forbidden.
    """
    body = manifest(asked) if isinstance(asked, Submission) else asked
    meta = {"namespace": scope.namespace, **body.get("metadata", {})}
    made = yield from ask(calls.create(JOBS, {**body, "metadata": meta}, dry_run=dry_run))
    return _view(made)


def home_queue(scope: Scope, *, namespace: str | None = None) -> Op[str]:
    """The queue of those who work in a namespace, "" when it has none of its own."""
    try:
        found = yield from ask(calls.get(Namespace, namespace or scope.namespace))
    except ApiError as error:
        if error.reason not in ("NotFound", "Forbidden"):
            raise
        return ""
    return found.metadata.labels.get(QUEUE, "")


def placed(scope: Scope, asked: Submission) -> Op[Submission]:
    """A submission with the queue of those who work in its namespace, unless it names one.

    Raises ApiError(BadRequest) when there is no such queue, pool or PriorityClass.
    """
    for pool in asked.pools:
        yield from exists(Pool, pool, "pool", "athanor pool list")
    if asked.priority:
        priority = yield from priority_class(asked.priority)
        asked = msgspec.structs.replace(asked, priority=priority)
    if asked.queue:
        yield from takes_in(asked.queue)
        return asked
    queue = yield from home_queue(scope, namespace=asked.namespace)
    return msgspec.structs.replace(asked, queue=queue)


def priority_class(name: str) -> Op[str]:
    """The PriorityClass that a name means: that one, or ours of that name.

    Raises ApiError(BadRequest) when there is neither.
    """
    try:
        found = yield from ask(calls.list_(PriorityClass))
    except ApiError as error:
        if error.reason != "Forbidden":
            raise
        return name  # who may not look is believed
    known = {one.metadata.name for one in found.items}
    for full in (name, f"{PRIORITY}{name}"):
        if full in known:
            return full
    listed = ", ".join(sorted(k.removeprefix(PRIORITY) for k in known if "system-" not in k))
    raise ApiError("BadRequest", f"there is no PriorityClass {name!r}; there are: {listed or '-'}")


def takes_in(queue: str) -> Op[None]:
    """Refuses a queue that is not there, or is closed; who may not look is believed."""
    found = yield from exists(Queue, queue, "queue", "athanor queue list")
    if found is not None and found.spec.state == "Closed":
        said = f"queue {queue!r} is closed and takes nothing in"
        raise ApiError("BadRequest", f"{said}; athanor queue tree shows which are open")


def exists(kind: type[Named], name: str, word: str, list_: str) -> Op[Named | None]:
    """Refuses a name that nothing has; None for those who may not look."""
    try:
        found = yield from ask(calls.get(kind, name))
    except ApiError as error:
        if error.reason == "NotFound":
            said = f"there is no {word} {name!r}; {list_} shows those there are"
            raise ApiError("BadRequest", said) from None
        if error.reason != "Forbidden":
            raise
        return None
    return found


def alive(name: str, phase: str) -> None:
    """Refuses a job that has finished, with the way out. Raises ApiError(BadRequest)."""
    if phase in FINISHED:
        said = f"job {name} has {phase.lower()}; athanor clone {name} runs it again"
        raise ApiError("BadRequest", said)


def list_jobs(
    scope: Scope, *, namespace: str | None = None, everywhere: bool = False, labels: str = ""
) -> Op[list[TrainingJob]]:
    """The training jobs of a namespace, or of all of them, oldest first."""
    where = None if everywhere else (namespace or scope.namespace)
    jobs: list[TrainingJob] = []
    continue_ = ""
    while True:
        page: Page[TrainingJob] = yield from ask(
            calls.list_(TrainingJob, where, labels=labels, limit=5000, continue_=continue_)
        )
        jobs += page.items
        continue_ = page.metadata.continue_
        if not continue_:
            break
    return sorted(jobs, key=lambda job: (job.metadata.creation_timestamp or "", job.metadata.name))


def job(scope: Scope, name: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """One training job. Raises ApiError(NotFound)."""
    found = yield from ask(calls.get(TrainingJob, name, namespace or scope.namespace))
    return found


def delete_job(scope: Scope, name: str, *, namespace: str | None = None) -> Op[None]:
    """Delete a training job with its gang, its pods and its claim (see `keep_data`).

    Raises ApiError(NotFound).
    """
    yield from ask(calls.delete(JOBS, name, namespace or scope.namespace, propagation="Background"))


def suspend(scope: Scope, name: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Stop a job and give its hardware back; `resume` continues it from its checkpoint."""
    changed = yield from _set_suspend(scope, name, namespace, True)
    return changed


def resume(scope: Scope, name: str, *, namespace: str | None = None) -> Op[TrainingJob]:
    """Put a suspended job back into its queue."""
    changed = yield from _set_suspend(scope, name, namespace, False)
    return changed


def wait(
    scope: Scope,
    name: str,
    *,
    until: Until = "finished",
    timeout: float | None = None,
    namespace: str | None = None,
) -> Op[TrainingJob]:
    """Follow a job until it is `until`, and return it as it is then; emits it at each change.

    Returns too when the job finished and can no longer become what was asked for. Raises
    WaitTimeout after `timeout` seconds, ApiError(NotFound) when there is no such job.
    """
    where = namespace or scope.namespace
    started = yield from now()
    seen: TrainingJob | None = None
    while True:
        try:
            seen = yield from job(scope, name, namespace=where)
        except ApiError as error:
            if error.reason == "NotFound" and until == "deleted":
                return seen or TrainingJob(metadata=ObjectMeta(name=name, namespace=where))
            raise
        yield from emit(seen)
        if reached(seen, until):
            return seen
        left = None if timeout is None else started + timeout - (yield from now())
        if left is not None and left <= 0:
            spent = round((yield from now()) - started, 1)
            said = f"job {name!r} is {seen.status.phase} after {spent:g}s, not {until}"
            raise WaitTimeout(said, seen)
        yield from _until_changed(seen, until, left)


def reached(job: TrainingJob, until: Until) -> bool:
    """Whether `job` is what is waited for, or can no longer become it."""
    phase = job.status.phase
    if until == "deleted":
        return False
    if phase in FINISHED:
        return True
    if until in ("running", "suspended"):
        return phase.lower() == until
    return until == "queued" and phase != "Pending"


def _until_changed(seen: TrainingJob, until: Until, left: float | None) -> Op[None]:
    """Watch until something worth another look happens, the stream ends, or time is up."""
    request = calls.watch(
        JOBS,
        seen.metadata.namespace,
        resource_version=seen.metadata.resource_version,
        fields=f"metadata.name={seen.metadata.name}",
    )
    try:
        yield from open_(request)
    except ApiError as error:
        if error.reason not in ("Expired", "Gone", "TooManyRequests", "ServiceUnavailable"):
            raise
        yield from sleep(0.2 if left is None else min(left, 0.2))
        return
    frames = watch.Frames()
    deadline = None if left is None else (yield from now()) + left
    while True:
        remaining = None if deadline is None else max(0.0, deadline - (yield from now()))
        arrival = yield from receive(remaining)
        if arrival is None:
            return
        if arrival.chunk is None:
            yield from sleep(0.2 if remaining is None else min(remaining, 0.2))
            return
        for frame in frames.feed(arrival.chunk):
            if frame.type in ("DELETED", "ERROR"):
                yield from close(arrival.handle)
                return
            if frame.type == "BOOKMARK":
                continue
            changed = msgspec.json.decode(frame.object, type=TrainingJob)
            if reached(changed, until):
                yield from close(arrival.handle)
                return
            yield from emit(changed)


def _set_suspend(scope: Scope, name: str, namespace: str | None, to: bool) -> Op[TrainingJob]:
    body: JSON = {"spec": {"suspend": to}}
    changed = yield from ask(calls.patch(JOBS, name, namespace or scope.namespace, body))
    return _view(changed)


def _view(manifest: Any) -> TrainingJob:
    return msgspec.convert(manifest, TrainingJob)
