"""Why a job waits, failed or runs where it does, and what would help: its objects as sentences."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from msgspec import structs

from athanor.api import labels
from athanor.api.core import Event, Node, Pod
from athanor.api.ends import RankFailure
from athanor.api.reach import workspace_gang
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.api.workspaces import Workspace
from athanor.sdk import adopters, archive, symptoms, visibility, volumes, watching, why_makers
from athanor.sdk.explanation import Explanation
from athanor.sdk.happenings import happened
from athanor.sdk.jobs import Scope, job
from athanor.sdk.logs import LogLine, find_pods, is_over, rank_of, read_line
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

LAST_LINES = 10
"""Lines of the first failing rank's log that an explanation quotes."""


HINTS: Mapping[str, str] = {
    "OOMKilled": "ask for more memory (--memory), or make batches smaller",
    "ErrImageNeverPull": "this node runs no container images: use --venv PATH or "
    "--image python:3.12, or submit to a cluster",
    "CommandNotFound": "the command is not in the job's environment: check --venv and the PATH",
    "StartError": "the process could not be started: check the command and the working directory",
    "ContainerStatusUnknown": "the node lost its supervisor; the job is retried at no cost",
    "DeadlineExceeded": "raise --deadline, or continue from the last checkpoint",
}


def why(scope: Scope, name: str, *, namespace: str | None = None) -> Op[Explanation]:
    """Explain the state of a job, a workspace, a sweep, workflow or cron, or of anybody's gang: by
    its name, by that of a Job, Deployment or other maker of its pods, or of one of them.

    Raises ApiError(NotFound).
    """
    where = namespace or scope.namespace
    gang = yield from _gang(name, where)
    try:
        found = yield from job(scope, name, namespace=where)
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        if gang is None:
            made = yield from why_makers.seen(name, where)
            if made is not None:
                return made
            gang = yield from adopters.of(name, where)
        if gang is None:
            raise
        told = yield from visibility.seen(gang.metadata.name, where)
        room = yield from _workspace(name, where)
        again = yield from _ends_again(name, where)
        said = _of_gang(name, gang, told, room, again)
        if not volumes.may_lack(gang):
            return said
        events = yield from ask(calls.list_(Event, where))
        return (yield from volumes.explained(said, gang, [], events.items, where))
    told = yield from _told(gang, where)
    pods, _ = yield from find_pods(name, where)
    events = yield from ask(calls.list_(Event, where))
    failed = first_failure(found, gang)
    log: list[LogLine] = []
    if failed is not None:
        log = yield from _last_lines(name, pods, failed, where)
    uids = {found.metadata.uid, *(p.metadata.uid for p in pods)} | (
        {gang.metadata.uid} if gang else set()
    )
    about = [event for event in events.items if event.involved_object.uid in uids]
    said = explain(found, gang, pods, about, [line.text for line in log], told)
    if said.phase == "Starting" or volumes.may_lack(gang):
        said = yield from volumes.explained(said, gang, pods, events.items, where)
    if ("gpu" in said.headline or _asks_gpus(found)) and (yield from _simulated()):
        said = structs.replace(said, facts=[*said.facts, "the GPUs here are simulated"])
    return said


def _asks_gpus(found: TrainingJob) -> bool:
    return any(
        name.endswith("/gpu")
        for role in found.spec.roles
        for container in role.template.get("spec", {}).get("containers", [])
        for name in container.get("resources", {}).get("limits", {})
    )


def _simulated() -> Op[bool]:
    try:
        nodes = yield from ask(calls.list_(Node, labels="athanor.dev/simulated-gpus=true"))
    except ApiError:
        return False  # those who may not see nodes need not know
    return bool(nodes.items)


def explain(
    job: TrainingJob,
    gang: Gang | None,
    pods: Sequence[Pod],
    events: Sequence[Event],
    log: Sequence[str],
    told: visibility.Seen | None = None,
) -> Explanation:
    """The explanation, from objects alone; `told` is what the scheduler adds."""
    phase = job.status.phase
    name = job.metadata.name
    if phase == "Failed" or (phase == "Restarting" and first_failure(job, gang)):
        return _failed(job, gang, events, log)
    if phase in ("Pending", "Queued"):
        return _waiting(job, gang, events, told)
    if phase == "Suspended":
        return Explanation(
            name=name, phase=phase, headline="it is suspended and holds no hardware",
            hints=[f"athanor resume {name}"],
        )  # fmt: skip
    if phase == "Starting":
        return _starting(job, pods, events)
    if phase == "Succeeded":
        return Explanation(name=name, phase=phase, headline="it succeeded", facts=_counts(job))
    if phase == "Restarting":
        return Explanation(
            name=name, phase=phase, headline=job.status.message or "it is being restarted",
            facts=[*_counts(job), *_progress(job)], hints=[f"athanor logs -f {name}"],
        )  # fmt: skip
    facts, hints = _again(job, gang)
    facts += watching.facts(job, pods)
    facts += visibility.here(told.gang.here) if told is not None else []
    up = any(counts.running for counts in job.status.pods)
    return Explanation(
        name=name, phase=phase, headline="it is running" if up else "no rank of it runs now",
        facts=[*_message(job), *_counts(job), *_progress(job), *facts],
        hints=[*hints, f"athanor logs -f {name}"],
    )  # fmt: skip


def _told(gang: Gang | None, where: str) -> Op[visibility.Seen | None]:
    """What the scheduler tells of a gang that waits, runs or has to go."""
    if gang is None or gang.status.phase in ("Succeeded", "Failed", "Suspended"):
        return None
    told = yield from visibility.seen(gang.metadata.name, where)
    return told


def _workspace(name: str, where: str) -> Op[Workspace | None]:
    try:
        found = yield from ask(calls.get(Workspace, name, where))
    except ApiError as error:
        if error.reason not in ("NotFound", "Forbidden"):
            raise
        return None
    return found


def _ends_again(name: str, where: str) -> Op[Explanation | None]:
    """What is said of a gang whose program ends each time that it is started."""
    try:
        pods, _ = yield from find_pods(name, where)
    except ApiError:
        return None  # it has none
    for pod in pods:
        said = ended_again(name, pod)
        if said is None:
            continue
        try:
            body = yield from ask(calls.text(calls.log(pod.metadata.name, where, tail=LAST_LINES)))
        except ApiError:
            return said  # the log went with its container
        log = [read_line(pod, line).text for line in body.splitlines()]
        return structs.replace(said, log=log, hints=[*symptoms.hints_of(log), *said.hints])
    return None


def ended_again(name: str, pod: Pod) -> Explanation | None:
    """Of a pod whose container ends whenever it is started; None for others."""
    for one in pod.status.container_statuses:
        if one.state.waiting is None or one.state.waiting.reason != "CrashLoopBackOff":
            continue
        last = one.last_state.terminated
        how = f" with exit code {last.exit_code}" if last is not None else ""
        return Explanation(
            name=name, phase=pod.status.phase,
            headline=f"its program ends{how} each time it is started",
            facts=[f"{rank_of(pod)}: started {one.restart_count + 1} times, and soon again"],
            hints=[f"athanor logs {name}"],
        )  # fmt: skip
    return None


def _of_gang(
    name: str, gang: Gang, told: visibility.Seen | None, room: Workspace | None,
    again: Explanation | None,
) -> Explanation:  # fmt: skip
    """A gang that no training job owns: a workspace's, or anybody's."""
    status = gang.status
    if again is not None and status.phase == "Running":
        return structs.replace(again, phase=room.status.phase if room else status.phase)
    if status.admission is None and status.phase == "Pending":
        queue = gang.spec.queue or "default"
        return _in_line(name, status.phase, queue, gang, [], told)
    facts = visibility.here(told.gang.here) if told is not None else []
    said = status.message or status.reason or f"it is {status.phase.lower()}"
    if room is None or room.status.phase == "Failed":
        return Explanation(name=name, phase=status.phase, headline=said, facts=facts)
    seen = room.status
    used = [f"used {seen.use}"] if seen.use else []
    hints = [f"athanor workspace start {name}"] if seen.phase == "Stopped" else []
    return Explanation(
        name=name, phase=seen.phase, headline=seen.message or f"it is {seen.phase.lower()}",
        facts=[*used, *facts], hints=hints,
    )  # fmt: skip


def _again(job: TrainingJob, gang: Gang | None) -> tuple[list[str], list[str]]:
    """What is said of ranks that failed and wait to be tried again while others run."""
    failure = first_failure(job, gang)
    if failure is None or not any(counts.failed for counts in job.status.pods):
        return [], []
    said = f"{failure.pod_set}-{failure.rank} failed and is tried again: {describe_exit(failure)}"
    hints = [HINTS[failure.reason]] if failure.reason in HINTS else []
    return [f"{said}: {failure.message}" if failure.message else said], hints


def first_failure(job: TrainingJob, gang: Gang | None) -> RankFailure | None:
    """The rank that failed first, by the time it ended; later ones often only followed it."""
    failures = list(job.status.failures) or (list(gang.status.failures) if gang else [])
    return min(failures, key=lambda f: f.finished_at or "9", default=None)


def describe_exit(failure: RankFailure) -> str:
    """`exit code 1`, `killed by SIGKILL`, with the reason the node gave."""
    code = failure.exit_code
    if code is None:
        return failure.reason or "no exit code"
    by = signal_of(failure)
    text = f"killed by {by} (exit code {code})" if by else f"exit code {code}"
    odd = failure.reason and failure.reason not in ("Error", "Completed")
    return f"{text}, {failure.reason}" if odd else text


def signal_of(failure: RankFailure) -> str:
    """The name of the signal that ended a rank, by its exit code; "" when none did."""
    try:
        return signal.Signals((failure.exit_code or 0) - 128).name
    except ValueError:
        return ""


def _failed(
    job: TrainingJob, gang: Gang | None, events: Sequence[Event], log: Sequence[str]
) -> Explanation:
    name, status = job.metadata.name, job.status
    failure = first_failure(job, gang)
    facts = [*_counts(job), *_progress(job)]
    if status.retries:
        facts.append(f"retried {status.retries} of {job.spec.run_policy.backoff_limit} times")
    hints = [HINTS[status.reason]] if status.reason in HINTS else []
    if failure is None:
        said = status.message or status.reason or "it failed"
        facts += _warnings(events)
        return Explanation(name=name, phase=status.phase, headline=said, facts=facts, hints=hints)
    headline = f"{failure.pod_set}-{failure.rank} failed first: {describe_exit(failure)}"
    if failure.message:
        facts.insert(0, failure.message)
    hints += _failure_hints(name, failure, log)
    told = failure.message
    facts += [said for said in _warnings(events) if not told or told not in said]
    return Explanation(
        name=name, phase=status.phase, headline=headline, facts=facts, log=log,
        hints=list(dict.fromkeys(hints)),
    )  # fmt: skip


def _failure_hints(name: str, failure: RankFailure, log: Sequence[str]) -> list[str]:
    hints = [HINTS[failure.reason]] if failure.reason in HINTS else []
    hints += symptoms.hints_of(log)
    if failure.reason != "OOMKilled" and signal_of(failure) in symptoms.SIGNALS:
        hints.append(symptoms.SIGNALS[signal_of(failure)])
    if failure.exit_code in (126, 127) and "CommandNotFound" not in failure.reason:
        hints.append(HINTS["CommandNotFound"])
    if failure.platform:
        hints.append("a fault of the platform: it costs no retry")
    hints.append(f"athanor logs {name} --rank {failure.pod_set}-{failure.rank}")
    return hints


def _waiting(
    job: TrainingJob, gang: Gang | None, events: Sequence[Event], told: visibility.Seen | None
) -> Explanation:
    name, phase = job.metadata.name, job.status.phase
    if gang is None:
        said = job.status.message or "no controller has taken it up yet"
        return Explanation(
            name=name, phase=phase, headline=said, facts=_warnings(events),
            hints=["athanor status shows whether the controllers run"],
        )  # fmt: skip
    queue = gang.spec.queue or job.spec.scheduling.queue or "default"
    return _in_line(name, phase, queue, gang, events, told)


def _in_line(
    name: str, phase: str, queue: str, gang: Gang, events: Sequence[Event],
    told: visibility.Seen | None,
) -> Explanation:  # fmt: skip
    """A gang that waits: the scheduler's fresh reasons, else those in its status."""
    reasons = (told.gang.reasons if told is not None else []) or gang.status.reasons
    more, ways = visibility.waiting(told) if told is not None else ([], [])
    evicted = _evicted(gang)
    if not reasons:
        return Explanation(
            name=name, phase=phase, headline=f"it waits in queue {queue}: not looked at yet",
            facts=[*evicted, *_warnings(events)],
        )  # fmt: skip
    first, *others = reasons
    hints = [str(hint) for hint in (reason.details.get("hint") for reason in reasons) if hint]
    return Explanation(
        name=name, phase=phase,
        headline=f"it waits in queue {queue}: {first.message} ({first.code})",
        facts=[*(f"{reason.message} ({reason.code})" for reason in others), *evicted, *more,
               *_warnings(events)],
        hints=[*hints, *ways, "athanor top queue shows who uses what"],
    )  # fmt: skip


def _evicted(gang: Gang) -> list[str]:
    """By whom and why it had to go, when it had to."""
    status = gang.status
    if not status.evictions:
        return []
    often = "once" if status.evictions == 1 else f"{status.evictions} times"
    why = ": ".join(filter(None, (status.reason, status.message)))
    return [f"it had to give its place back {often}" + (f"; the last time {why}" if why else "")]


def _starting(job: TrainingJob, pods: Sequence[Pod], events: Sequence[Event]) -> Explanation:
    refused = job.status.reason == "PodsRefused"
    facts = [f"its pods are refused: {job.status.message}"] if refused else _message(job)
    hints: list[str] = []
    for pod in pods:
        for status in pod.status.container_statuses:
            waiting = status.state.waiting
            if waiting is None or waiting.reason in ("", "ContainerCreating", "PodInitializing"):
                continue
            facts.append(f"{rank_of(pod)}: {waiting.reason}: {waiting.message}".rstrip(": "))
            if waiting.reason in HINTS and HINTS[waiting.reason] not in hints:
                hints.append(HINTS[waiting.reason])
    return Explanation(
        name=job.metadata.name, phase=job.status.phase, headline="its pods are being started",
        facts=facts + _warnings(events), hints=hints,
    )  # fmt: skip


def _message(job: TrainingJob) -> list[str]:
    """What its controller says of it: a node that does not answer, for instance."""
    return [job.status.message] if job.status.message else []


def _counts(job: TrainingJob) -> list[str]:
    words = ("pending", "running", "succeeded", "failed")
    return [
        f"{counts.pod_set}: " + ", ".join(f"{n} {word}" for word, n in known)
        for counts in job.status.pods
        if (known := [(word, getattr(counts, word)) for word in words if getattr(counts, word)])
    ]


def _progress(job: TrainingJob) -> list[str]:
    progress = job.status.progress
    if progress is None or progress.step is None:
        return []
    of = f" of {progress.total}" if progress.total else ""
    saved = progress.last_checkpoint_step
    return [f"step {progress.step}{of}" + (f", checkpoint at {saved}" if saved is not None else "")]


def _warnings(events: Sequence[Event]) -> list[str]:
    """The newest few warnings, oldest of them first, each once."""
    ordered = sorted((event for event in events if event.type == "Warning"), key=happened)
    said = dict.fromkeys(f"{event.reason}: {event.message}" for event in ordered)
    return list(said)[-3:]


def _gang(name: str, namespace: str) -> Op[Gang | None]:
    page = yield from ask(calls.list_(Gang, namespace, labels=f"{labels.JOB}={name}"))
    if page.items:
        return max(page.items, key=lambda gang: gang.metadata.creation_timestamp or "")
    for word in (name, workspace_gang(name)):
        try:
            found = yield from ask(calls.get(Gang, word, namespace))
        except ApiError as error:
            if error.reason != "NotFound":
                raise
        else:
            return found
    return None


def _last_lines(name: str, pods: Sequence[Pod], failure: RankFailure, where: str) -> Op[
    list[LogLine]
]:  # fmt: skip
    """The end of the log of the run that failed: of its pod, or what is kept of it."""
    rank = f"{failure.pod_set}-{failure.rank}"
    of_rank = [pod for pod in pods if rank_of(pod) == rank]
    pod = next((pod for pod in of_rank if is_over(pod)), None)
    try:
        if pod is not None:
            body = yield from ask(calls.text(calls.log(pod.metadata.name, where, tail=LAST_LINES)))
            return [read_line(pod, line) for line in body.splitlines()]
        kept = yield from archive.kept(name, where)
        until = failure.finished_at or "9"
        gone = [
            pod for pod in archive.of_one(kept, (), "")
            if rank_of(pod) == rank and (pod.metadata.creation_timestamp or "") <= until
        ]  # fmt: skip
        if not gone:
            return []
        options = [("tailLines", str(LAST_LINES)), ("timestamps", "true")]
        body = yield from archive.text(gone[-1].metadata.uid, where, options)
    except ApiError:
        return []  # the log went with its pod: the rest of the explanation stands
    return [read_line(gone[-1], line) for line in body.splitlines()]
