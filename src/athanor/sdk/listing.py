"""Jobs by the thousand: a view that reads what a line shows, and leaves pod templates unread."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from athanor.api.meta import Base, ListMeta
from athanor.api.training import TrainingJob
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op, ask
from athanor.wire import calls

PAGE = 5000


class _Meta(Base, frozen=True):
    name: str = ""
    namespace: str = ""
    creation_timestamp: str | None = None


class _Role(Base, frozen=True):
    name: str = "worker"
    replicas: int = 1


class _Elastic(Base, frozen=True):
    max: int
    role: str = "worker"


class _Scheduling(Base, frozen=True):
    queue: str = ""


class _Spec(Base, frozen=True):
    framework: str = ""
    roles: tuple[_Role, ...] = ()
    elastic: _Elastic | None = None
    scheduling: _Scheduling = field(default_factory=_Scheduling)


class _Pods(Base, frozen=True):
    running: int = 0
    succeeded: int = 0


class _Progress(Base, frozen=True):
    step: int | None = None
    total: int | None = None


class _Status(Base, frozen=True):
    phase: str = "Pending"
    message: str = ""
    attempt: int = 0
    pods: tuple[_Pods, ...] = ()
    progress: _Progress | None = None


class JobLine(Base, frozen=True):
    """A TrainingJob, with the fields of it that a line shows, under their names."""

    metadata: _Meta = field(default_factory=_Meta)
    spec: _Spec = field(default_factory=_Spec)
    status: _Status = field(default_factory=_Status)


class _Lines(Struct, frozen=True):
    metadata: ListMeta = field(default_factory=ListMeta)
    items: list[JobLine] = field(default_factory=list)


def job_lines(
    scope: Scope, *, namespace: str | None = None, everywhere: bool = False, labels: str = ""
) -> Op[list[JobLine]]:
    """The training jobs of a namespace, or of all of them, oldest first, as far as lists show."""
    where = None if everywhere else (namespace or scope.namespace)
    decode = msgspec.json.Decoder(_Lines).decode
    found: list[JobLine] = []
    continue_ = ""
    while True:
        asked = calls.list_(TrainingJob, where, labels=labels, limit=PAGE, continue_=continue_)
        page = yield from ask(calls.Call(asked.request, decode))
        found += page.items
        continue_ = page.metadata.continue_
        if not continue_:
            break
    return sorted(found, key=lambda job: (job.metadata.creation_timestamp or "", job.metadata.name))
