"""Objects that make other objects (Cron, Sweep, Workflow): what they make, and how it is found.

Whatever comes to an end can be made: its status has a `phase` that ends as Succeeded or Failed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.meta import JSON, Base

WorkKind = Literal["TrainingJob", "Gang", "Sweep", "Workflow"]
"""Kinds of ours that come to an end."""

LONGEST_MAKER = 40
"""Names of objects that make others: what is made is named after them, and so are its pods."""


_OPEN: JSON = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WORK: JSON = {
    "properties": {
        "framework": {"type": "string", "maxLength": 253},
        "roles": {
            "type": "array", "maxItems": 64, "items": _OPEN, "x-kubernetes-list-type": "atomic"
        },
    },
}  # fmt: skip
"""What is looked at before the object is made: a job that could never start is refused now."""


class ObjectTemplate(Base, frozen=True, kw_only=True):
    """An object to be made: its kind, labels and annotations, and its spec."""

    kind: WorkKind = "TrainingJob"
    metadata: JSON = field(default_factory=dict)
    spec: Annotated[JSON, Meta(extra_json_schema=_WORK)] = field(default_factory=dict)
