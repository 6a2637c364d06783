"""The schema of a pod template inside our kinds: what people mistype is refused at creation.

All other fields are let through and checked when pods are made of the template.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from athanor.api.amounts import QUANTITY
from athanor.api.meta import JSON

_OPEN: JSON = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WORDS: JSON = {
    "type": "array", "maxItems": 1024, "items": {"type": "string"},
    "x-kubernetes-list-type": "atomic",
}  # fmt: skip
_AMOUNTS: JSON = {
    "type": "object", "maxProperties": 32,
    "additionalProperties": {
        "x-kubernetes-int-or-string": True, "minimum": 0, "maxLength": 32, "pattern": QUANTITY,
    },
}  # fmt: skip
_VARIABLE: JSON = {
    **_OPEN, "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[ -<>-~]+$"},
        "value": {"type": "string"},
    },
}  # fmt: skip
_CONTAINER: JSON = {
    **_OPEN,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "image": {"type": "string"},
        "command": _WORDS,
        "args": _WORDS,
        "workingDir": {"type": "string"},
        "env": {"type": "array", "items": _VARIABLE, "x-kubernetes-list-type": "atomic"},
        "resources": {**_OPEN, "properties": {"limits": _AMOUNTS, "requests": _AMOUNTS}},
    },
}
_CONTAINERS: JSON = {
    "type": "array", "minItems": 1, "maxItems": 32, "items": _CONTAINER,
    "x-kubernetes-list-type": "atomic",
}  # fmt: skip
_SECONDS: JSON = {"type": "integer", "format": "int64", "minimum": 0}
_POD_SPEC: JSON = {
    **_OPEN,
    "required": ["containers"],
    "properties": {"containers": _CONTAINERS, "terminationGracePeriodSeconds": _SECONDS},
}
_TEMPLATE: JSON = {
    "required": ["spec"],
    "properties": {"metadata": _OPEN, "spec": _POD_SPEC},
}

Template = Annotated[JSON, Meta(extra_json_schema=_TEMPLATE)]
"""A pod template. Commonly mistyped fields are checked here, all others when pods are made."""
