"""PATCH: which kind of patch, and what it makes of the stored object."""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import body, write
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.wire.status import ApiError

MERGE = "application/merge-patch+json"


async def patch(core: Core, call: Call) -> Outcome:
    """Change an object as the patch in the body says."""
    media = body.media_type(call.request.headers.get("content-type"))
    if media != MERGE:
        raise ApiError("UnsupportedMediaType", "415: Unsupported Media Type")
    wanted = body.parse(call.request.body, media, call.resource.kind)
    body.as_object(wanted, call.request.body, call.resource.kind)
    return await write.change(core, call, lambda old: _merge(old, wanted))


def _merge(doc: JSON, change: JSON) -> JSON:
    for key, value in change.items():
        if value is None:
            doc.pop(key, None)
        elif isinstance(value, dict):
            inner = doc.get(key)
            doc[key] = _merge(inner if isinstance(inner, dict) else {}, value)
        else:
            doc[key] = msgspec.json.decode(msgspec.json.encode(value))
    return doc
