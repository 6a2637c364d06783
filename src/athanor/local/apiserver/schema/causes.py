"""Causes that only a schema finds, in Kubernetes' words; the common ones are `errors`'.

Wording and reasons follow apimachinery's `util/validation/field`; each was asked of a real server.
"""

from __future__ import annotations

from typing import Any

from athanor.local.apiserver.errors import shown
from athanor.wire.status import Cause

Value = Any
"""A JSON value as decoded: dict, list, str, int, float, bool or None."""

BLOCKING = frozenset(
    (
        "FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported",
        "FieldValueTooLong", "FieldValueTooMany",
    )
)  # fmt: skip
"""After one of these the CEL rules of an object are not evaluated."""

NOT_CHECKED = Cause(
    reason="FieldValueInvalid",
    message="Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation",
    field="<nil>",
)


def wrong_type(field: str, value: Value, wanted: str) -> Cause:
    """The value has another type (or format) than the schema's."""
    said = f"Invalid value: {shown(value)}: {field} in body must be of type {wanted}"
    return Cause(reason="FieldValueTypeInvalid", message=f"{said}: {shown(value)}", field=field)


def wrong_text(field: str, value: Value, detail: str) -> Cause:
    """The text stands for nothing of the kind that it must be decoded to."""
    message = f"Invalid value: {shown(value)}: {detail}"
    return Cause(reason="FieldValueTypeInvalid", message=message, field=field)


def too_many(field: str, count: int, limit: int) -> Cause:
    """The list or map has more than `limit` items."""
    return Cause(
        reason="FieldValueTooMany",
        message=f"Too many: {count}: must have at most {limit} items",
        field=field,
    )


def of_whole(detail: str) -> Cause:
    """What Kubernetes says without naming a field in the cause (the detail names it)."""
    return Cause(reason="FieldValueInvalid", message=f'Invalid value: "": {detail}', field="<nil>")
