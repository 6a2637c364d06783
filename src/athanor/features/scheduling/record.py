"""What is remembered of gangs that are over, also when they are deleted: history to replay.

One ConfigMap a day beside the scheduler's lease, an entry a gang: what it asked for, when it came,
how long it ran and what ended its runs, without what it ran. An entry's key is the gang's uid, so
writing it twice is writing it once. Bounded: of a day the first `MOST` gangs and `SIZE` bytes (of
the others the number), `DAYS` days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from athanor.api import labels, processes
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
"""A ConfigMap takes a mebibyte. For a moment two may lead: the second has not seen yet what the
first wrote last.
"""
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

    What is not seen in the record is written again: a write that failed loses nothing, and after a
    restart those that are still there change nothing. What others wrote before counts, so a day has
    room in its ConfigMap whoever leads.
    """

    def __init__(self, home: str = "") -> None:
        self.home = home
        self._due: dict[str, dict[str, str]] = {}
        self._at = float("-inf")
        self._is_new = True

    def __call__(
        self, over: Iterable[Gang], records: Iterable[ConfigMap], now: float
    ) -> tuple[list[Action], list[float]]:
        """The writes, and seconds until the next ones. `records` as they are kept (see `lean`)."""
        if not self.home:
            return [], []
        mine = {one.metadata.name: one for one in records if one.metadata.namespace == self.home}
        oldest = day_before(day_of(now), DAYS - 1)
        self._settle(mine, oldest)
        self._take(over, mine, oldest, now)
        if not self._due:
            return [], []
        if now - self._at < EVERY:
            return [], [self._at + EVERY - now]
        self._at = now
        made = [
            action for day, data in self._due.items()
            for action in kept(self.home, day, data, is_there=name_of(day) in mine)
        ]  # fmt: skip
        old = (name for name, one in mine.items() if one.metadata.labels.get(LABEL, "") < oldest)
        made += [Delete(resource=_CONFIG_MAPS, name=name, namespace=self.home) for name in old]
        return made, []

    def _settle(self, mine: Mapping[str, ConfigMap], oldest: str) -> None:
        """What stands in the record, or is too old for it, is not due any more."""
        waiting = {
            day: {uid: text for uid, text in data.items() if not _stands(uid, text, mine, day)}
            for day, data in self._due.items() if day >= oldest
        }  # fmt: skip
        self._due = {day: data for day, data in waiting.items() if data}

    def _take(
        self, over: Iterable[Gang], mine: Mapping[str, ConfigMap], oldest: str, now: float
    ) -> None:
        """Who is over gets in line for his day, as long as that has room."""
        used: dict[str, tuple[int, int]] = {}
        for gang in over:
            past = past_of(gang, now)
            day = day_of(parse_rfc3339(past.runs[-1].ended_at)) if past is not None else ""
            there, due = _data(mine, day), self._due.get(day, {})
            uid = gang.metadata.uid
            if past is None or day < oldest or uid in there or uid in due:
                continue
            count, size = used[day] if day in used else _used(there, due)
            text = msgspec.json.encode(entry(past)).decode()
            more = _size(uid, text)
            if count < MOST and size + more <= SIZE:
                used[day] = count + 1, size + more
                self._due.setdefault(day, {})[uid] = text
            elif not (self._is_new and LEFT_OUT in there):  # else who led before has counted it
                number = max(int(some.get(LEFT_OUT, "0")) for some in (there, due)) + 1
                self._due.setdefault(day, {})[LEFT_OUT] = str(number)
        self._is_new = False


def lean(record: ConfigMap) -> ConfigMap:
    """A record as it is kept in memory: of an entry how many bytes it has."""
    sizes = {
        key: text if key == LEFT_OUT else str(_size(key, text)) for key, text in record.data.items()
    }  # fmt: skip
    return msgspec.structs.replace(record, data=sizes)


def _size(key: str, text: str) -> int:
    """What an entry takes of its ConfigMap, in bytes."""
    return len(key.encode()) + len(text.encode())


def _data(mine: Mapping[str, ConfigMap], day: str) -> Mapping[str, str]:
    return mine[name_of(day)].data if name_of(day) in mine else {}


def _stands(uid: str, text: str, mine: Mapping[str, ConfigMap], day: str) -> bool:
    there = _data(mine, day)
    return there.get(uid) == text if uid == LEFT_OUT else uid in there


def _used(there: Mapping[str, str], due: Mapping[str, str]) -> tuple[int, int]:
    """How many gangs of a day there are, and the bytes they take."""
    sizes = [int(text) for key, text in there.items() if key != LEFT_OUT]
    sizes += [_size(key, text) for key, text in due.items() if key != LEFT_OUT]
    return len(sizes), sum(sizes)


def kept(
    home: str, day: str, data: Mapping[str, str], more: str = "", *, is_there: bool
) -> Iterator[Action]:
    """The writes of what is new of a day."""
    name = name_of(day, more)
    if not is_there:
        meta = {"name": name, "namespace": home, "labels": {LABEL: day}}
        manifest: JSON = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        yield Create(_CONFIG_MAPS, manifest)
    yield Patch(resource=_CONFIG_MAPS, name=name, namespace=home, body={"data": dict(data)})


def name_of(day: str, more: str = "") -> str:
    """The name of a day's ConfigMap."""
    return f"athanor-history-{day}{more}"


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
    if needed := processes.tolerations(spec):
        kept["tolerations"] = needed  # the images, which say so, are not kept
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
