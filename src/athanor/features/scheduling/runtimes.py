"""How long gangs run, learned from those that have ended: by queue, user, name and size.

What a restart would forget stands in Queue.status: of the queue as a whole, for everybody may read
queues, and what one user's gangs do is nobody's business. That is learned again from the ended
gangs that are still there; those that ended since the status was written teach all of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Queue
from athanor.features.scheduling import gangs
from athanor.features.scheduling.core.history import History, Path, Paths
from athanor.features.scheduling.core.lifetimes import BINS, DECLARED, Kind, Runs, kinds
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import Floats, Smalls
from athanor.features.scheduling.pods import PodNeed
from athanor.kit.times import parse_rfc3339, rfc3339

_encode = msgspec.json.Encoder().encode
MOST = 50
"""So many kinds of a queue outlive a restart, those that were seen last."""
WHOLE = 3
"""The first kinds of a path are of nobody in particular: declared or not, size, queue."""
SAVE_EVERY = 300.0
"""Seconds between two writes of them."""


def path_of(gang: Gang, queue: str, needs: Sequence[PodNeed]) -> Path:
    """A gang's kinds, from wide to narrow; numbers in names do not tell kinds apart."""
    spec = gang.spec
    milli, cores = 0, 0
    for pod_set, need in zip(spec.pod_sets, needs, strict=False):
        milli += pod_set.count * need.shape.devices * need.shape.milli
        cores += pod_set.count * dict(need.shape.request).get("cpu", 0)
    user = gang.metadata.annotations.get("athanor.dev/user", "")
    name = re.sub(r"\d+", "#", gang.metadata.name)
    return kinds(
        declared_of(gang) is not None, f"{milli}d" if milli else f"{cores}c", queue=queue,
        user=f"{queue}/{user}", name=f"{gang.metadata.namespace}/{name}",
    )  # fmt: skip


def declared_of(gang: Gang) -> float | None:
    """The runtime a gang says it needs, in seconds."""
    said = [s for s in (gang.spec.estimated_runtime_seconds, gang.spec.max_runtime_seconds) if s]
    return float(min(said)) if said and not gangs.overran(gang) else None


class Runtimes:
    """What ended gangs taught; `mark` puts it into a snapshot."""

    def __init__(self) -> None:
        self._found: History | None = None
        self._changed: dict[str, float] = {}

    def learn(
        self, finished: Iterable[Gang], devices: Collection[str], queues: Mapping[str, Queue],
        now: float,
    ) -> None:  # fmt: skip
        """Gangs that ended since the last time; the first time all that ever have.

        Then those that ended before their queue's status was written are in it as the queue's.
        """
        known: Collection[str] = ()
        if self._found is None:
            self._found = History(remembered(queues.values()))
            finished = list(finished)
            known = {gang.metadata.uid for gang in finished if _is_told(gang, queues)}
        read: dict[bytes, tuple[PodNeed, ...]] = {}
        for gang in finished:
            queue, ran = _queue(gang), _ran(gang)
            if ran is None:
                continue
            said = declared_of(gang)
            asks = _encode((gang.metadata.namespace, gang.spec.pod_sets))
            if asks not in read:
                read[asks] = gangs.read(gang, devices).needs
            path = path_of(gang, queue, read[asks])
            is_known = gang.metadata.uid in known
            if is_known:
                path = path[WHOLE:]
            self._found.runs.ran(path, ran if said is None else ran * DECLARED / said)
            if not is_known:
                self._changed[queue] = now

    def mark(self, snapshot: Snapshot, numbers: Smalls, paths: Paths, now: float) -> Snapshot:
        """The snapshot with each gang's chances to end."""
        return snapshot if self._found is None else self._found.mark(snapshot, numbers, paths, now)

    def is_unsaved(self, queue: Queue, now: float) -> bool:
        """Whether something was learned that is worth another write."""
        changed, at = self._changed.get(queue.metadata.name), _written(queue)
        return changed is not None and changed > at and now - at >= SAVE_EVERY

    def told(self, queue: Queue, now: float) -> JSON:
        """What is known of a queue's gangs: kind → bin of runtimes → how many ended in it."""
        before: JSON = queue.status.runtimes.get("ended") or {}
        ended: JSON = dict.fromkeys(before)
        for kind, counts in self._of(queue.metadata.name):
            text = _text(kind)
            bins = {str(b): int(n) for b, n in enumerate(counts.tolist()) if n}
            ended[text] = {**dict.fromkeys(before.get(text) or {}), **bins}
        return {"at": rfc3339(now), "ended": ended}

    def _of(self, queue: str) -> Iterator[tuple[Kind, Floats]]:
        """The kinds of a queue as a whole that were seen last."""
        ended = self._found.runs.ended if self._found is not None else {}
        whole = [k for k in ended if k[2:] == ("queue", queue)]
        yield from ((kind, ended[kind]) for kind in whole[-MOST:])


def remembered(queues: Iterable[Queue]) -> Runs:
    """What the queues' statuses say; what cannot be read is left out."""
    runs = Runs()
    for queue in queues:
        for text, bins in (queue.status.runtimes.get("ended") or {}).items():
            kind = _kind(text)
            counts = {
                int(b): n for b, n in bins.items()
                if b.isdecimal() and int(b) < BINS and isinstance(n, int)
            }  # fmt: skip
            for one in (kind[:1], kind[:2], kind):
                runs.recall(one, counts)
    return runs


def _is_told(gang: Gang, queues: Mapping[str, Queue]) -> bool:
    """Whether a gang ended before its queue's status was written."""
    queue, end = queues.get(_queue(gang)), gang.status.finished_at
    return queue is not None and bool(end) and parse_rfc3339(str(end)) <= _written(queue)


def _queue(gang: Gang) -> str:
    """The queue that paid for a finished gang."""
    return gang.status.admission.queue if gang.status.admission is not None else ""


def _written(queue: Queue) -> float:
    """When what was learned was last written."""
    at = queue.status.runtimes.get("at")
    return parse_rfc3339(str(at)) if at else 0.0


def _ran(gang: Gang) -> float | None:
    """Seconds that a finished gang ran in all; None where nobody knows."""
    admission, end = gang.status.admission, gang.status.finished_at
    if admission is None or not admission.admitted_at or not end:
        return None
    last = parse_rfc3339(end) - parse_rfc3339(admission.admitted_at)
    return max(last, 0.0) + gang.status.ran_seconds


def _text(kind: Kind) -> str:
    return "|".join(("declared" if kind[0] else "open", *map(str, kind[1:])))


def _kind(text: str) -> Kind:
    declared, *rest = text.split("|")
    return (declared == "declared", *rest)
