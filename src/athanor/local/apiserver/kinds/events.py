"""Events: one set of objects, shown as core/v1 and as events.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import required, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_NAMES: tuple[tuple[str, str], ...] = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)
"""Fields of core/v1 and what events.k8s.io/v1 calls them."""
_TO_NEW = dict(_NAMES)
_TO_CORE = {new: core for core, new in _NAMES}


def to_new(event: JSON) -> JSON:
    """A core/v1 event as events.k8s.io/v1 shows it."""
    shown = {_TO_NEW.get(key, key): value for key, value in event.items()}
    return {**shown, "apiVersion": "events.k8s.io/v1"}


def to_core(event: JSON) -> JSON:
    """An events.k8s.io/v1 event as it is stored."""
    stored = {_TO_CORE.get(key, key): value for key, value in event.items()}
    return {**stored, "apiVersion": "v1"}


def shown(body: bytes) -> bytes:
    """A stored event's JSON as events.k8s.io/v1."""
    return msgspec.json.encode(to_new(msgspec.json.decode(body)))


def _default(event: JSON) -> None:
    event.setdefault("source", {})
    for name in ("eventTime", "firstTimestamp", "lastTimestamp"):
        event.setdefault(name, None)
    for name in ("reportingComponent", "reportingInstance"):
        event.setdefault(name, "")


_LIMITS = (("reportingInstance", 128), ("action", 128), ("reason", 128))
_NOTE_LIMIT = 1024
_ANYWHERE = ("default", "kube-system")
_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count",
    "type", "eventTime", "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
_UNSET: tuple[tuple[str, object], ...] = (
    ("firstTimestamp", None),
    ("lastTimestamp", None),
    ("count", 0),
    ("source", {}),
)
"""What only events of old say: fields of events.k8s.io/v1 that a new one may not set."""


def _check(event: JSON) -> list[Cause]:
    return _legacy(event, "reportingComponent")


def _legacy(event: JSON, reporter: str) -> list[Cause]:
    """What is wrong with an event of either API; `reporter`: what that calls the controller."""
    namespace = event["metadata"].get("namespace", "")
    asked = (event.get("involvedObject") or {}).get("namespace", "")
    path, detail = "involvedObject.namespace", "does not match event.namespace"
    causes = list[Cause]()
    if not event.get("eventTime"):
        if asked != namespace and not (not asked and namespace == "default"):
            causes.append(wrong(path, asked, detail))
        return causes
    if not asked and namespace not in _ANYWHERE:
        causes.append(wrong(path, asked, detail))
    name = event.get("reportingComponent") or ""
    if not name:
        causes.append(required(reporter))
    causes += [wrong(reporter, name, problem) for problem in key_problems(name)]
    for field, limit in _LIMITS:
        if not (said := event.get(field) or ""):
            causes.append(required(field))
        if len(said) > limit:
            causes.append(wrong(field, "", f"can have at most {limit} characters"))
    if len(event.get("message") or "") > _NOTE_LIMIT:
        causes.append(wrong("message", "", f"can have at most {_NOTE_LIMIT} characters"))
    return causes


def _check_series(event: JSON) -> list[Cause]:
    series, causes = event.get("series"), list[Cause]()
    if series is not None:
        if (series.get("count") or 0) < 2:
            causes.append(wrong("series.count", "", "should be at least 2"))
        if not series.get("lastObservedTime"):
            causes.append(required("series.lastObservedTime"))
    return causes


def _check_new(event: JSON) -> list[Cause]:
    """A new event of events.k8s.io/v1, as it is stored."""
    causes = [*_legacy(event, "reportingController"), *_check_series(event)]
    if not event.get("eventTime"):
        causes.append(required("eventTime"))
    if (kind := event.get("type") or "") not in ("Normal", "Warning"):
        causes.append(wrong("type", "", f"has invalid value: {kind}"))
    causes += [
        wrong(field, "", "needs to be unset")
        for field, nothing in _UNSET
        if (event.get(field) or nothing) != nothing
    ]
    return causes


def _check_update(new: JSON, old: JSON) -> list[Cause]:
    """An event of events.k8s.io/v1 tells of one thing for good; only its series grows."""
    causes = _check_series(new) if new.get("series") != old.get("series") else []
    for field in _FIXED:
        if (new.get(field) or None) != (old.get(field) or None):
            name = "reportingController" if field == "reportingComponent" else field
            causes.append(wrong(name, new.get(field), "field is immutable"))
    return causes


STRATEGIES: Mapping[str, Strategy] = {
    "events": Strategy(
        default=_default, check=_check, create_on_update=True, name=names.path_segment
    ),
    "events.events.k8s.io": Strategy(
        default=_default,
        check=lambda event: _legacy(event, "reportingController"),
        check_new=_check_new,
        check_update=_check_update,
        create_on_update=True,
    ),
}
