"""What namespaces allow: ResourceQuotas and LimitRanges, looked at for the whole gang.

A quota would let some of a gang's pods in and refuse the rest; so a gang is admitted only if all of
its pods will be let in, beside those that are there and those that admitted gangs have still to
make. Namespaces without such objects cost nothing.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from athanor.api import labels
from athanor.api.core import LimitRange, Pod, PriorityClass, ResourceQuota
from athanor.api.meta import JSON, to_manifest
from athanor.api.scheduling import Gang, PodSet
from athanor.features.scheduling.core.snapshot import Admit, Decisions, Move, Placed, Snapshot
from athanor.features.scheduling.core.why import Code
from athanor.features.scheduling.gangs import Refused, holds, key_of
from athanor.kit.quantity import Quantity, parse
from athanor.runtime.cache import Cache, Key, World
from athanor.runtime.indexes import PODS_OF_GANG
from athanor.wire import rations

One = TypeVar("One", Admit, Move)
SERVICES = ("services", "count/services")
Counts = Mapping[str, int]
"""Pods by the name of their pod set."""


class Room(Struct, frozen=True):
    """A namespace's quotas and ranges by name, and what each quota has left in nano-units, beside
    what admitted gangs have still to make. `usual` is the priority class of pods that name none.
    """

    quotas: Mapping[str, JSON]
    ranges: Mapping[str, JSON]
    left: Mapping[str, Mapping[str, int]]
    usual: str = ""


class Allotments:
    """The room of each namespace that has quotas or ranges, kept as it changes.

    `ranged` are the namespaces whose ranges were others at the last look.
    """

    def __init__(self) -> None:
        self.ranged: set[str] = set()
        self._quotas: dict[str, dict[str, JSON]] = {}
        self._ranges: dict[str, dict[str, JSON]] = {}
        self._usual = ""
        self.rooms: Mapping[str, Room] = {}

    def look(self, world: World, fresh: Mapping[type, Iterable[Key]]) -> set[str]:
        """Take changes in; the namespaces whose gangs have to be judged anew."""
        self.ranged = _take(world.cache(LimitRange), fresh[LimitRange], self._ranges)
        changed = _take(world.cache(ResourceQuota), fresh[ResourceQuota], self._quotas)
        changed |= self.ranged
        known = {*self._quotas, *self._ranges}
        if fresh[PriorityClass]:
            classes = world.cache(PriorityClass)
            self._usual = next((c.metadata.name for c in classes if c.global_default), "")
            changed |= known
        if known:
            changed |= known & {key.namespace for view in (Gang, Pod) for key in fresh[view]}
        return changed

    def filled(self, gang: Gang) -> Gang:
        """The gang with what its namespace's ranges add to what its pods ask for."""
        ranges = self._ranges.get(gang.metadata.namespace)
        if not ranges or gang.spec.adopts:  # pods that are there have been filled
            return gang
        try:
            sets = [_filled(gang, one, ranges.values()) for one in gang.spec.pod_sets]
        except (ValueError, TypeError, AttributeError):
            return gang  # its template is no pod's: who reads it says so
        spec = msgspec.structs.replace(gang.spec, pod_sets=sets)
        return msgspec.structs.replace(gang, spec=spec)

    def measure(self, namespace: str, gangs: Iterable[Gang], pods: Cache[Pod]) -> Room | None:
        """The room of a namespace with these gangs; None when it has no limits."""
        quotas, ranges = self._quotas.get(namespace, {}), self._ranges.get(namespace, {})
        rooms = {name: room for name, room in self.rooms.items() if name != namespace}
        if quotas or ranges:
            left = {name: _left(quota) for name, quota in quotas.items()}
            made = Room(dict(quotas), dict(ranges), left, self._usual)
            for gang in gangs:
                if holds(gang) and not gang.spec.adopts:  # pods of others are there
                    there = [*pods.by(PODS_OF_GANG, key_of(gang))]
                    serves = gang.spec.service and not there
                    made = _after(gang, _missing(gang, there), made, serves=serves)
            rooms[namespace] = made
        self.rooms = rooms
        return rooms.get(namespace)


def refusal(gang: Gang, room: Room) -> Refused | None:
    """Why the gang may not have the least of its pods now."""
    if gang.spec.adopts:
        return None  # its pods are there
    counts = {one.name: one.min_count or one.count for one in gang.spec.pod_sets}
    try:
        return _refusal(gang, counts, room)
    except (ValueError, TypeError, AttributeError):
        return None  # the server will tell it of the pods


def keep(
    rooms: Mapping[str, Room], gangs: Mapping[str, Gang], s: Snapshot, decisions: Decisions
) -> Decisions:
    """The decisions without what would be too much for a namespace together with the others: an
    elastic gang starts with as many pods as are let in, or grows no further.
    """
    if not rooms:
        return decisions
    rooms = dict(rooms)

    def fitting(one: Admit | Move) -> tuple[Placed, ...] | None:
        gang = gangs[s.gangs.names[one.gang]]
        room = rooms.get(gang.metadata.namespace)
        if room is None or gang.spec.adopts:
            return one.placed
        admission = gang.status.admission
        there = Counter({p.pod_set: p.count for p in admission.placements} if admission else {})
        wanted = Counter({s.pod_sets.names[p.pod_set]: len(p.nodes) for p in one.placed})
        counts = _most(gang, wanted, there, room)
        if counts is None:
            return None
        rooms[gang.metadata.namespace] = _after(gang, counts - there, room, serves=_serves(gang))
        return tuple(_first(p, counts[s.pod_sets.names[p.pod_set]]) for p in one.placed)

    def kept(some: tuple[One, ...]) -> tuple[One, ...]:
        fits = [(one, fitting(one)) for one in some]
        return tuple(dataclasses.replace(one, placed=p) for one, p in fits if p is not None)

    return dataclasses.replace(
        decisions, admitted=kept(decisions.admitted), moved=kept(decisions.moved)
    )


def _most(
    gang: Gang, wanted: Counter[str], there: Counter[str], room: Room
) -> Counter[str] | None:  # fmt: skip
    """As many pods as are let in beside those that are there, none of the least missing."""
    counts = Counter(wanted)
    if _refusal(gang, counts - there, room) is None:
        return counts
    for one in gang.spec.pod_sets:
        least = max(one.min_count or wanted[one.name], there[one.name])
        sizes = range(least, wanted[one.name])

        def refused(size: int, name: str = one.name) -> bool:
            return _refusal(gang, Counter({**counts, name: size}) - there, room) is not None

        counts[one.name] = least + max(0, bisect_left(sizes, True, key=refused) - 1)
    return counts if _refusal(gang, counts - there, room) is None else None


def _first(placed: Placed, count: int) -> Placed:
    """The places of the first ranks."""
    return dataclasses.replace(
        placed, nodes=placed.nodes[:count], devices=placed.devices[:count],
        slots=placed.slots[:count],
    )  # fmt: skip


def _left(quota: JSON) -> dict[str, int]:
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = (quota.get("status") or {}).get("used") or {}
    return {what: parse(most).nano - parse(used.get(what, "0")).nano for what, most in hard.items()}


def _missing(gang: Gang, there: Iterable[Pod]) -> Counts:
    """The pods that an admitted gang has still to make."""
    admission = gang.status.admission
    wanted = Counter({p.pod_set: p.count for p in admission.placements} if admission else {})
    return wanted - Counter(pod.metadata.labels.get(labels.POD_SET, "") for pod in there)


def _made(gang: Gang, counts: Counts, room: Room) -> Iterator[tuple[JSON, int]]:
    """Each pod set's pod as the namespace's ranges will have it, and how many."""
    for pod_set in gang.spec.pod_sets:
        count = counts.get(pod_set.name, 0)
        if count > 0:
            pod = _pod(gang, pod_set, room.ranges.values())
            if room.usual:
                pod["spec"].setdefault("priorityClassName", room.usual)
            yield pod, count


def _serves(gang: Gang) -> bool:
    """Whether it has a Service still to make: it has none before it starts for the first time."""
    status = gang.status
    return gang.spec.service and status.admission is None and not status.evictions


def _after(gang: Gang, counts: Counts, room: Room, *, serves: bool) -> Room:
    """The room when the gang has so many more pods, and `serves`: its Service."""
    left = {name: dict(amounts) for name, amounts in room.left.items()}
    for name, quota in room.quotas.items():
        for what in SERVICES if serves and not rations.scoped(quota) else ():
            if what in left[name]:
                left[name][what] -= rations.ONE
    for pod, count in _made(gang, counts, room):
        for name, quota in room.quotas.items():
            if rations.covers(quota, pod):
                for what, amount in rations.of_pod(pod).items():
                    if what in left[name]:
                        left[name][what] -= count * amount
    return msgspec.structs.replace(room, left=left)


def _refusal(gang: Gang, counts: Counts, room: Room) -> Refused | None:
    for pod, _ in _made(gang, counts, room):
        if wrong := rations.broken(pod, room.ranges.values()):
            return Refused(Code.INVALID_REQUEST, f"a LimitRange of its namespace: {wrong[0]}")
        for name, quota in room.quotas.items():
            if rations.covers(quota, pod) and (said := rations.unsaid(room.left[name], pod)):
                text = f"quota {name} of its namespace: its pods must specify {said}"
                return Refused(Code.INVALID_REQUEST, text)
    after = _after(gang, counts, room, serves=_serves(gang))
    for name, left in after.left.items():
        for what, amount in left.items():
            has = room.left[name][what]
            if amount < 0 and amount < has:
                form = parse(room.quotas[name]["spec"]["hard"][what]).form
                return Refused(
                    Code.NAMESPACE_QUOTA,
                    f"quota {name} of its namespace has {Quantity(max(has, 0), form)} {what} left; "
                    f"the gang asks for {Quantity(has - amount, form)}",
                )
    return None


def _take(
    cache: Cache[ResourceQuota] | Cache[LimitRange], keys: Iterable[Key],
    held: dict[str, dict[str, JSON]],
) -> set[str]:  # fmt: skip
    touched = set()
    for key in keys:
        found = cache.get(key)
        names = held.setdefault(key.namespace, {})
        names.pop(key.name, None)
        if found is not None:
            names[key.name] = to_manifest(found)
        if not names:
            del held[key.namespace]
        touched.add(key.namespace)
    return touched


def _filled(gang: Gang, pod_set: PodSet, ranges: Iterable[JSON]) -> PodSet:
    spec = _pod(gang, pod_set, ranges)["spec"]
    return msgspec.structs.replace(pod_set, template={**pod_set.template, "spec": spec})


def _pod(gang: Gang, pod_set: PodSet, ranges: Iterable[JSON]) -> JSON:
    """A pod of the set as the server will have it: a limit is a request, too, before ranges fill in
    what is missing, and the gang's priority is its own."""
    spec = dict(pod_set.template.get("spec") or {})
    for field in ("containers", "initContainers"):
        if spec.get(field):
            spec[field] = [{**one, "resources": _asking(one)} for one in spec[field]]
    if gang.spec.priority_class_name:
        spec.setdefault("priorityClassName", gang.spec.priority_class_name)
    pod = {"metadata": {}, "spec": spec}
    rations.fill(pod, ranges)
    return pod


def _asking(container: JSON) -> JSON:
    resources = dict(container.get("resources") or {})
    if limits := resources.get("limits"):
        resources["requests"] = {**limits, **(resources.get("requests") or {})}
    return resources
