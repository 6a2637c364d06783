"""What is remembered of gangs that are over, also when they are deleted: history to replay.

One ConfigMap a day beside the scheduler's lease, an entry a gang: what it asked for, when it came,
how long it ran and what ended its runs, without what it ran. An entry's key is the gang's uid, so
writing it twice is writing it once. Bounded: of a day the first `MOST` gangs and `SIZE` characters
(of the others the number), `DAYS` days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from athanor.api import labels
from athanor.api.core import ConfigMap
from athanor.api.ends import PastRun
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, GangSpec, PodSet
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Action, Create, Delete, Patch

LABEL = "athanor.dev/history"
"""Label of the ConfigMaps; its value is the day."""
SUSPENDED = "Suspended"
"""The reason of a run that its user ended for a while: no eviction of the scheduler's."""
LEFT_OUT = "left-out"
"""The entry that says how many gangs of the day are not in it."""
MOST = 1500
SIZE = 900_000
"""A ConfigMap takes a mebibyte."""
DAYS = 14
EVERY = 60.0
"""Seconds between two writes."""

_CONFIG_MAPS = of(ConfigMap)
_POD = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead",
        "hostNetwork")  # fmt: skip
_CONTAINER = ("resources", "ports", "restartPolicy")


class Past(NamedTuple):
    """A gang that has run: the seconds of running it needs, and what ended its runs (see `PastRun`;
    no reason: it was deleted, or runs on). Of very many runs the last; none where nobody knows.
    """

    gang: Gang
    ran: float
    runs: tuple[PastRun, ...]
    evictions: int


class Recorder:
    """Writes down who is over. `home` is the namespace of the record; without one nothing is.

    After a restart those that are still there are written again, which changes nothing.
    """

    def __init__(self, home: str = "") -> None:
        self.home = home
        self._due: dict[str, dict[str, str]] = {}
        self._known: dict[str, dict[str, None]] = {}
        self._left_out: dict[str, int] = {}
        self._size: dict[str, int] = {}
        self._at = float("-inf")

    def __call__(self, over: Iterable[Gang], now: float) -> tuple[list[Action], list[float]]:
        """The writes, and seconds until the next ones."""
        for gang in over if self.home else ():
            self._take(gang, now)
        if not self._due:
            return [], []
        if now - self._at < EVERY:
            return [], [self._at + EVERY - now]
        due, self._due, self._at = self._due, {}, now
        return [action for day in due for action in self._write(day, due[day])], []

    def _take(self, gang: Gang, now: float) -> None:
        past = past_of(gang, now)
        if past is None:
            return
        day = day_of(parse_rfc3339(past.runs[-1].ended_at))
        if day <= day_before(day_of(now), DAYS):
            return
        known, uid = self._known.setdefault(day, {}), gang.metadata.uid
        if uid in known:
            return
        text = msgspec.json.encode(entry(past)).decode()
        size = self._size.get(day, 0) + len(uid) + len(text)
        if len(known) >= MOST or size > SIZE:
            self._left_out[day] = self._left_out.get(day, 0) + 1
            self._due.setdefault(day, {})[LEFT_OUT] = str(self._left_out[day])
            return
        known[uid], self._size[day] = None, size
        self._due.setdefault(day, {})[uid] = text

    def _write(self, day: str, data: Mapping[str, str]) -> Iterator[Action]:
        if day not in self._known:  # it became too old while its gangs waited to be written
            return
        first = len(self._known[day]) == sum(uid != LEFT_OUT for uid in data)
        yield from kept(self.home, day, data, first=first, latest=day == max(self._known))
        for old in [one for one in self._known if one <= day_before(day, DAYS)]:
            for some in (self._known, self._size, self._left_out):
                some.pop(old, None)


def kept(
    home: str, day: str, data: Mapping[str, str], more: str = "", *, first: bool,
    latest: bool = True,
) -> Iterator[Action]:  # fmt: skip
    """The writes of what is new of a day; the day's first also drops what is too old by then."""
    name = f"athanor-history-{day}{more}"
    if first:
        meta = {"name": name, "namespace": home, "labels": {LABEL: day}}
        manifest: JSON = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        yield Create(_CONFIG_MAPS, manifest)
    yield Patch(resource=_CONFIG_MAPS, name=name, namespace=home, body={"data": dict(data)})
    for past in range(DAYS, 2 * DAYS) if first and latest else ():
        old = f"athanor-history-{day_before(day, past)}{more}"
        yield Delete(resource=_CONFIG_MAPS, name=old, namespace=home)


def entry(past: Past) -> JSON:
    """A gang that is over, as it is remembered: it asks for the same, and runs nothing."""
    spec, meta = past.gang.spec, past.gang.metadata
    asked = GangSpec(
        pod_sets=[_pod_set(one) for one in spec.pod_sets], queue=spec.queue,
        priority_class_name=spec.priority_class_name, preemptible=spec.preemptible,
        pools=spec.pools, max_runtime_seconds=spec.max_runtime_seconds,
        estimated_runtime_seconds=spec.estimated_runtime_seconds, checkpoint=spec.checkpoint,
        within=spec.within, resize=spec.resize,
    )  # fmt: skip
    user = meta.annotations.get(labels.USER)
    return {
        "metadata": {
            "namespace": meta.namespace, "name": meta.name, "uid": meta.uid,
            "creationTimestamp": meta.creation_timestamp,
            **({"annotations": {labels.USER: user}} if user else {}),
        },
        "spec": to_manifest(asked),
        "ran": round(past.ran, 3),
        "runs": [to_manifest(run) for run in past.runs],
        "evictions": past.evictions,
    }  # fmt: skip


def remembered(records: Iterable[ConfigMap]) -> list[Past]:
    """The gangs of these records as they were submitted, and what became of them.

    What cannot be read is left out; entries of before there were runs have none.
    """
    found: dict[str, Past] = {}
    for record in records:
        for uid, text in record.data.items():
            if uid == LEFT_OUT:
                continue
            try:
                said: JSON = msgspec.json.decode(text)
                runs = msgspec.convert(said.get("runs", []), tuple[PastRun, ...])
                for run in runs:
                    parse_rfc3339(run.admitted_at), parse_rfc3339(run.ended_at)  # or it is unread
                gang = msgspec.convert(said, Gang)
                found[uid] = Past(gang, float(said["ran"]), runs, int(said.get("evictions", 0)))
            except (AttributeError, msgspec.DecodeError, KeyError, TypeError, ValueError):
                continue
    return list(found.values())


def left_out(records: Iterable[ConfigMap]) -> int:
    """How many gangs of these days were too many to be remembered."""
    said = [record.data.get(LEFT_OUT, "0") for record in records]
    return sum(int(text) for text in said if text.isdecimal())


def past_of(gang: Gang, now: float) -> Past | None:
    """What became of a gang until now; None where it never ran.

    What a run did before an eviction counts where the gang writes checkpoints, less the restart;
    else it began anew, and only the last run counts.
    """
    status, runs, admission = gang.status, list(gang.status.runs), gang.status.admission
    before = float(status.ran_seconds)
    if status.started_at:
        held = admission.admitted_at if admission is not None else ""
        runs.append(PastRun(
            admitted_at=held or status.started_at, ended_at=status.finished_at or rfc3339(now),
            reason=(status.reason or status.phase) if status.finished_at else "",
        ))  # fmt: skip
    if not runs:
        return None
    last = parse_rfc3339(runs[-1].ended_at) - parse_rfc3339(runs[-1].admitted_at)
    checkpoint = gang.spec.checkpoint
    restart = checkpoint.restart_seconds if checkpoint is not None else 0
    whole = (last if status.started_at else 0.0) + before - status.evictions * restart
    ran = max(last, whole if restart else 0.0, 1.0)
    aside = sum(run.reason == SUSPENDED for run in runs)
    return Past(gang, ran, tuple(runs), max(status.evictions - aside, 0))


def _pod_set(one: PodSet) -> PodSet:
    """The set with what of its template decides where it fits."""
    template: JSON = one.template
    spec: JSON = template.get("spec") or {}
    kept: JSON = {key: spec[key] for key in _POD if key in spec}
    for field in ("initContainers", "containers"):
        some = [{key: each[key] for key in _CONTAINER if key in each}
                for each in spec.get(field) or []]  # fmt: skip
        kept |= {field: some} if some else {}
    claims = [v for v in spec.get("volumes") or [] if "persistentVolumeClaim" in v]
    kept |= {"volumes": claims} if claims else {}
    mine = (template.get("metadata") or {}).get("labels")
    said = {"metadata": {"labels": mine}} if mine else {}
    return msgspec.structs.replace(one, template={**said, "spec": kept})


def day_of(at: float) -> str:
    """The day (UTC) of a time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def day_before(day: str, days: int) -> str:
    """So many days before a day."""
    return (datetime.fromisoformat(day) - timedelta(days=days)).strftime("%Y-%m-%d")
