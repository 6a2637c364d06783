"""Events: one set of objects, shown as core/v1 and as events.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import wrong
from athanor.local.apiserver.kinds.base import Strategy
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


def _check(event: JSON) -> list[Cause]:
    about = event.get("involvedObject") or {}
    namespace = event["metadata"].get("namespace", "")
    asked = about.get("namespace", "")
    if asked != namespace and not (not asked and namespace == "default"):
        return [wrong("involvedObject.namespace", asked, "does not match event.namespace")]
    return []


STRATEGIES: Mapping[str, Strategy] = {
    "events": Strategy(
        default=_default, check=_check, create_on_update=True, name=names.path_segment
    )
}
