"""What happened: the Events of a namespace, or of one object with its gang and pods.

A name may have been another object's before: its Events are kept for as long as any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from athanor.api.core import Event, Node, Pod
from athanor.api.meta import JSON, ObjectReference
from athanor.api.reach import workspace_gang
from athanor.api.registry import Resource, by_kind, of
from athanor.api.scheduling import Gang
from athanor.api.training import TrainingJob
from athanor.api.workspaces import Workspace
from athanor.kit.times import parse_rfc3339
from athanor.sdk import adopters
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

MAKERS = (of(TrainingJob), of(Gang), of(Workspace))
"""Kinds that have ranks."""

Fits = Callable[[ObjectReference], bool]


class _There(Struct):
    """What of a name there is now: uids, since when, by which names its gangs and pods go, and
    whether it is of ours.
    """

    uids: set[str]
    since: float
    names: set[str]
    ours: bool = False


def events(
    scope: Scope, *, about: str = "", kind: Resource | None = None, earlier: bool = False,
    namespace: str | None = None, everywhere: bool = False,
) -> Op[list[Event]]:  # fmt: skip
    """Events, oldest first; `about` keeps those of the object of that name, its gang and its pods,
    with a `kind` those of the object alone.

    Without `earlier` those of objects that had the name before are left out, unless there is none
    of it now.
    """
    where = None if everywhere else (namespace or scope.namespace)
    page = yield from ask(calls.list_(Event, where))
    found = sorted(page.items, key=happened)
    if not about:
        return found
    kept: list[Event] = []
    for place in sorted({event.metadata.namespace for event in found}):
        there = [event for event in found if event.metadata.namespace == place]
        kept += yield from _about(there, about, kind, place, earlier=earlier)
    return sorted(kept, key=happened)


def _about(
    found: Iterable[Event], name: str, kind: Resource | None, where: str, *, earlier: bool
) -> Op[list[Event]]:
    """Of the events of one namespace those that are about a name."""
    if kind is not None:
        mine = [e for e in found if _is_of(e.involved_object, name, kind)]
        there = yield from _there(name, [kind], where)
    else:
        named = {_kind(e.involved_object) for e in found if e.involved_object.name == name}
        others = [one for one in named if one is not None and one not in MAKERS]
        there = yield from _there(name, [*MAKERS, *others], where)
        if not there.ours:
            there = yield from _adopted(name, there, where)
        fits = _fits(there.names)
        mine = [e for e in found if fits(e.involved_object)]
    if earlier or not there.uids:
        return mine
    before = {e.involved_object.uid for e in mine if _begun(e) < there.since} - there.uids
    return [e for e in mine if e.involved_object.uid in there.uids or _is_young(e, there, before)]


def _is_of(object_: ObjectReference, name: str, kind: Resource) -> bool:
    return object_.name == name and object_.kind == kind.kind


def _kind(object_: ObjectReference) -> Resource | None:
    return by_kind(object_.api_version, object_.kind)


def _fits(names: Collection[str]) -> Fits:
    """Whether an object has one of the names, or is a rank's pod of a gang of such a name."""
    gangs = "|".join(re.escape(name) for name in sorted(names))
    rank = re.compile(rf"(?:{gangs})-[a-z0-9]+-[0-9]+")
    return lambda o: o.name in names or (o.kind == "Pod" and rank.fullmatch(o.name) is not None)


def _there(name: str, kinds: Iterable[Resource], where: str) -> Op[_There]:
    """What there is of a name; objects that one may not see are as good as gone."""
    there = _There(set(), 0.0, {name})
    begun = []
    for kind in kinds:
        place = where if kind.namespaced else None
        try:
            found: JSON = yield from ask(calls.raw("GET", kind.path(place, name)))
        except ApiError as error:
            if error.reason not in ("NotFound", "Forbidden"):
                raise
            continue
        meta = found["metadata"]
        there.uids |= {meta["uid"], *([name] if kind == of(Node) else [])}  # as kubelets call it
        begun.append(parse_rfc3339(meta["creationTimestamp"]))
        there.ours |= kind in MAKERS
        if kind == of(Workspace):
            there.names.add(workspace_gang(name))
    there.since = min(begun, default=0.0)
    return there


def _adopted(name: str, there: _There, where: str) -> Op[_There]:
    """With the gang that adopted the pods of a Job, Deployment or other maker of that name."""
    gang = yield from adopters.of(name, where)
    if gang is not None:
        pods = {pod for some in gang.spec.adopts.values() for pod in some}
        there.names |= {gang.metadata.name, *pods}
        there.uids.add(gang.metadata.uid)
        there.since = there.since or parse_rfc3339(gang.metadata.creation_timestamp or "")
    return there


def _is_young(event: Event, there: _There, before: Collection[str]) -> bool:
    """Whether it is about a part that may be gone, a pod of an earlier attempt for instance."""
    about = event.involved_object
    whole = about.name in there.names and about.kind != of(Pod).kind
    return not whole and about.uid not in before and _seen(event) >= there.since


def _begun(event: Event) -> float:
    stamp = event.first_timestamp or event.event_time
    return parse_rfc3339(stamp) if stamp else _seen(event)


def _seen(event: Event) -> float:
    stamp = event.last_timestamp or event.event_time
    return parse_rfc3339(stamp) if stamp else 0.0


def happened(event: Event) -> tuple[str, int]:
    """When an event was last seen. Of one second the first written comes first: resource versions
    can be compared (KEP-5504).
    """
    version = event.metadata.resource_version
    stamp = event.last_timestamp or event.event_time or ""
    return stamp, int(version) if version.isdecimal() else 0
