"""The log of a job: the lines of all its ranks, merged by time, followed across attempts."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct, structs

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.reach import workspace_gang
from athanor.api.registry import of
from athanor.api.training import TrainingJob
from athanor.sdk import archive
from athanor.sdk.jobs import FINISHED, Scope
from athanor.sdk.steps import Arrival, Op, ask, close, emit, now, open_, receive
from athanor.wire import calls, watch
from athanor.wire.request import Request
from athanor.wire.status import ApiError


class LogLine(Struct, frozen=True):
    """One line of one rank. `time` is RFC 3339 as the node wrote it, "" when it did not."""

    pod: str
    rank: str
    time: str
    text: str

    def __str__(self) -> str:
        return f"[{self.rank}] {self.text}"


class Wish(Struct, frozen=True, kw_only=True):
    """Which lines: of all ranks or of one (`rank`: "0" or "worker-0"), how many, how far back.

    `search` is a regular expression that a line has to contain; `tail` counts what is left then.
    """

    rank: str = ""
    tail: int | None = None
    since_seconds: int | None = None
    previous: bool = False
    container: str = ""
    search: str = ""


def logs(
    scope: Scope,
    name: str,
    *,
    follow: bool = False,
    wish: Wish | None = None,
    namespace: str | None = None,
) -> Op[None]:
    """Emit the LogLines of the job (or gang, or pod) `name`; `follow` until it has finished.

    Of pods that are gone, too, where their logs are kept: earlier attempts, deleted jobs. Raises
    ApiError(NotFound) when nothing has that name or it has no such rank, ValueError for a `search`
    that is no expression.
    """
    where = namespace or scope.namespace
    wanted = wish or Wish()
    fits = _search(wanted.search)
    found = yield from find(name, where)
    _has_rank(name, found, wanted.rank)
    gone = _after(found, wanted)
    if follow:
        parts = yield from _read_all([], gone, where, wanted)
        for line in merged(_cut(parts, fits, wanted)):
            yield from emit(line)
        yield from _follow(name, where, found.selector, wanted, fits)
        return
    parts = yield from _read_all(ranked(found.pods, wanted.rank), gone, where, wanted)
    for line in merged(_cut(parts, fits, wanted)):
        yield from emit(line)


def _has_rank(name: str, found: Found, rank: str) -> None:
    """Refuses a rank that the job has not, had not, and will not have however it grows."""
    pods = ranked([*found.pods, *found.gone], "")
    sizes = {_set(pod): int(_index(pod) or 0) + 1 for pod in pods if _set(pod)}
    spec = found.job.spec if found.job is not None else None
    for role in spec.roles if spec is not None else ():
        sizes[role.name] = max(sizes.get(role.name, 0), role.replicas)
    if spec is not None and spec.elastic is not None:
        sizes[spec.elastic.role] = max(sizes.get(spec.elastic.role, 0), spec.elastic.max)
    if not rank or not sizes or ranked(pods, rank):
        return
    meant = re.fullmatch(r"(?:(.+)-)?([0-9]+)", rank)
    fits = (n for one, n in sizes.items() if meant is not None and meant[1] in (None, one))
    if meant is None or not any(int(meant[2]) < n for n in fits):
        told = ", ".join(f"{one}-0" + (f" to {one}-{n - 1}" if n > 1 else "")
                         for one, n in sizes.items())  # fmt: skip
        raise ApiError("NotFound", f"{name} has no rank {rank!r}; it has {told}")


def _search(text: str) -> Callable[[str], object]:
    try:
        return re.compile(text).search if text else lambda _: True
    except re.error as wrong:
        raise ValueError(f"search {text!r} is no regular expression: {wrong}") from None


def _after(found: Found, wish: Wish) -> list[Pod]:
    """Pods that are gone whose logs are meant; with a tail, of ranks that have no other."""
    if wish.previous:
        return []
    gone = ranked(found.gone, wish.rank)
    if wish.tail is None:
        return gone
    there = {rank_of(pod) for pod in found.pods if has_started(pod)}
    newest = {rank_of(pod): pod for pod in gone}
    return [pod for rank, pod in newest.items() if rank not in there]


def _read_all(pods: list[Pod], gone: list[Pod], where: str, wish: Wish) -> Op[list[list[LogLine]]]:
    """The lines of each pod that has some."""
    parts: list[list[LogLine]] = []
    if wish.search:  # what is searched is the whole log
        wish = structs.replace(wish, tail=None)
    for pod in gone:
        body = yield from archive.text(pod.metadata.uid, where, _options(wish))
        parts.append([read_line(pod, line) for line in body.splitlines()])
    for pod in pods:
        if not has_started(pod):
            continue
        try:
            body = yield from ask(calls.text(_request(pod, where, wish, follow=False)))
        except ApiError as error:
            if error.reason not in ("BadRequest", "NotFound"):
                raise
            continue  # has no log yet, or has gone meanwhile
        parts.append([read_line(pod, line) for line in body.splitlines()])
    return parts


def _cut(
    parts: list[list[LogLine]], fits: Callable[[str], object], wish: Wish
) -> list[list[LogLine]]:
    """Of each rank the lines that fit, and of these the last ones."""
    kept = [[line for line in part if fits(line.text)] for part in parts]
    return kept if wish.tail is None else [part[-wish.tail :] if wish.tail else [] for part in kept]


class Found(Struct, frozen=True, kw_only=True):
    """The pods of a name, those that are gone but have a log, how to watch for more, its job."""

    pods: list[Pod]
    selector: tuple[str, str]
    gone: list[Pod] = []
    job: TrainingJob | None = None


def find(name: str, where: str) -> Op[Found]:
    """All there is to read of the job, gang, workspace or pod `name`. Raises ApiError(NotFound)."""
    job: TrainingJob | None = None
    try:
        job = yield from ask(calls.get(TrainingJob, name, where))
    except ApiError as error:
        if error.reason not in ("NotFound", "Forbidden"):
            raise
    kept = yield from archive.kept(name, where)
    missing: ApiError | None = None
    try:
        pods, selector = yield from find_pods(name, where)
    except ApiError as error:
        if error.reason != "NotFound" or not kept:
            raise
        missing, pods, selector = error, [], (f"{labels.JOB}={name}", "")
    begin = (job.metadata.creation_timestamp or "") if job is not None else ""
    gone = archive.of_one(kept, {pod.metadata.uid for pod in pods}, begin)
    if missing is not None and not gone:
        raise missing
    return Found(pods=pods, selector=selector, gone=gone, job=job)


def find_pods(name: str, namespace: str) -> Op[tuple[list[Pod], tuple[str, str]]]:
    """The pods of the job, gang, workspace or pod `name`, with the selectors to watch them by.

    Label selector, then field selector. Raises ApiError(NotFound) when there is none.
    """
    own = (labels.JOB, name), (labels.GANG, name), (labels.GANG, workspace_gang(name))
    for label, word in own:
        page = yield from ask(calls.list_(Pod, namespace, labels=f"{label}={word}"))
        if page.items:
            return page.items, (f"{label}={word}", "")
    try:
        yield from ask(calls.get(TrainingJob, name, namespace))
        return [], (f"{labels.JOB}={name}", "")
    except ApiError as missing:
        if missing.reason != "NotFound":
            raise
        no_job = missing
    try:
        pod = yield from ask(calls.get(Pod, name, namespace))
    except ApiError as error:
        raise (no_job if error.reason == "NotFound" else error) from None
    return [pod], ("", f"metadata.name={name}")


def ranks(
    scope: Scope, name: str, *, rank: str = "", namespace: str | None = None
) -> Op[list[Pod]]:
    """The pods of the job, gang or pod `name` in the order of their ranks. Raises NotFound."""
    pods, _ = yield from find_pods(name, namespace or scope.namespace)
    return ranked(pods, rank)


def ranked(pods: Iterable[Pod], rank: str) -> list[Pod]:
    """The pods in the order of their ranks; only those of `rank` when it is given."""
    chosen = [pod for pod in pods if not rank or rank in (rank_of(pod), _index(pod), _name(pod))]
    return sorted(chosen, key=lambda pod: (_set(pod), int(_index(pod) or 0), _name(pod)))


def rank_of(pod: Pod) -> str:
    """`worker-0`, or the pod's name when it belongs to no gang."""
    return f"{_set(pod)}-{_index(pod)}" if _set(pod) else _name(pod)


def has_started(pod: Pod) -> bool:
    """Whether a container of the pod has run, so that there is a log to ask for."""
    return any(
        status.state.running or status.state.terminated or status.restart_count
        for status in pod.status.container_statuses
    )


def read_line(pod: Pod, line: bytes) -> LogLine:
    """A line as the node sent it: time, space, text."""
    text = line.decode(errors="replace")
    time, space, rest = text.partition(" ")
    if not space or not time[:4].isdigit() or "T" not in time:
        return LogLine(_name(pod), rank_of(pod), "", text)
    return LogLine(_name(pod), rank_of(pod), time, rest)


def merged(parts: Iterable[list[LogLine]]) -> Iterable[LogLine]:
    """The lines of all ranks by time; lines of one rank keep their order."""
    return heapq.merge(*parts, key=lambda line: line.time)


class _Follower:
    """Which pods' logs are open, and how far each was read, so that no line comes twice."""

    def __init__(self, fits: Callable[[str], object] = lambda _: True) -> None:
        self.fits = fits
        self.open: dict[int, Pod] = {}
        self.rest: dict[int, bytes] = {}
        self.ended: set[str] = set()
        self.last: dict[str, tuple[str, int]] = {}
        self.skip: dict[int, tuple[str, int]] = {}
        self.last_words: set[int] = set()

    def wants(self, pod: Pod) -> bool:
        uid = pod.metadata.uid
        following = any(open_pod.metadata.uid == uid for open_pod in self.open.values())
        return uid not in self.ended and not following and has_started(pod)

    def start(self, handle: int, pod: Pod) -> None:
        self.open[handle] = pod
        self.rest[handle] = b""
        if is_over(pod):
            self.last_words.add(handle)
        if pod.metadata.uid in self.last:
            self.skip[handle] = self.last[pod.metadata.uid]

    def lines(self, arrival: Arrival) -> list[LogLine]:
        pod = self.open[arrival.handle]
        held = self.rest[arrival.handle] + (arrival.chunk or b"")
        *whole, rest = held.split(b"\n")
        self.rest[arrival.handle] = rest
        if arrival.chunk is None and rest and self._is_whole(arrival):
            whole.append(rest)
        lines = (read_line(pod, line) for line in whole)
        new = (line for line in lines if self._is_new(arrival.handle, pod, line))
        return [line for line in new if self.fits(line.text)]

    def _is_whole(self, arrival: Arrival) -> bool:
        """Whether this end is the log's: that of a stream which was opened when the pod was over.

        A node that restarts ends its streams, too, in good order or not; what such a one began to
        say is read again.
        """
        return arrival.error is None and arrival.handle in self.last_words

    def _is_new(self, handle: int, pod: Pod, line: LogLine) -> bool:
        """Lines read again after a broken connection are told by their time, counted."""
        uid = pod.metadata.uid
        until, count = self.skip.get(handle, ("", 0))
        if until and line.time < until:
            return False
        if until and line.time == until and count:
            self.skip[handle] = (until, count - 1)
            return False
        self.skip.pop(handle, None)
        last, same = self.last.get(uid, ("", 0))
        self.last[uid] = (line.time, same + 1 if line.time == last else 1)
        return True

    def end(self, arrival: Arrival) -> bool:
        """Close the books on a stream; False when the pod may have more to say."""
        over = self._is_whole(arrival)
        pod = self.open.pop(arrival.handle)
        self.last_words.discard(arrival.handle)
        self.rest.pop(arrival.handle, None)
        self.skip.pop(arrival.handle, None)
        if over:
            self.ended.add(pod.metadata.uid)
        return over


def is_over(pod: Pod) -> bool:
    """Whether nothing of the pod runs any more."""
    return pod.status.phase in ("Succeeded", "Failed")


_AGAIN = 5.0
"""Seconds after which the pods are looked at again although nothing was heard."""

_PAUSE = 0.2
"""Seconds before a stream that ended early is opened again."""

_NEWS = 0.05
"""Seconds in which further news are waited for before the pods are looked at again."""


def _follow(
    name: str, namespace: str, selector: tuple[str, str], wish: Wish, fits: Callable[[str], object]
) -> Op[None]:
    state = _Follower(fits)
    first = True
    while True:
        chosen, fields = selector
        page = yield from ask(calls.list_(Pod, namespace, labels=chosen, fields=fields))
        pods = {pod.metadata.uid: pod for pod in ranked(page.items, wish.rank)}
        for handle, pod in state.open.items():
            state.open[handle] = pods.get(pod.metadata.uid, pod)
        over = yield from _is_finished(name, namespace, chosen, list(pods.values()))
        for pod in pods.values():
            if state.wants(pod):
                yield from _start(state, pod, namespace, wish, first=first)
        first = False
        if over and not state.open and not any(state.wants(pod) for pod in pods.values()):
            return
        request = calls.watch(
            of(Pod), namespace, resource_version=page.metadata.resource_version,
            labels=chosen, fields=fields,
        )  # fmt: skip
        yield from _pump(state, request, over)


def _pump(state: _Follower, request: Request, over: bool) -> Op[None]:
    """Emit what arrives until pods changed or logs ended, or it is time to look again.

    News of many ranks come together: they are waited for, and looked at once.
    """
    watching = None if over else (yield from open_(request))
    if watching is None and not state.open:
        return
    frames = watch.Frames()
    until: float | None = None
    while True:
        left = _AGAIN if until is None else until - (yield from now())
        arrival = (yield from receive(left)) if left > 0 else None
        if arrival is None:
            break
        pause = 0.0
        if arrival.handle == watching:
            if arrival.chunk is None:
                watching, pause = None, _PAUSE
            elif any(_matters(state, frame) for frame in frames.feed(arrival.chunk)):
                pause = _NEWS
        elif arrival.handle in state.open:
            for line in state.lines(arrival):
                yield from emit(line)
            if arrival.chunk is None:
                pause = _NEWS if state.end(arrival) else _PAUSE
        if pause and until is None:
            until = (yield from now()) + pause
    if watching is not None:
        yield from close(watching)


def _matters(state: _Follower, frame: watch.Frame) -> bool:
    if frame.type in ("BOOKMARK", "DELETED"):
        return frame.type == "DELETED"
    if frame.type == "ERROR":
        return True
    pod = msgspec.json.decode(frame.object, type=Pod)
    return state.wants(pod) or is_over(pod)


def _start(state: _Follower, pod: Pod, namespace: str, wish: Wish, *, first: bool) -> Op[None]:
    last, _ = state.last.get(pod.metadata.uid, ("", 0))
    part = wish if first and not last else Wish(container=wish.container)
    request = _request(pod, namespace, part, True, since=last)
    try:
        handle = yield from open_(request)
    except ApiError as error:
        if error.reason not in ("BadRequest", "NotFound", "ServiceUnavailable"):
            raise
        return  # not started after all, or gone: the next look tells
    state.start(handle, pod)


def _is_finished(name: str, namespace: str, chosen: str, pods: list[Pod]) -> Op[bool]:
    if not chosen.startswith(labels.JOB):
        return bool(pods) and all(is_over(pod) for pod in pods)
    try:
        job = yield from ask(calls.get(TrainingJob, name, namespace))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return True
    return job.status.phase in FINISHED


def _options(wish: Wish) -> list[tuple[str, str]]:
    """A wish as the gateway reads it."""
    said = {"container": wish.container, "sinceSeconds": wish.since_seconds, "timestamps": "true"}
    tail = [] if wish.tail is None else [("tailLines", str(wish.tail))]
    return [(name, str(value)) for name, value in said.items() if value] + tail


def _request(pod: Pod, namespace: str, wish: Wish, follow: bool, since: str = "") -> Request:
    return calls.log(
        _name(pod), namespace, container=wish.container, follow=follow, tail=wish.tail,
        since_seconds=wish.since_seconds, since=since, previous=wish.previous,
    )  # fmt: skip


def _name(pod: Pod) -> str:
    return pod.metadata.name


def _set(pod: Pod) -> str:
    return pod.metadata.labels.get(labels.POD_SET, "")


def _index(pod: Pod) -> str:
    return pod.metadata.labels.get(labels.RANK, "")
