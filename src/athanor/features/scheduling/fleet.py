"""What nodes there were, hour by hour: the machines to replay history on.

One ConfigMap a day beside that of the gangs that are over (see `record`), an entry an hour in which
something changed and for the day's first: how many nodes of which sort that could take pods, by the
labels somebody asks for, without names. Bounded: of very many sorts the most numerous ones, of the
others the number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from athanor.api.core import ConfigMap, Node
from athanor.api.meta import JSON, to_manifest
from athanor.features.scheduling.machines import Machine
from athanor.features.scheduling.near import HOSTNAME
from athanor.features.scheduling.nodes import (
    COST,
    MEMORY_LABELS,
    MODEL_LABELS,
    NAME,
    SLICES,
    is_closed,
)
from athanor.features.scheduling.observe import Observed
from athanor.features.scheduling.record import LABEL, day_of, kept, name_of
from athanor.runtime.plan import Action

HOUR = "nodes-"
"""How the key of an hour's entry begins."""
MOST = 35_000
"""So many characters an hour's entry may have, about: a ConfigMap has room for a day of them."""
EVERY = 600.0
"""Seconds between two writes."""
_OF_ITSELF = (*MODEL_LABELS, *MEMORY_LABELS, SLICES, COST)


class Fleets:
    """Writes down what nodes there are, when that has changed. `home` as that of the `Recorder`.

    An hour is as it was at its end; writing it twice is writing it once.
    """

    def __init__(self, home: str = "") -> None:
        self.home = home
        self._labels: frozenset[str] = frozenset()
        self._machines: Mapping[str, Machine] = {}
        self._what: tuple[str, frozenset[str]] = "", self._labels
        self._said, self._key = "", ""
        self._at = float("-inf")

    def __call__(self, seen: Observed, now: float) -> tuple[list[Action], list[float]]:
        """The writes, and seconds until the next ones."""
        if not self.home:
            return [], []
        self._labels |= {*seen.labels, *seen.snapshot.levels} - {HOSTNAME, NAME}
        for pool in seen.pools.values():
            self._labels |= pool.spec.node_selector.keys()
        day = day_of(now)
        there = self._written(seen.records, day)
        is_written = (day, self._labels) == self._what and self._key in (there or {})
        if seen.machines is self._machines and is_written:
            return [], []
        if now - self._at < EVERY:
            return [], [self._at + EVERY - now]
        self._machines, self._what, self._at = seen.machines, (day, self._labels), now
        said = _told(seen, self._labels)
        if said == self._said and is_written:
            return [], []
        self._said = said
        self._key = HOUR + datetime.fromtimestamp(now, UTC).strftime("%H")
        new = {self._key: said}
        return [*kept(self.home, day, new, "-nodes", is_there=there is not None)], []

    def _written(self, records: Iterable[ConfigMap], day: str) -> Mapping[str, str] | None:
        """What is there of a day, if anything is."""
        place = self.home, name_of(day, "-nodes")
        found = (r.data for r in records if (r.metadata.namespace, r.metadata.name) == place)
        return next(found, None)


def _told(seen: Observed, labels: frozenset[str]) -> str:
    """The nodes that take pods, by sort and by where they are, the most numerous first."""
    levels = labels & {*seen.snapshot.levels}
    wanted = labels | {*_OF_ITSELF}
    count: Counter[tuple[str, str]] = Counter()
    for machine in seen.machines.values():
        node = machine.node
        if is_closed(node):
            continue
        has = {key: text for key, text in node.metadata.labels.items() if key in wanted}
        sort: JSON = {
            "metadata": {"labels": {k: text for k, text in has.items() if k not in levels}},
            "spec": {"taints": [to_manifest(taint) for taint in node.spec.taints]},
            "status": {"allocatable": node.status.allocatable or node.status.capacity},
        }
        count[_text(sort), _text({k: text for k, text in has.items() if k in levels})] += 1
    sorts: dict[str, list[str]] = {}
    size, left = 0, 0
    for (sort_text, where), number in sorted(count.items(), key=lambda one: (-one[1], one[0])):
        size += len(where) + (len(sort_text) if sort_text not in sorts else 0)
        if size > MOST:
            left += number
        else:
            sorts.setdefault(sort_text, []).append(f"[{number},{where}]")
    rows = ",".join(f'{{"node":{one},"where":[{",".join(w)}]}}' for one, w in sorts.items())
    return f'{{"left":{left},"sorts":[{rows}]}}'


def _text(value: JSON) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def there(records: Iterable[ConfigMap], begin: float, end: float) -> list[Node]:
    """The nodes there were from `begin` to `end`, of each sort as many as on average; none where
    nothing of that time is remembered.

    What stands in the first entry counts as from `begin` on.
    """
    told = sorted(_entries(records), key=lambda one: one[0])
    weight: dict[tuple[str, str], float] = {}
    whole = 0.0
    for i, (at, sorts) in enumerate(told):
        since = begin if i == 0 else max(at, begin)
        until = min(told[i + 1][0] if i + 1 < len(told) else end, end)
        span = max(until - since, 0.0)
        whole += span
        for sort, number in sorts.items():
            weight[sort] = weight.get(sort, 0.0) + number * span
    if not whole:
        return []
    found = [sort for sort, part in sorted(weight.items()) for _ in range(round(part / whole))]
    return [_node(*sort, f"past-{i}") for i, sort in enumerate(found)]


def _entries(
    records: Iterable[ConfigMap],
) -> Iterator[tuple[float, dict[tuple[str, str], int]]]:
    """Since when how many nodes there were of which sort; what cannot be read is left out."""
    for record in records:
        day = record.metadata.labels.get(LABEL, "")
        for key, text in record.data.items():
            if not key.startswith(HOUR):
                continue
            try:
                at = datetime.fromisoformat(f"{day}T{key.removeprefix(HOUR)}:00:00+00:00")
                said: JSON = msgspec.json.decode(text)
                sorts = {
                    (_text(sort["node"]), _text(where)): int(number)
                    for sort in said["sorts"] for number, where in sort["where"]
                }  # fmt: skip
                for sort, where in sorts:
                    _node(sort, where, "")
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError):
                continue
            yield at.timestamp(), sorts


def _node(sort: str, where: str, name: str) -> Node:
    """One node of a sort."""
    node, placed = msgspec.json.decode(sort, type=Node), msgspec.json.decode(where)
    labels = {**node.metadata.labels, **placed, HOSTNAME: name}
    meta = msgspec.structs.replace(node.metadata, name=name, labels=labels)
    return msgspec.structs.replace(node, metadata=meta)
