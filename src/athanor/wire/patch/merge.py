"""JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.wire.patch.values import Value, type_name, without_nulls
from athanor.wire.status import ApiError


def merge_patch(doc: JSON, patch: Value) -> JSON:
    """The document after the patch. Raises BadRequest when the patch is no object."""
    if not isinstance(patch, dict):
        raise ApiError(
            "BadRequest",
            f"error decoding patch: a merge patch is an object, not {type_name(patch)}",
        )
    return _merge(doc, patch)


def _merge(doc: JSON, patch: JSON) -> JSON:
    merged = dict(doc)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif not isinstance(value, dict):
            old = merged.get(key)
            # a list that replaces a list loses its elements' nulls on a Kubernetes server
            merged[key] = without_nulls(value) if isinstance(old, list) else value
        else:
            old = merged.get(key)
            merged[key] = _merge(old if isinstance(old, dict) else {}, value)
    return merged
