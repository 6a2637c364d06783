"""What is remembered of gangs that are over, also when they are deleted: history to replay.

One ConfigMap a day beside the scheduler's lease, an entry a gang: what it asked for, when it came
and how long it ran, without what it ran. An entry's key is the gang's uid, so writing it twice is
writing it once. Bounded: of a day the first `MOST` gangs (of the others the number), `DAYS` days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from athanor.api import labels
from athanor.api.core import ConfigMap
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Gang, GangSpec, PodSet
from athanor.kit.times import parse_rfc3339
from athanor.runtime.plan import Action, Create, Delete, Patch

LABEL = "athanor.dev/history"
"""Label of the ConfigMaps; its value is the day."""
LEFT_OUT = "left-out"
"""The entry that says how many gangs of the day are not in it."""
MOST = 1500
DAYS = 14
EVERY = 60.0
"""Seconds between two writes."""

_CONFIG_MAPS = of(ConfigMap)
_POD = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead",
        "hostNetwork")  # fmt: skip
_CONTAINER = ("resources", "ports", "restartPolicy")


class Recorder:
    """Writes down who is over. `home` is the namespace of the record; without one nothing is.

    After a restart those that are still there are written again, which changes nothing.
    """

    def __init__(self, home: str = "") -> None:
        self.home = home
        self._due: dict[str, dict[str, str]] = {}
        self._known: dict[str, dict[str, None]] = {}
        self._left_out: dict[str, int] = {}
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
        if not gang.status.started_at:
            return
        end = lasted(gang, now)[1]
        if now - end >= DAYS * 86400:
            return
        day = _day(end)
        known, uid = self._known.setdefault(day, {}), gang.metadata.uid
        if uid in known:
            return
        if len(known) >= MOST:
            self._left_out[day] = self._left_out.get(day, 0) + 1
            self._due.setdefault(day, {})[LEFT_OUT] = str(self._left_out[day])
            return
        known[uid] = None
        self._due.setdefault(day, {})[uid] = msgspec.json.encode(entry(gang, now)).decode()

    def _write(self, day: str, data: Mapping[str, str]) -> Iterator[Action]:
        first = len(self._known[day]) == sum(uid != LEFT_OUT for uid in data)
        if first:
            meta = {"name": _name(day), "namespace": self.home, "labels": {LABEL: day}}
            yield Create(
                _CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
            )  # fmt: skip
        yield Patch(
            resource=_CONFIG_MAPS, name=_name(day), namespace=self.home, body={"data": dict(data)}
        )
        if first and day == max(self._known):
            last = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
            for past in range(DAYS, 2 * DAYS):
                old = (last - timedelta(days=past)).strftime("%Y-%m-%d")
                self._known.pop(old, None)
                yield Delete(resource=_CONFIG_MAPS, name=_name(old), namespace=self.home)


def entry(gang: Gang, now: float) -> JSON:
    """A gang that is over, as it is remembered: it asks for the same, and runs nothing."""
    spec, meta = gang.spec, gang.metadata
    kept = GangSpec(
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
        "spec": to_manifest(kept),
        "ran": round(lasted(gang, now)[0], 3),
    }  # fmt: skip


def remembered(records: Iterable[ConfigMap]) -> list[tuple[Gang, float]]:
    """The gangs of these records as they were submitted, and how long each ran.

    What cannot be read is left out.
    """
    found: dict[str, tuple[Gang, float]] = {}
    for record in records:
        for uid, text in record.data.items():
            if uid == LEFT_OUT:
                continue
            try:
                said: JSON = msgspec.json.decode(text)
                found[uid] = msgspec.convert(said, Gang), float(said["ran"])
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError):
                continue
    return list(found.values())


def left_out(records: Iterable[ConfigMap]) -> int:
    """How many gangs of these days were too many to be remembered."""
    said = [record.data.get(LEFT_OUT, "0") for record in records]
    return sum(int(text) for text in said if text.isdecimal())


def lasted(gang: Gang, now: float) -> tuple[float, float]:
    """How long a gang has run, in seconds, and until when."""
    begun = parse_rfc3339(gang.status.started_at or "")
    end = parse_rfc3339(gang.status.finished_at) if gang.status.finished_at else now
    return max(end - begun, 1.0), end


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


def _name(day: str) -> str:
    return f"athanor-history-{day}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
