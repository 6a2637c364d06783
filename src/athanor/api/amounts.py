"""Amounts of resources, moments and names, as specs and statuses have them.

Amounts are Kubernetes quantities ("8", "500m", "64Gi").
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

QUANTITY = (
    r"^\+?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
"""The pattern of Kubernetes' quantities, without those below zero: here nothing is owed."""

Amount = Annotated[
    str | int,
    Meta(
        extra_json_schema={
            "x-kubernetes-int-or-string": True, "minimum": 0, "maxLength": 32,
            "pattern": QUANTITY,
        }
    ),
]  # fmt: skip
"""A quantity; people write plain numbers too, and custom resources keep them as they are."""

Amounts = Annotated[dict[str, Amount], Meta(max_length=32)]
"""Resource name → quantity."""

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC."""

Name = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
