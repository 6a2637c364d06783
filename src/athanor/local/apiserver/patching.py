"""PATCH: which kind of patch, and what it makes of the stored object."""

from __future__ import annotations

from typing import Any

from athanor.api.meta import JSON
from athanor.local.apiserver import body, errors, write
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.wire.patch.json_patch import json_patch
from athanor.wire.patch.merge import merge_patch
from athanor.wire.patch.strategic import strategic
from athanor.wire.status import ApiError

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


async def patch(core: Core, call: Call) -> Outcome:
    """Change an object as the patch in the body says."""
    media = body.media_type(call.request.headers.get("content-type"))
    known = (JSON_PATCH, MERGE, APPLY) if call.served.custom else (JSON_PATCH, MERGE, STRATEGIC)
    if media not in (*known, APPLY):
        raise ApiError(
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(dict.fromkeys((*known, APPLY))),
        )
    if call.request.param("force") and media != APPLY:
        raise errors.options(
            "PatchOptions",
            [errors.not_allowed("force", "may not be specified for non-apply patch")],
        )
    wanted = body.parse(call.request.body, media, call.resource.kind)
    guarded = isinstance(wanted, dict) and bool(
        (wanted.get("metadata") or {}).get("resourceVersion")
    )
    return await write.change(
        core, call, lambda old: _changed(call, media, old, wanted), guarded=guarded
    )


def _changed(call: Call, media: str, old: JSON, wanted: Any) -> JSON:
    if media == JSON_PATCH:
        new = json_patch(old, wanted)
    elif media == MERGE:
        new = merge_patch(old, wanted)
    else:
        schema = getattr(call.served.schema, "source", None) or {}
        new = strategic(old, wanted, schema)
    if not isinstance(new, dict):
        raise errors.bad("the patched object is no JSON object")
    write.check_type(call, new)
    write.strict(call, new)
    return new
