"""What `visibility.athanor.dev` tells of a gang, as sentences and as options of the next try.

Where nobody serves it (no scheduler of ours, no rights) nothing is told, and nothing fails.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from athanor.api.meta import Base
from athanor.api.scheduling import Reason
from athanor.api.visibility import (
    API_VERSION,
    Change,
    GangChanges,
    GangStart,
    GangVisibility,
    Holder,
    Span,
)
from athanor.kit.spans import show_span
from athanor.kit.times import parse_rfc3339
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

T = TypeVar("T", bound=Base)

SILENT = ("NotFound", "ServiceUnavailable", "Forbidden")
"""Refusals that mean: nothing is known here."""

OPTIONS = {
    "FewerPods": "--workers", "FewerDevices": "--gpus", "OtherPool": "--pool",
    "OtherQueue": "--queue", "ShorterLimit": "--max-runtime",
}  # fmt: skip
"""The option of `athanor submit` that makes a change."""


class Seen(Struct, frozen=True, kw_only=True):
    """All that is known of one gang beyond its own status."""

    gang: GangVisibility
    start: GangStart | None = None
    changes: GangChanges | None = None


def seen(name: str, namespace: str) -> Op[Seen | None]:
    """Ask about a gang; None when nothing is known of it. Changes are asked for who waits."""
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/gangs/{name}"
    gang = yield from _one(path, GangVisibility)
    if gang is None:
        return None
    if gang.state != "Waiting":
        return Seen(gang=gang)
    start = yield from _one(f"{path}/start", GangStart)
    changes = yield from _one(f"{path}/changes", GangChanges)
    return Seen(gang=gang, start=start, changes=changes)


def _one(path: str, view: type[T]) -> Op[T | None]:
    try:
        found = yield from ask(calls.raw("GET", path))
    except ApiError as error:
        if error.reason not in SILENT:
            raise
        return None
    return msgspec.convert(found, view)


def waiting(told: Seen) -> tuple[list[str], list[str]]:
    """(facts, ways out) of a gang that waits."""
    at, facts = told.gang.position, []
    if at is not None:
        facts.append(f"place {at.place} of {at.waiting} in the line of queue {at.queue}")
    facts += _held(told.gang.holders)
    if told.start is not None and told.start.half is not None:
        facts.append(_start(told.start, told.start.half))
    elif told.start is not None and told.start.message:
        facts.append(f"when it starts: {told.start.message}")
    ways = [way(change) for change in (told.changes.changes if told.changes else [])]
    return facts, ways + [hint for hint in told.gang.hints if not ways or "wait" in hint]


def here(reasons: list[Reason]) -> list[str]:
    """Why a running gang is where it is."""
    return [reason.message for reason in reasons]


def way(change: Change) -> str:
    """A change as something to do."""
    option = OPTIONS.get(change.kind)
    if option is None:
        return change.message
    unit = "s" if change.kind == "ShorterLimit" else ""
    return f"submit it with {option} {change.value}{unit}: {change.message}"


def _held(holders: list[Holder]) -> list[str]:
    if not holders:
        return []
    first = holders[0]
    told = [
        f"queue {one.queue}: {one.used}"
        + (f" (deserves {one.deserved})" if one.deserved != "0" else "")
        for one in holders
    ]
    return [f"{first.resource} of pool {first.pool} is used by " + ", ".join(told)]


def _start(start: GangStart, half: Span) -> str:
    text = f"it will probably start {_span(half, start.as_of)}"
    if start.most is not None:
        text += f", nine times in ten {_span(start.most, start.as_of)}"
    return f"{text} ({start.message})" if start.message else text


def _span(span: Span, now: str) -> str:
    begin = max(parse_rfc3339(span.earliest) - parse_rfc3339(now), 0.0)
    if span.latest is None:
        return f"in {show_span(begin)} or later"
    end = max(parse_rfc3339(span.latest) - parse_rfc3339(now), 0.0)
    return f"in {show_span(begin)} to {show_span(end)}"
