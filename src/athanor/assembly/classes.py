"""The PriorityClasses that both worlds begin with; `--priority high` means `athanor-high`."""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api.meta import JSON
from athanor.api.scheduling import PRIORITY

VALUES = {"low": -1000, "high": 1000, "urgent": 10000}


def priorities() -> Iterable[JSON]:
    """As objects."""
    for name, value in VALUES.items():
        yield {
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": value,
            "metadata": {"name": f"{PRIORITY}{name}"},
        }  # fmt: skip
