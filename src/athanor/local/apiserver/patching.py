"""PATCH: which kind of patch, and what it makes of the stored object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from athanor.api.meta import JSON
from athanor.local.apiserver import body, errors, write
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.wire.patch import apply as server_side
from athanor.wire.patch.json_patch import json_patch
from athanor.wire.patch.merge import merge_patch
from athanor.wire.patch.strategic import strategic
from athanor.wire.status import ApiError, Cause

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_TRIES = 3


async def patch(core: Core, call: Call) -> Outcome:
    """Change an object as the patch in the body says."""
    if body.media_type(call.request.headers.get("content-type")) == APPLY:
        return await apply(core, call, call, (_same, _same))
    return await write.change(core, call, reader(call))


def reader(call: Call) -> Callable[[JSON], JSON]:
    """The patch of a request as a function of the stored object. Raises ApiError."""
    media = body.media_type(call.request.headers.get("content-type"))
    known = (JSON_PATCH, MERGE) if call.served.custom else (JSON_PATCH, MERGE, STRATEGIC)
    if media not in known:
        raise ApiError(
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join((*known, APPLY)),
        )
    if call.request.param("force"):
        cause = errors.not_allowed("force", "may not be specified for non-apply patch")
        raise errors.options("PatchOptions", [cause])
    raw = call.request.body
    wanted = _parsed(raw, media, call.resource.kind)
    twice = body.duplicates(raw, wanted) if call.validation != "Ignore" else ()
    said = [f'duplicate field "{path}"' for path in twice]
    return lambda old: _changed(call, media, old, wanted, said)


def _parsed(raw: bytes, media: str, kind: str) -> Any:
    try:
        return body.parse(raw, media, kind)
    except ApiError as wrong:
        if wrong.reason != "BadRequest":
            raise
        raise errors.bad(f"error decoding patch: {wrong.message.rpartition('; ')[2]}") from None


def _changed(call: Call, media: str, old: JSON, wanted: Any, said: Sequence[str]) -> JSON:
    if media == JSON_PATCH:
        new = json_patch(old, wanted)
    elif media == MERGE:
        new = merge_patch(old, wanted)
    else:
        new = strategic(old, wanted, write.source_of(call))
    if not isinstance(new, dict):
        raise errors.bad("the patched object is no JSON object")
    try:
        write.check_type(call, new)
        write.strict(call, new, said)
    except ApiError as wrong:
        cause = Cause(reason="FieldValueInvalid", message=wrong.message, field="patch")
        name = call.target.name
        raise ApiError(
            "Invalid", f'{call.resource.kind} "{name}" is invalid: patch: {wrong.message}',
            causes=[cause],
        ) from None  # fmt: skip
    if not (new.get("metadata") or {}).get("name"):
        raise errors.nameless(call.target.name)
    return new


def _same(obj: JSON) -> JSON:
    return obj


Ways = tuple[Callable[[JSON], JSON], Callable[[JSON], JSON]]
"""From a stored object to what is applied to, and back."""


async def apply(core: Core, call: Call, below: Call, ways: Ways) -> Outcome:
    """Server-side apply: creates the object if there is none.

    `below`: the call for the resource that stores the object, mostly the call itself.
    """
    shown, stored = ways
    if not call.manager:
        cause = errors.required("fieldManager", "is required for apply patch")
        raise errors.options("PatchOptions", [cause])
    call.applies = True
    wanted = write.read_object(call, prune=False)
    meta = wanted.get("metadata") or {}
    if meta.get("name", call.target.name) != call.target.name:
        raise errors.bad(
            f"the name of the object ({meta['name']}) does not match the name on the URL "
            f"({call.target.name})"
        )
    below.applies, below.clean = True, False
    force = call.request.param("force") in ("1", "true")

    def applied(live: JSON | None) -> JSON:
        made = server_side.apply(
            live and shown(live), wanted, call.manager, write.scope_of(call),
            write.source_of(call), now=core.now(), force=force,
        )  # fmt: skip
        write.decodable(call, made)
        return stored(made)

    for _ in range(_TRIES):
        if core.store.latest(below.key()) is not None or call.target.subresource:
            return await write.change(core, below, applied)
        if meta.get("uid"):
            cause = errors.wrong("metadata.uid", meta["uid"], "field is immutable")
            raise errors.invalid_object(call.resource, call.target.name, [cause])
        made = applied(None)
        made["metadata"] = {**made.get("metadata", {}), "name": call.target.name}
        made["metadata"].pop("resourceVersion", None)
        try:
            return await write.create_object(core, below, made)
        except ApiError as taken:
            if taken.reason != "AlreadyExists":
                raise
    raise errors.conflict(call.resource, call.target.name)
